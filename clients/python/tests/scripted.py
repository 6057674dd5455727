"""A service that answers by a script: a live befriend fails only when something is wrong with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from befriend.v1 import friend_service_pb2, token_service_pb2, user_service_pb2

OK = friend_service_pb2.AddFriendResponse().SerializeToString()
MADE = user_service_pb2.CreateUserResponse().SerializeToString()

#: The answers of a method, in this order: an error, or a message; of a watch a list of them for each stream.
Answers = list[Any]


class Refusal(Exception):
    """An error as befriend sends it."""

    def __init__(self, code: grpc.StatusCode, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        info = error_details_pb2.ErrorInfo(reason=reason, domain="befriend.v1")
        details = [info]
        if retry_after is not None:
            delay = Duration(nanos=int(retry_after * 1e9))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        packed = []
        for detail in details:
            packed.append(Packed())
            packed[-1].Pack(detail)
        self.code = code
        self.status = status_pb2.Status(code=code.value[0], message=reason, details=packed)

    def send(self, context: Any) -> None:
        """Ends the call with this error, of which the service's own have a reason."""
        if str(self):
            context.set_trailing_metadata([("grpc-status-details-bin", self.status.SerializeToString())])
        context.abort(self.code, str(self))


UNAVAILABLE = Refusal(grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", 0.2)
CONFLICT = Refusal(grpc.StatusCode.ABORTED, "CONFLICT")
UNAUTHENTICATED = Refusal(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
RATE_LIMITED = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED", 0.2)
FULL = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "FRIEND_LIMIT_EXCEEDED")


class Scripted(grpc.GenericRpcHandler):
    """Answers by a script: a live befriend fails only when something is wrong with it."""

    def __init__(self) -> None:
        self.answers: dict[str, Answers] = {}
        self.calls: list[tuple[str, str]] = []
        self.address = ""

    def service(self, details: Any) -> Any:
        name = details.method.rpartition("/")[2]

        def answer(request: bytes, context: Any) -> bytes:
            sent = dict(context.invocation_metadata())
            self.calls.append((name, sent.get("authorization", "")))
            if name == "IssueToken" and name not in self.answers:
                return token(f"token-{sum(called == name for called, _ in self.calls)}", 3600)
            found = self.answers[name].pop(0)
            if isinstance(found, threading.Event):
                found.wait(60)
                return OK
            if isinstance(found, Refusal):
                found.send(context)
            return bytes(found)

        def stream(request: bytes, context: Any) -> Iterator[bytes]:
            since = friend_service_pb2.WatchFriendsRequest.FromString(request).since_version
            self.calls.append((name, str(since)))
            for one in self.answers[name].pop(0):
                if isinstance(one, Refusal):
                    one.send(context)
                if isinstance(one, threading.Event):
                    one.wait(60)
                else:
                    yield one

        if name.startswith("Watch"):
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(answer)

    def called(self, name: str) -> int:
        return sum(called == name for called, _ in self.calls)


def token(value: str, seconds: int) -> bytes:
    answer = token_service_pb2.IssueTokenResponse(access_token=value, expires_in=Duration(seconds=seconds))
    return answer.SerializeToString()
