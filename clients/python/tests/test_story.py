"""One story against a live befriend: what a stranger's program does with friends, blocks and changes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from befriend import errors
from befriend.testing import App, Server, start

CROWD = [f"friend-{number}" for number in range(7)]


@pytest.fixture(scope="module")
def impatient() -> Iterator[Server]:
    """A server that ends each watch after a second."""
    with start(arguments=["--watch-max-duration", "1s"]) as server:
        yield server


def test_a_friendship_is_mutual_and_a_remark_is_not(befriend: App) -> None:
    befriend.users("alice", "bob")
    friends = befriend.client.friends
    added = friends.add_friend(owner="alice", friend="bob")
    assert (added.friend.username, added.user.username) == ("bob", "bob")
    again = friends.add_friend(owner="alice", friend="bob")
    assert again.friend.version == added.friend.version
    friends.set_remark(owner="alice", friend="bob", remark="from the gym")
    friends.update_friend(owner="alice", friend="bob", extension="x", update_mask=["extension"])
    entry = friends.get_friend(owner="alice", friend="bob").friend
    assert (entry.remark, entry.extension) == ("from the gym", "x")
    assert friends.get_friend(owner="bob", friend="alice").friend.remark == ""


def test_all_pages_of_a_list_have_every_entry_once(befriend: App) -> None:
    befriend.users("alice", *CROWD)
    friends = befriend.client.friends
    for name in CROWD:
        friends.add_friend(owner="alice", friend=name)
    assert len(friends.list_friends(owner="alice", page_size=3).entries) == 3
    assert [entry.username for entry in friends.iter_friends(owner="alice", page_size=3)] == CROWD
    everybody = [user.username for user in befriend.client.users.iter_users(page_size=2)]
    assert sorted(everybody) == ["alice", *CROWD]


def test_a_block_is_seen_from_both_sides(befriend: App) -> None:
    befriend.users("alice", "bob", "carol")
    befriend.client.blocks.block_users(owner="bob", usernames=["alice", "carol"])
    found = befriend.client.relations.check_relations(username="alice", others=["bob", "carol"]).relations
    assert [(one.username, one.blocks, one.blocked_by) for one in found] == [
        ("bob", False, True),
        ("carol", False, False),
    ]
    blocked = befriend.client.blocks.iter_blocked_users(owner="bob", page_size=1)
    assert sorted(blocked) == ["alice", "carol"]


def test_a_copy_that_is_synced_equals_the_list(befriend: App) -> None:
    befriend.users("alice", *CROWD)
    friends = befriend.client.friends
    for name in CROWD:
        friends.add_friend(owner="alice", friend=name)
    copy: set[str] = set()
    version = 0
    pages = 0
    for page in friends.iter_sync_friends(owner="alice", since_version=version, page_size=2):
        copy |= {change.upserted.username for change in page.changes}
        version, pages = page.next_version, pages + 1
    assert copy == set(CROWD) and pages > 1

    friends.remove_friend(owner="alice", friend=CROWD[0])
    [page] = friends.iter_sync_friends(owner="alice", since_version=version)
    assert [change.removed for change in page.changes] == [CROWD[0]]


def test_a_watch_goes_on_where_a_stream_has_ended(impatient: Server) -> None:
    app = impatient.new_app()
    app.users("alice", *CROWD)
    seen = []
    with contextlib.closing(app.client.friends.watch_friends(owner="alice")) as messages:
        first = next(messages)
        assert first.up_to_date and not first.changes
        # Each stream begins with a message that says that nothing more is there: two more are two more streams.
        streams = 1
        for message in messages:
            assert not message.full_resync
            seen += [change.upserted.username for change in message.changes]
            streams += not message.changes
            if streams == 3:
                break
            if len(seen) < len(CROWD):
                app.client.friends.add_friend(owner="alice", friend=CROWD[len(seen)])
    assert seen == CROWD[: len(seen)] and seen
    app.close()


def test_a_watch_from_a_version_that_is_not_there_begins_anew(befriend: App) -> None:
    befriend.users("alice", "bob")
    befriend.client.friends.add_friend(owner="alice", friend="bob")
    with contextlib.closing(befriend.client.friends.watch_friends(owner="alice", since_version=999)) as messages:
        message = next(messages)
    assert message.full_resync
    assert [change.upserted.username for change in message.changes] == ["bob"]


def test_a_watch_of_nobody_is_an_error(befriend: App) -> None:
    with pytest.raises(errors.UserNotFound):
        next(befriend.client.friends.watch_friends(owner="nobody"))


def test_an_error_has_the_class_of_its_reason_below_that_of_its_code(befriend: App) -> None:
    befriend.users("alice", "bob")
    with pytest.raises(errors.UserNotFound) as found:
        befriend.client.friends.add_friend(owner="alice", friend="nobody")
    error = found.value
    assert isinstance(error, errors.NotFound)
    assert (error.code, error.reason, error.metadata) == ("NOT_FOUND", "USER_NOT_FOUND", {"username": "nobody"})
    assert error.request_id
    with pytest.raises(errors.NotFriends):
        befriend.client.friends.set_remark(owner="alice", friend="bob", remark="x")
    with pytest.raises(errors.InvalidUsername):
        befriend.client.users.get_user(username="no blanks")
    with pytest.raises(errors.TokenScope):
        befriend.client.apps.list_apps()


async def test_the_story_is_the_same_for_asyncio(befriend: App) -> None:
    befriend.users("alice", "bob", "carol")
    async with befriend.async_client() as client:
        await client.friends.add_friend(owner="alice", friend="bob")
        await client.friends.set_remark(owner="alice", friend="bob", remark="from the gym")
        await client.friends.add_friend(owner="alice", friend="carol")
        walk = client.friends.iter_friends(owner="alice", page_size=1, include_remark=True)
        assert [(one.username, one.remark) async for one in walk] == [("bob", "from the gym"), ("carol", "")]
        await client.blocks.block_users(owner="bob", usernames=["alice"])
        checked = await client.relations.check_relations(username="alice", others=["bob"])
        assert checked.relations[0].blocked_by
        pages = [page async for page in client.friends.iter_sync_friends(owner="alice", page_size=1)]
        assert [change.upserted.username for page in pages for change in page.changes] == ["bob", "carol"]

        async with contextlib.aclosing(client.friends.watch_friends(owner="alice", since_version=999)) as messages:
            first = await anext(messages)
            assert first.full_resync and len(first.changes) == 2
            await client.friends.remove_friend(owner="alice", friend="carol")
            removed = await anext(messages)
            assert [change.removed for change in removed.changes] == ["carol"]
        with pytest.raises(errors.UserNotFound):
            await client.users.get_user(username="nobody")


async def test_a_watch_of_asyncio_goes_on_where_a_stream_has_ended(impatient: Server) -> None:
    app = impatient.new_app()
    app.users("alice", "bob", "carol")
    seen = []
    async with app.async_client() as client:
        async with contextlib.aclosing(client.friends.watch_friends(owner="alice")) as messages:
            streams = 0
            async for message in messages:
                seen += [change.upserted.username for change in message.changes]
                # Only the first message of a stream is without changes.
                streams += not message.changes
                if streams >= 2 and len(seen) == 2:
                    break
                # Bob on the first stream, Carol on a later one. To add a friend again changes nothing.
                if len(seen) < min(streams, 2):
                    await client.friends.add_friend(owner="alice", friend=["bob", "carol"][len(seen)])
    assert seen == ["bob", "carol"]
    app.close()
