"""A method of the API, and what may be done when a call of it fails."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from ._error import BefriendError

Request = TypeVar("Request", contravariant=True)
Response = TypeVar("Response", covariant=True)

#: How long a stream of a watch lives, in seconds, unless something is wrong.
LIVED = 1.0


@dataclass(frozen=True)
class Method(Generic[Request, Response]):
    """A method: its path, and the messages that it takes and returns."""

    path: str
    request: type[Request]
    response: type[Response]


@dataclass(frozen=True)
class Policy:
    """How long calls of a method may take, in seconds, and how they are repeated."""

    #: The time for all attempts together; `None` for a stream.
    timeout: float | None
    max_attempts: int
    initial_backoff: float
    max_backoff: float
    multiplier: float
    #: The codes after which the call is repeated.
    codes: frozenset[str]

    def backoff(self, attempt: int) -> float:
        """The pause after the `attempt`th attempt: at random up to a bound that grows, so that callers who failed
        together do not come back together."""
        bound = min(self.initial_backoff * self.multiplier ** min(attempt - 1, 64), self.max_backoff)
        return bound * random.uniform(0.5, 1)


@cache
def policies() -> dict[str, Policy]:
    """The policy of each path, from the service config of this package."""
    config = json.loads((files("befriend") / "service-config.json").read_text())
    found = {}
    for entry in config["methodConfig"]:
        retry = entry["retryPolicy"]
        policy = Policy(
            timeout=_seconds(entry["timeout"]) if "timeout" in entry else None,
            max_attempts=retry["maxAttempts"],
            initial_backoff=_seconds(retry["initialBackoff"]),
            max_backoff=_seconds(retry["maxBackoff"]),
            multiplier=retry["backoffMultiplier"],
            codes=frozenset(retry["retryableStatusCodes"]),
        )
        for name in entry["name"]:
            found[f"/{name['service']}/{name['method']}"] = policy
    return found


def _seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def closed() -> BefriendError:
    """The error of a call whose client is closed."""
    from ._error import read_error

    return read_error("CANCELLED", "the client is closed")


def late() -> BefriendError:
    """The error of a call whose time was over before it was sent."""
    from . import errors

    return errors.DeadlineExceeded("the time of the call was over before it was sent", code="DEADLINE_EXCEEDED")


class Attempts:
    """The attempts of one call."""

    def __init__(self, method: Method[Any, Any], timeout: float | None, *, repeatable: bool = False) -> None:
        self.policy = policies()[method.path]
        timeout = self.policy.timeout if timeout is None else timeout
        self._end = None if timeout is None else time.monotonic() + timeout
        self._codes = self.policy.codes | ({"UNAVAILABLE"} if repeatable else set())
        self._made = 0
        self._token_renewed = False

    def time_left(self) -> float | None:
        """How long the call may still take; `None` if it has no end."""
        return None if self._end is None else max(self._end - time.monotonic(), 0.001)

    def check(self) -> None:
        """Raises DeadlineExceeded if no time is left."""
        if self._end is not None and time.monotonic() >= self._end:
            raise late()

    def pause_after(self, error: BefriendError, *, can_renew_token: bool) -> float:
        """How long to wait before the next attempt. Raises `error` if there is none: because it would not help,
        because the call may have been done and must not be done twice, or because no time is left."""
        self._made += 1
        if error.reason == "UNAUTHENTICATED" and can_renew_token and not self._token_renewed:
            self._token_renewed = True
            return 0
        # The service has refused the call before it did anything.
        refused = error.reason == "RATE_LIMITED"
        if self._made >= self.policy.max_attempts or not (refused or error.code in self._codes):
            raise error
        pause = max(self.policy.backoff(self._made), error.retry_after or 0)
        left = self.time_left()
        if left is not None and pause >= left:
            raise error
        return pause


class Watching:
    """When a watch goes on after a stream has ended."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._failures = 0
        self._token_renewed = False
        self._begun = time.monotonic()

    def begin(self) -> None:
        """A stream begins."""
        self._begun = time.monotonic()

    def pause_after(self, error: BefriendError | None, *, can_renew_token: bool) -> float:
        """How long to wait before the next stream, after one that ended with `error`, or in order. Raises `error` if
        no stream would help."""
        lived = time.monotonic() - self._begun >= LIVED
        if lived:
            # What failed before is over. A first message does not say so: it may come with every stream that ends.
            self._failures = 0
            self._token_renewed = False
        if error is None:
            if lived:
                return 0
        elif error.reason == "UNAUTHENTICATED" and can_renew_token and not self._token_renewed:
            self._token_renewed = True
            return 0
        elif not _goes_on(error):
            raise error
        self._failures += 1
        pause = self._policy.backoff(self._failures)
        return pause if error is None else max(pause, error.retry_after or 0)


def _goes_on(error: BefriendError) -> bool:
    # An INTERNAL without a reason is no answer of the service: proxies make it of a stream that they reset.
    cut = error.code == "INTERNAL" and not error.reason
    transient = error.code in ("UNAVAILABLE", "ABORTED", "CANCELLED", "UNKNOWN", "DEADLINE_EXCEEDED")
    return cut or transient or error.reason == "RATE_LIMITED"
