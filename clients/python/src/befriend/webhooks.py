"""Callbacks: whether they come from befriend. The signatures are those of Standard Webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

#: How far the time of a signature may be from now, in seconds.
TOLERANCE = 300.0


class VerificationError(Exception):
    """A callback that may not be trusted."""


def verify(
    secret: str | Iterable[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance: float = TOLERANCE,
    now: float | None = None,
) -> Any:
    """Returns the parsed body of a callback, after a look that the secret's owner sent it lately.

    `body` has the bytes as they came. `secret` is the rule's, with "whsec_"; while it is being rotated, several.
    `now` is in seconds since 1970.

    An event may arrive more than once: remember the header `webhook-id` of those that you have processed.
    """
    wanted = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp = wanted["webhook-id"], wanted["webhook-timestamp"]
        signatures = wanted["webhook-signature"].split(" ")
        made_at = int(timestamp)
    except KeyError as missing:
        raise VerificationError(f"there is no header {missing}") from None
    except ValueError:
        raise VerificationError("webhook-timestamp is no number") from None
    if abs((time.time() if now is None else now) - made_at) > tolerance:
        raise VerificationError("webhook-timestamp is too far from now")
    signed = f"{message_id}.{timestamp}.".encode() + body
    secrets = [secret] if isinstance(secret, str) else list(secret)
    expected = [_sign(one, signed) for one in secrets]
    if not any([hmac.compare_digest(one.encode(), given.encode()) for one in expected for given in signatures]):
        raise VerificationError("no signature is one of this secret")
    try:
        return json.loads(body)
    except ValueError:
        raise VerificationError("the body is not JSON") from None


def _sign(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
