"""The error of a call, and how it is read from what gRPC hands over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

#: The domain of the service's own reasons.
DOMAIN = "befriend.v1"

_DETAILS: tuple[type[Message], ...] = (
    error_details_pb2.ErrorInfo,
    error_details_pb2.RetryInfo,
    error_details_pb2.BadRequest,
    error_details_pb2.ResourceInfo,
    error_details_pb2.QuotaFailure,
    error_details_pb2.PreconditionFailure,
)


class BefriendError(Exception):
    """A call that failed. `befriend.errors` has a class for each reason and for each code."""

    #: The name of the gRPC code: "NOT_FOUND".
    code: str
    #: Why: a name of `ErrorReason` without its prefix; empty if the error is not the service's own.
    reason: str
    #: What the service says, for people. Match on the reason.
    message: str
    #: What the reason is about, as {"username": "bob"}.
    metadata: dict[str, str]
    #: The standard details (google.rpc.BadRequest and others).
    details: list[Message]
    #: When to come back, in seconds, if the service says so.
    retry_after: float | None
    #: By what the service's log knows the call.
    request_id: str | None

    def __init__(
        self,
        message: str,
        *,
        code: str = "UNKNOWN",
        reason: str = "",
        metadata: dict[str, str] | None = None,
        details: Iterable[Message] = (),
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(f"{reason or code}: {message}")
        self.message, self.code, self.reason = message, code, reason
        self.metadata, self.details = metadata or {}, list(details)
        self.retry_after, self.request_id = retry_after, request_id


def read_error(code: str, message: str, *metadata: Iterable[Any] | None) -> BefriendError:
    """The error of a call with this code, from the metadata that came before and behind its answer."""
    from . import errors

    pairs: dict[str, str | bytes] = {}
    for some in metadata:
        pairs.update({key: value for key, value in some or ()})
    details = list(_read_details(pairs.get("grpc-status-details-bin")))
    reason, facts, retry_after = "", {}, None
    for detail in details:
        if isinstance(detail, error_details_pb2.ErrorInfo) and detail.domain == DOMAIN:
            reason, facts = detail.reason, dict(detail.metadata)
        elif isinstance(detail, error_details_pb2.RetryInfo):
            retry_after = detail.retry_delay.ToTimedelta().total_seconds()
    kind = errors.BY_REASON.get(reason) or errors.BY_CODE.get(code, BefriendError)
    request_id = pairs.get("x-request-id")
    return kind(
        message,
        code=code,
        reason=reason,
        metadata=facts,
        details=details,
        retry_after=retry_after,
        request_id=request_id if isinstance(request_id, str) else None,
    )


def _read_details(status: str | bytes | None) -> Iterable[Message]:
    if not isinstance(status, bytes):
        return
    try:
        packed = status_pb2.Status.FromString(status).details
    except DecodeError:
        return
    for detail in packed:
        for kind in _DETAILS:
            message = kind()
            if detail.Unpack(message):
                yield message
