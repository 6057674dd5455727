"""Tokens and retries: what is repeated, when, and what is not."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import grpc
import pytest
from scripted import (
    CONFLICT,
    FULL,
    MADE,
    OK,
    RATE_LIMITED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Scripted,
    token,
)

from befriend import AsyncClient, Client, errors
from befriend.testing import App, Server, start

@pytest.fixture(params=["blocking", "asyncio"])
def call(request: pytest.FixtureRequest, scripted: Scripted) -> Callable[[str], None]:
    """Calls a method with the client of either kind."""

    def add_or_create(client: Any, method: str) -> Any:
        if method == "RemoveFriend":
            return client.friends.remove_friend(owner="alice", friend="bob", timeout=0.5)
        if method == "AddFriend":
            return client.friends.add_friend(owner="alice", friend="bob")
        return client.users.create_user(user={"username": "alice"})

    def blocking(method: str) -> None:
        with Client(scripted.address, client_id="id", client_secret="secret") as client:
            add_or_create(client, method)

    async def with_asyncio(method: str) -> None:
        async with AsyncClient(scripted.address, client_id="id", client_secret="secret") as client:
            await add_or_create(client, method)

    return blocking if request.param == "blocking" else lambda method: asyncio.run(with_asyncio(method))


def test_what_may_be_repeated_is_repeated_when_the_service_asks_for_it(
    scripted: Scripted, call: Callable[[str], None]
) -> None:
    scripted.answers["AddFriend"] = [UNAVAILABLE, UNAVAILABLE, CONFLICT, OK]
    begun = time.monotonic()
    call("AddFriend")
    assert scripted.called("AddFriend") == 4
    assert time.monotonic() - begun > 0.4, "the pauses of RetryInfo were not made"


def test_an_unknown_outcome_of_what_is_not_repeatable_is_an_error(
    scripted: Scripted, call: Callable[[str], None]
) -> None:
    scripted.answers["CreateUser"] = [UNAVAILABLE, MADE]
    with pytest.raises(errors.Unavailable):
        call("CreateUser")
    assert scripted.called("CreateUser") == 1


def test_what_was_certainly_not_done_is_repeated(scripted: Scripted, call: Callable[[str], None]) -> None:
    scripted.answers["CreateUser"] = [CONFLICT, RATE_LIMITED, MADE]
    call("CreateUser")
    assert scripted.called("CreateUser") == 3


def test_a_full_list_is_not_tried_again(scripted: Scripted, call: Callable[[str], None]) -> None:
    scripted.answers["AddFriend"] = [FULL, OK]
    with pytest.raises(errors.FriendLimitExceeded):
        call("AddFriend")
    assert scripted.called("AddFriend") == 1


def test_attempts_have_an_end(scripted: Scripted, call: Callable[[str], None]) -> None:
    scripted.answers["AddFriend"] = [CONFLICT] * 9
    with pytest.raises(errors.Conflict):
        call("AddFriend")
    assert scripted.called("AddFriend") == 5


def test_a_deadline_ends_a_call_that_is_not_answered(scripted: Scripted, call: Callable[[str], None]) -> None:
    answered = threading.Event()
    scripted.answers["RemoveFriend"] = [answered]
    begun = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded):
        call("RemoveFriend")
    assert 0.4 < time.monotonic() - begun < 5, "the deadline of the call is 0.5 s, the default one 10 s"
    answered.set()


def test_a_token_that_is_refused_is_replaced_once(scripted: Scripted, call: Callable[[str], None]) -> None:
    scripted.answers["AddFriend"] = [UNAUTHENTICATED, OK]
    call("AddFriend")
    scripted.answers["AddFriend"] = [UNAUTHENTICATED, UNAUTHENTICATED, OK]
    with pytest.raises(errors.Unauthenticated):
        call("AddFriend")
    bearers = [bearer for name, bearer in scripted.calls if name == "AddFriend"]
    assert bearers == ["Bearer token-1", "Bearer token-2", "Bearer token-3", "Bearer token-4"]


def test_a_token_is_used_until_shortly_before_its_end(scripted: Scripted) -> None:
    # The first one ends at once, and is renewed for the second call; the second one serves two calls.
    scripted.answers["IssueToken"] = [UNAVAILABLE, token("short", 0), token("long", 3600)]
    scripted.answers["AddFriend"] = [OK, OK, OK]
    with Client(scripted.address, client_id="id", client_secret="secret") as client:
        for _ in range(3):
            client.friends.add_friend(owner="alice", friend="bob")
    bearers = [bearer for name, bearer in scripted.calls if name == "AddFriend"]
    assert bearers == ["Bearer short", "Bearer long", "Bearer long"]


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
def test_the_time_of_a_call_covers_the_token_that_another_call_gets(scripted: Scripted, kind: str) -> None:
    issued = threading.Event()
    scripted.answers["IssueToken"] = [issued]

    def blocking() -> float:
        with Client(scripted.address, client_id="id", client_secret="secret") as client:
            first = threading.Thread(target=lambda: pytest.raises(errors.BefriendError, client.users.list_users))
            first.start()
            while not scripted.called("IssueToken"):
                time.sleep(0.001)
            begun = time.monotonic()
            with pytest.raises(errors.DeadlineExceeded):
                client.friends.remove_friend(owner="alice", friend="bob", timeout=0.3)
            took = time.monotonic() - begun
        first.join()
        return took

    async def with_asyncio() -> float:
        async with AsyncClient(scripted.address, client_id="id", client_secret="secret") as client:
            first = asyncio.create_task(client.users.list_users())
            while not scripted.called("IssueToken"):
                await asyncio.sleep(0.001)
            begun = time.monotonic()
            with pytest.raises(errors.DeadlineExceeded):
                await client.friends.remove_friend(owner="alice", friend="bob", timeout=0.3)
            first.cancel()
            return time.monotonic() - begun

    took = blocking() if kind == "blocking" else asyncio.run(with_asyncio())
    issued.set()
    assert 0.2 < took < 5
    assert scripted.called("RemoveFriend") == 0 and scripted.called("IssueToken") == 1


def test_a_token_is_asked_for_without_a_token(scripted: Scripted) -> None:
    with Client(scripted.address, token="bft_mine") as client:
        client.tokens.issue_token(client_id="id", client_secret="secret")
    assert scripted.calls == [("IssueToken", "")]


async def test_a_token_is_asked_for_without_a_token_by_asyncio(scripted: Scripted) -> None:
    async with AsyncClient(scripted.address, token="bft_mine") as client:
        await client.tokens.issue_token(client_id="id", client_secret="secret")
    assert scripted.calls == [("IssueToken", "")]


def test_a_call_of_a_closed_client_is_an_error_of_befriend(scripted: Scripted) -> None:
    client = Client(scripted.address, token="bft_mine")
    client.close()
    with pytest.raises(errors.BefriendError, match="closed"):
        client.users.list_users()


async def test_calls_under_way_and_later_ones_of_a_closed_client_are_errors_of_befriend(scripted: Scripted) -> None:
    answered = threading.Event()
    scripted.answers["RemoveFriend"] = [answered]
    client = AsyncClient(scripted.address, token="bft_mine")
    under_way = asyncio.create_task(client.friends.remove_friend(owner="alice", friend="bob"))
    while not scripted.called("RemoveFriend"):
        await asyncio.sleep(0.001)
    await client.close()
    for call in (under_way, client.users.list_users()):
        with pytest.raises(errors.BefriendError, match="closed"):
            await call
    answered.set()


def test_grpc_itself_repeats_by_the_service_config(scripted: Scripted) -> None:
    config = (files("befriend") / "service-config.json").read_text()
    scripted.answers["AddFriend"] = [UNAVAILABLE, CONFLICT, OK]
    scripted.answers["CreateUser"] = [UNAVAILABLE, MADE]
    with grpc.insecure_channel(scripted.address, options=[("grpc.service_config", config)]) as channel:
        channel.unary_unary("/befriend.v1.FriendService/AddFriend")(b"")
        with pytest.raises(grpc.RpcError):
            channel.unary_unary("/befriend.v1.UserService/CreateUser")(b"")
    assert (scripted.called("AddFriend"), scripted.called("CreateUser")) == (3, 1)


def test_a_certificate_is_checked_by_the_authorities_that_are_given(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=befriend"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run([*make.split(), *names], check=True, stderr=subprocess.DEVNULL)
    with start(arguments=["--tls-cert", str(certificate), "--tls-key", str(key)]) as server:
        credentials = {"client_id": server.app.client_id, "client_secret": server.app.client_secret}
        with Client(server.url, root_certificates=certificate.read_bytes(), **credentials) as client:
            assert list(client.users.iter_users()) == []
        with Client(server.url, **credentials) as client, pytest.raises(errors.Unavailable):
            client.users.list_users()


def test_a_revoked_token_is_renewed_by_a_live_befriend(befriend: App) -> None:
    befriend.users("alice")
    client = befriend.client
    used = client._caller._token.current()
    client.tokens.revoke_token(access_token=used)
    assert client.users.get_user(username="alice").user.username == "alice"
    assert client._caller._token.current() not in ("", used)


def test_a_rate_is_waited_for(befriend_server: Server) -> None:
    app_key = "test#slow"
    made = befriend_server.operator.apps.create_app(app_key=app_key, limits={"requests_per_second": 2})
    app = App(befriend_server.address, app_key, made.app.client_id, made.client_secret)
    app.users("alice")
    begun = time.monotonic()
    for _ in range(5):
        app.client.users.get_user(username="alice")
    assert time.monotonic() - begun > 1
    app.close()


def test_wrong_credentials_are_told(befriend: App) -> None:
    with Client(befriend.address, client_id=befriend.client_id, client_secret="not-the-secret") as client:
        with pytest.raises(errors.InvalidCredentials):
            client.users.list_users()
    with pytest.raises(ValueError, match="either a token"):
        Client(befriend.address)
