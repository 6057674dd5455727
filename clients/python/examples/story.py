"""A story of two friends: befriend, remark, list, watch, block, the question before every message, and a callback.

    python story.py ADDRESS CLIENT_ID CLIENT_SECRET

`befriend serve --ephemeral` prints all three.
"""

from __future__ import annotations

import contextlib
import sys

from befriend import Client, errors, webhooks

# The sample of docs/callbacks.md: a secret, and what it has signed.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HEADERS = {
    "webhook-id": "evt_69f101dc9c2a0c184c2b02f27f5252ff_7",
    "webhook-timestamp": "1795262400",
    "webhook-signature": "v1,A/c+XkOVBe568Um32oeb8nR2Wof5hrTS9uEU3hkQd9s=",
}
BODY = (
    b'{"type":"friend.added","timestamp":"2026-11-21T12:00:00.123Z",'
    b'"data":{"app":"acme#chat","owner":"alice","friend":"bob","version":7}}'
)


def tell(client: Client) -> None:
    """Tells the story."""
    client.users.batch_create_users(users=[{"username": name} for name in ("alice", "bob", "carol")])
    client.friends.add_friend(owner="alice", friend="bob")
    client.friends.set_remark(owner="alice", friend="bob", remark="from the gym")
    for friend in client.friends.iter_friends(owner="alice", include_remark=True):
        print(f"alice has the friend {friend.username}, {friend.remark}")

    # The first message has the list as it is; changes follow as they happen.
    with contextlib.closing(client.friends.watch_friends(owner="alice")) as messages:
        for change in next(messages).changes:
            print(f"alice's copy has {change.upserted.username}")

    client.blocks.block_users(owner="bob", usernames=["alice"])
    for relation in client.relations.check_relations(username="alice", others=["bob", "carol"]).relations:
        print(f"alice and {relation.username}: friends {relation.is_friend}, blocked {relation.blocked_by}")

    try:
        client.friends.set_remark(owner="alice", friend="carol", remark="who?")
    except errors.NotFriends as error:
        print(f"refused: {error.reason}")


def receive(headers: dict[str, str], body: bytes) -> None:
    """Takes a callback, as a server of yours does: verified first."""
    # A server leaves out `now`; the sample is genuine at its own time only.
    event = webhooks.verify(SECRET, headers, body, now=1795262400)
    print(f"a callback: {event['type']}, {event['data']['owner']} and {event['data']['friend']}")
    try:
        webhooks.verify(SECRET, headers, body.replace(b"bob", b"eve"), now=1795262400)
    except webhooks.VerificationError:
        print("a forged callback: refused")


def main() -> None:
    address, client_id, client_secret = sys.argv[1:]
    with Client(address, client_id=client_id, client_secret=client_secret) as client:
        tell(client)
    receive(HEADERS, BODY)


if __name__ == "__main__":
    main()
