"""Watches and syncs: when they go on, how fast, and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from scripted import Refusal, Scripted

from befriend import AsyncClient, Client, errors
from befriend.testing import App, start
from befriend.v1 import friend_service_pb2

AHEAD = Refusal(grpc.StatusCode.OUT_OF_RANGE, "VERSION_AHEAD")
GONE = Refusal(grpc.StatusCode.NOT_FOUND, "USER_NOT_FOUND")


def message(version: int) -> bytes:
    return friend_service_pb2.WatchFriendsResponse(next_version=version, up_to_date=True).SerializeToString()


def page(version: int, next_page: str = "") -> bytes:
    return friend_service_pb2.SyncFriendsResponse(
        next_version=version, has_more=bool(next_page), next_page_token=next_page
    ).SerializeToString()


@pytest.fixture(params=["blocking", "asyncio"])
def read(request: pytest.FixtureRequest, scripted: Scripted) -> Callable[..., list[Any]]:
    """Reads what a client of either kind yields, until it ends with the error that a user is not there."""

    def blocking(name: str, **fields: Any) -> list[Any]:
        got = []
        with Client(scripted.address, token="bft_mine") as client:
            with contextlib.suppress(errors.UserNotFound):
                for one in getattr(client.friends, name)(owner="alice", **fields):
                    got.append(one)
        return got

    async def with_asyncio(name: str, **fields: Any) -> list[Any]:
        got = []
        async with AsyncClient(scripted.address, token="bft_mine") as client:
            with contextlib.suppress(errors.UserNotFound):
                async for one in getattr(client.friends, name)(owner="alice", **fields):
                    got.append(one)
        return got

    return blocking if request.param == "blocking" else lambda name, **fields: asyncio.run(with_asyncio(name, **fields))


@pytest.mark.parametrize("stream", [[], [message(7)]], ids=["without a message", "behind a message"])
def test_streams_that_end_at_once_are_opened_at_pauses_that_grow(
    scripted: Scripted, read: Callable[..., list[Any]], stream: list[Any]
) -> None:
    scripted.answers["WatchFriends"] = [stream] * 4 + [[GONE]]
    begun = time.monotonic()
    assert len(read("watch_friends")) == 4 * len(stream)
    # 0.1, 0.2, 0.4 and 0.8 s, of which at least half is waited.
    assert time.monotonic() - begun > 0.75
    assert scripted.called("WatchFriends") == 5


@pytest.mark.parametrize("code", ["INTERNAL", "DEADLINE_EXCEEDED", "CANCELLED", "UNAVAILABLE"])
def test_a_watch_goes_on_behind_what_proxies_do_to_streams(
    scripted: Scripted, read: Callable[..., list[Any]], code: str
) -> None:
    cut = Refusal(grpc.StatusCode[code], "")
    scripted.answers["WatchFriends"] = [[message(7), cut], [cut], [message(8), GONE]]
    assert [one.next_version for one in read("watch_friends")] == [7, 8]
    assert [since for name, since in scripted.calls] == ["0", "7", "7"]


def test_an_internal_error_of_the_service_ends_a_watch(scripted: Scripted) -> None:
    scripted.answers["WatchFriends"] = [[Refusal(grpc.StatusCode.INTERNAL, "INTERNAL")]]
    with Client(scripted.address, token="bft_mine") as client, pytest.raises(errors.BefriendError, match="INTERNAL"):
        next(client.friends.watch_friends(owner="alice"))


def test_a_sync_from_a_version_that_is_not_there_begins_anew(
    scripted: Scripted, read: Callable[..., list[Any]]
) -> None:
    scripted.answers["SyncFriends"] = [page(998, "a"), AHEAD, page(3, "b"), page(5)]
    pages = read("iter_sync_friends", since_version=997)
    assert [(one.next_version, one.full_resync) for one in pages] == [(998, False), (3, True), (5, False)]


def test_a_live_befriend_is_synced_anew_with_the_whole_list(befriend: App) -> None:
    befriend.users("alice", "bob")
    befriend.client.friends.add_friend(owner="alice", friend="bob")
    [found] = befriend.client.friends.iter_sync_friends(owner="alice", since_version=999)
    assert found.full_resync and [change.upserted.username for change in found.changes] == ["bob"]


def test_a_watch_ends_when_its_client_is_closed(befriend: App) -> None:
    befriend.users("alice")
    client = Client(befriend.address, client_id=befriend.client_id, client_secret=befriend.client_secret)
    watch = client.friends.watch_friends(owner="alice")
    assert next(watch).up_to_date
    closing = threading.Thread(target=client.close)
    closing.start()
    assert list(watch) == []
    closing.join()
    assert list(client.friends.watch_friends(owner="alice")) == []


async def test_a_watch_of_asyncio_ends_when_its_client_is_closed(befriend: App) -> None:
    befriend.users("alice")
    client = befriend.async_client()
    watch = client.friends.watch_friends(owner="alice")
    assert (await anext(watch)).up_to_date
    rest = asyncio.create_task(collect(watch))
    await asyncio.sleep(0)
    await client.close()
    assert await rest == []
    assert await collect(client.friends.watch_friends(owner="alice")) == []


async def test_a_task_that_is_cancelled_in_a_watch_is_cancelled(befriend: App) -> None:
    befriend.users("alice")
    async with befriend.async_client() as client:
        watch = client.friends.watch_friends(owner="alice")
        assert (await anext(watch)).up_to_date
        rest = asyncio.create_task(collect(watch))
        await asyncio.sleep(0)
        rest.cancel()
        with pytest.raises(asyncio.CancelledError):
            await rest


async def collect(messages: Any) -> list[Any]:
    return [one async for one in messages]


def test_the_watches_of_one_client_leave_others_their_calls() -> None:
    with start(arguments=["--max-streams", "3"]) as server, contextlib.ExitStack() as open_watches:
        app = server.app
        app.users("alice")
        for _ in range(3):
            watch = open_watches.enter_context(contextlib.closing(app.client.friends.watch_friends(owner="alice")))
            assert next(watch).up_to_date
        with Client(app.address, client_id=app.client_id, client_secret=app.client_secret) as other:
            assert other.users.get_user(username="alice", timeout=5).user.username == "alice"
        with pytest.raises(errors.DeadlineExceeded):
            app.client.users.get_user(username="alice", timeout=0.2)
