"""Calls that block."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Any, TypeVar

import grpc

from ._channel import OPTIONS, channel_credentials, target_of
from ._error import BefriendError, read_error
from ._method import Attempts, Method, Watching, closed, late, policies
from ._token import ISSUE, Credentials, Token

Response = TypeVar("Response")


class Caller:
    """Makes calls on one channel: with a token, within a time, again where that is right."""

    def __init__(self, channel: grpc.Channel, credentials: Credentials) -> None:
        self._channel = channel
        self._credentials = credentials
        self._token = Token(credentials)
        self._renewing = threading.Lock()
        self._closed = threading.Event()
        self._stubs: dict[str, Callable[..., Any]] = {}

    def call(self, method: Method[Any, Response], request: Any, timeout: float | None) -> Response:
        """Makes a call."""
        return self._attempts(method, request, Attempts(method, timeout), with_token=method.path != ISSUE.path)

    def pages(self, method: Method[Any, Any], request: Any, timeout: float | None, items: str) -> Iterator[Any]:
        """The entries of all pages. `timeout` is for each page."""
        while True:
            page = self.call(method, request, timeout)
            yield from getattr(page, items)
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    def sync(self, method: Method[Any, Response], request: Any, timeout: float | None) -> Iterator[Response]:
        """All pages of changes. `timeout` is for each page."""
        anew = False
        while True:
            try:
                page: Any = self.call(method, request, timeout)
            except BefriendError as error:
                if error.reason != "VERSION_AHEAD" or not request.since_version:
                    raise
                request.since_version, request.page_token, anew = 0, "", True
                continue
            if anew:
                page.full_resync, anew = True, False
            yield page
            request.page_token = page.next_page_token
            if not page.has_more:
                return

    def watch(self, method: Method[Any, Response], request: Any) -> Generator[Response, None, None]:
        """Changes as they happen, until the client is closed."""
        watching = Watching(policies()[method.path])
        anew = False
        pause = 0.0
        while not self._closed.wait(pause):
            token = ""
            stream = None
            try:
                watching.begin()
                token = self._current_token(None)
                watching.begin()
                stream = self._stub(method, streaming=True)(request, metadata=_bearer(token))
                for message in stream:
                    if anew:
                        message.full_resync, anew = True, False
                    request.since_version = message.next_version
                    yield message
                pause = watching.pause_after(None, can_renew_token=False)
            except grpc.RpcError as failed:
                if self._closed.is_set():
                    return
                error = _error(failed)
                if error.reason == "VERSION_AHEAD" and request.since_version:
                    request.since_version, anew = 0, True
                    pause = watching.pause_after(None, can_renew_token=False)
                    continue
                if error.reason == "UNAUTHENTICATED":
                    self._token.refused(token)
                pause = watching.pause_after(error, can_renew_token=self._token.renewable)
            except BefriendError as error:
                if self._closed.is_set():
                    return
                pause = watching.pause_after(error, can_renew_token=False)
            except ValueError:
                # What gRPC raises on a channel that is closed.
                if self._closed.is_set():
                    return
                raise
            finally:
                if stream is not None:
                    stream.cancel()

    def close(self) -> None:
        """Closes the channel, and ends the watches."""
        self._closed.set()
        self._channel.close()

    def _attempts(self, method: Method[Any, Response], request: Any, attempts: Attempts, with_token: bool) -> Response:
        while True:
            token = self._current_token(attempts) if with_token else ""
            attempts.check()
            try:
                call = self._stub(method, streaming=False)
                answer: Response = call(request, timeout=attempts.time_left(), metadata=_bearer(token))
                return answer
            except grpc.RpcError as failed:
                error = _error(failed)
            except ValueError:
                # What gRPC raises on a channel that is closed.
                if self._closed.is_set():
                    raise closed() from None
                raise
            if error.reason == "UNAUTHENTICATED":
                self._token.refused(token)
            time.sleep(attempts.pause_after(error, can_renew_token=with_token and self._token.renewable))

    def _current_token(self, attempts: Attempts | None) -> str:
        if token := self._token.current():
            return token
        if not self._renewing.acquire(timeout=_wait(attempts)):
            raise late()
        try:
            # Another thread may have got one meanwhile.
            if token := self._token.current():
                return token
            # A second token does no harm.
            issuing = Attempts(ISSUE, attempts.time_left() if attempts else None, repeatable=True)
            issued = self._attempts(ISSUE, self._credentials.request(), issuing, with_token=False)
            return self._token.set(issued)
        finally:
            self._renewing.release()

    def _stub(self, method: Method[Any, Any], *, streaming: bool) -> Callable[..., Any]:
        if (stub := self._stubs.get(method.path)) is None:
            kind = self._channel.unary_stream if streaming else self._channel.unary_unary
            stub = self._stubs[method.path] = kind(
                method.path,
                request_serializer=method.request.SerializeToString,
                response_deserializer=method.response.FromString,
            )
        return stub


def _wait(attempts: Attempts | None) -> float:
    """For how long to wait for a lock; -1 is without an end."""
    left = attempts.time_left() if attempts else None
    return -1 if left is None else min(left, threading.TIMEOUT_MAX)


def _bearer(token: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token}")] if token else []


def _error(failed: Any) -> BefriendError:
    return read_error(failed.code().name, failed.details() or "", failed.initial_metadata(), failed.trailing_metadata())


class Client:
    """A client of befriend whose calls block; it may be used by several threads.

    `address` is "host:port", or "https://host:port" for TLS. An app proves itself by `client_id` and
    `client_secret`, for which the client gets tokens and renews them; an operator by `token`.

        with Client("127.0.0.1:50051", client_id="…", client_secret="…") as client:
            client.friends.add_friend(owner="alice", friend="bob")
    """

    def __init__(
        self,
        address: str,
        *,
        client_id: str = "",
        client_secret: str = "",
        token: str = "",
        root_certificates: bytes | None = None,
        certificate: tuple[bytes, bytes] | None = None,
    ) -> None:
        from . import _services

        target, tls = target_of(address)
        if tls:
            channel = grpc.secure_channel(target, channel_credentials(root_certificates, certificate), options=OPTIONS)
        else:
            channel = grpc.insecure_channel(target, options=OPTIONS)
        self._caller = Caller(channel, Credentials(client_id, client_secret, token))
        self.friends = _services.FriendService(self._caller)
        self.blocks = _services.BlockService(self._caller)
        self.relations = _services.RelationService(self._caller)
        self.users = _services.UserService(self._caller)
        self.tokens = _services.TokenService(self._caller)
        self.events = _services.EventService(self._caller)
        self.apps = _services.AppService(self._caller)
        self.callback_rules = _services.CallbackRuleService(self._caller)
        self.operator_tokens = _services.OperatorTokenService(self._caller)
        self.audit = _services.AuditService(self._caller)

    def close(self) -> None:
        """Closes the connection. Calls that are under way fail."""
        self._caller.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
