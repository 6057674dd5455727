"""Calls for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from types import TracebackType
from typing import Any, TypeVar

import grpc
import grpc.aio

from ._channel import OPTIONS, channel_credentials, target_of
from ._error import BefriendError, read_error
from ._method import Attempts, Method, Watching, closed, late, policies
from ._token import ISSUE, Credentials, Token

Response = TypeVar("Response")


class AsyncCaller:
    """Makes calls on one channel: with a token, within a time, again where that is right."""

    def __init__(self, channel: grpc.aio.Channel, credentials: Credentials) -> None:
        self._channel = channel
        self._credentials = credentials
        self._token = Token(credentials)
        self._renewing = asyncio.Lock()
        self._closed = asyncio.Event()
        self._stubs: dict[str, Callable[..., Any]] = {}

    async def call(self, method: Method[Any, Response], request: Any, timeout: float | None) -> Response:
        """Makes a call."""
        return await self._attempts(method, request, Attempts(method, timeout), with_token=method.path != ISSUE.path)

    async def pages(self, method: Method[Any, Any], request: Any, timeout: float | None, items: str) -> AsyncIterator[Any]:
        """The entries of all pages. `timeout` is for each page."""
        while True:
            page = await self.call(method, request, timeout)
            for item in getattr(page, items):
                yield item
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    async def sync(self, method: Method[Any, Response], request: Any, timeout: float | None) -> AsyncIterator[Response]:
        """All pages of changes. `timeout` is for each page."""
        anew = False
        while True:
            try:
                page: Any = await self.call(method, request, timeout)
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

    async def watch(self, method: Method[Any, Response], request: Any) -> AsyncGenerator[Response, None]:
        """Changes as they happen, until the client is closed."""
        watching = Watching(policies()[method.path])
        anew = False
        pause = 0.0
        while not await self._waited(pause):
            token = ""
            stream = None
            try:
                watching.begin()
                token = await self._current_token(None)
                watching.begin()
                stream = self._stub(method, streaming=True)(request, metadata=_bearer(token))
                async for message in stream:
                    if anew:
                        message.full_resync, anew = True, False
                    request.since_version = message.next_version
                    yield message
                pause = watching.pause_after(None, can_renew_token=False)
            except grpc.aio.AioRpcError as failed:
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
            except (asyncio.CancelledError, grpc.aio.UsageError):
                # What gRPC raises on a channel that is closed, and on one that closes.
                if self._closed.is_set() and not _task_is_cancelled():
                    return
                raise
            finally:
                if stream is not None:
                    stream.cancel()

    async def close(self) -> None:
        """Closes the channel, and ends the watches."""
        self._closed.set()
        await self._channel.close()

    async def _attempts(self, method: Method[Any, Response], request: Any, attempts: Attempts, with_token: bool) -> Response:
        while True:
            token = await self._current_token(attempts) if with_token else ""
            attempts.check()
            try:
                call = self._stub(method, streaming=False)
                answer: Response = await call(request, timeout=attempts.time_left(), metadata=_bearer(token))
                return answer
            except grpc.aio.AioRpcError as failed:
                error = _error(failed)
            except (asyncio.CancelledError, grpc.aio.UsageError):
                # What gRPC raises on a channel that closes, and on one that is closed.
                if self._closed.is_set() and not _task_is_cancelled():
                    raise closed() from None
                raise
            if error.reason == "UNAUTHENTICATED":
                self._token.refused(token)
            await asyncio.sleep(attempts.pause_after(error, can_renew_token=with_token and self._token.renewable))

    async def _current_token(self, attempts: Attempts | None) -> str:
        if token := self._token.current():
            return token
        try:
            await asyncio.wait_for(self._renewing.acquire(), attempts.time_left() if attempts else None)
        except asyncio.TimeoutError:
            raise late() from None
        try:
            # Another task may have got one meanwhile.
            if token := self._token.current():
                return token
            # A second token does no harm.
            issuing = Attempts(ISSUE, attempts.time_left() if attempts else None, repeatable=True)
            issued = await self._attempts(ISSUE, self._credentials.request(), issuing, with_token=False)
            return self._token.set(issued)
        finally:
            self._renewing.release()

    async def _waited(self, pause: float) -> bool:
        """Waits for so long; whether the client was closed meanwhile."""
        if pause > 0 and not self._closed.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._closed.wait(), pause)
        return self._closed.is_set()

    def _stub(self, method: Method[Any, Any], *, streaming: bool) -> Callable[..., Any]:
        if (stub := self._stubs.get(method.path)) is None:
            kind = self._channel.unary_stream if streaming else self._channel.unary_unary
            stub = self._stubs[method.path] = kind(
                method.path,
                request_serializer=method.request.SerializeToString,
                response_deserializer=method.response.FromString,
            )
        return stub


def _task_is_cancelled() -> bool:
    # Python 3.10 does not know; there the end of the client counts.
    cancelling = getattr(asyncio.current_task(), "cancelling", None)
    return cancelling is not None and cancelling() > 0


def _bearer(token: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token}")] if token else []


def _error(failed: Any) -> BefriendError:
    return read_error(failed.code().name, failed.details() or "", failed.initial_metadata(), failed.trailing_metadata())


class AsyncClient:
    """A client of befriend for asyncio; it belongs to one event loop.

    `address` is "host:port", or "https://host:port" for TLS. An app proves itself by `client_id` and
    `client_secret`, for which the client gets tokens and renews them; an operator by `token`.

        async with AsyncClient("127.0.0.1:50051", client_id="…", client_secret="…") as client:
            await client.friends.add_friend(owner="alice", friend="bob")
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
        from . import _aio_services as _services

        target, tls = target_of(address)
        if tls:
            channel = grpc.aio.secure_channel(target, channel_credentials(root_certificates, certificate), options=OPTIONS)
        else:
            channel = grpc.aio.insecure_channel(target, options=OPTIONS)
        self._caller = AsyncCaller(channel, Credentials(client_id, client_secret, token))
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

    async def close(self) -> None:
        """Closes the connection. Calls that are under way fail."""
        await self._caller.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
