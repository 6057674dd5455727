"""A story of two friends: befriend, remark, list, block, and the question before every message.

    python story.py ADDRESS CLIENT_ID CLIENT_SECRET

`befriend serve --ephemeral` prints all three.
"""

from __future__ import annotations

import sys

from befriend import Client, errors


def tell(client: Client) -> None:
    """Tells the story."""
    client.users.batch_create_users(users=[{"username": name} for name in ("alice", "bob", "carol")])
    client.friends.add_friend(owner="alice", friend="bob")
    client.friends.set_remark(owner="alice", friend="bob", remark="from the gym")
    for friend in client.friends.iter_friends(owner="alice", include_remark=True):
        print(f"alice has the friend {friend.username}, {friend.remark}")

    client.blocks.block_users(owner="bob", usernames=["alice"])
    for relation in client.relations.check_relations(username="alice", others=["bob", "carol"]).relations:
        print(f"alice and {relation.username}: friends {relation.is_friend}, blocked {relation.blocked_by}")

    try:
        client.friends.set_remark(owner="alice", friend="carol", remark="who?")
    except errors.NotFriends as error:
        print(f"refused: {error.reason}")


def main() -> None:
    address, client_id, client_secret = sys.argv[1:]
    with Client(address, client_id=client_id, client_secret=client_secret) as client:
        tell(client)


if __name__ == "__main__":
    main()
