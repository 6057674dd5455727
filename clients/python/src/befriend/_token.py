"""The token that calls carry: one that was given, or one that is got for the app's credentials and renewed."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ._method import Method
from .v1 import token_service_pb2

#: How long before its end a token is renewed, in seconds; for short-lived ones a tenth of their life.
EARLY = 60.0

ISSUE = Method(
    "/befriend.v1.TokenService/IssueToken",
    token_service_pb2.IssueTokenRequest,
    token_service_pb2.IssueTokenResponse,
)


@dataclass(frozen=True)
class Credentials:
    """What an app proves itself with; or a token, of an app or an operator, that is used as it is."""

    client_id: str = ""
    client_secret: str = ""
    token: str = ""

    def __post_init__(self) -> None:
        if bool(self.token) == bool(self.client_id and self.client_secret):
            raise ValueError("give either a token, or both client_id and client_secret")

    def request(self) -> token_service_pb2.IssueTokenRequest:
        """The request for a token."""
        return token_service_pb2.IssueTokenRequest(client_id=self.client_id, client_secret=self.client_secret)

    def __repr__(self) -> str:
        return f"Credentials(client_id={self.client_id!r}, …)"


class Token:
    """The current token; empty if one has to be got."""

    def __init__(self, credentials: Credentials) -> None:
        self._value = credentials.token
        self._renew_at = float("inf") if credentials.token else 0.0
        self.renewable = not credentials.token

    def current(self) -> str:
        """The token, if it is still good."""
        return self._value if time.monotonic() < self._renew_at else ""

    def set(self, issued: token_service_pb2.IssueTokenResponse) -> str:
        """Takes a new token."""
        life = issued.expires_in.ToTimedelta().total_seconds()
        self._value = issued.access_token
        self._renew_at = time.monotonic() + life - min(EARLY, life / 10)
        return self._value

    def refused(self, value: str) -> None:
        """The service does not accept this token any more."""
        if self.renewable and self._value == value:
            self._value = ""
            self._renew_at = 0.0
