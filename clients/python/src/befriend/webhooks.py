"""Callbacks: whether they come from befriend. The signatures are those of Standard Webhooks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

#: How far the time of a signature may be from now, in seconds.
TOLERANCE = 300.0

_PREFIX = "whsec_"
_DIGITS = 15


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

    Raises VerificationError for a callback that may not be trusted, and ValueError for a secret that is none.

    An event may arrive more than once: remember the header `webhook-id` of those that you have processed.
    """
    secrets = [secret] if isinstance(secret, str) else list(secret)
    keys = [_key(one) for one in secrets]
    if not keys:
        raise ValueError("there is no secret to verify callbacks with")
    wanted = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp = wanted["webhook-id"], wanted["webhook-timestamp"]
        signatures = wanted["webhook-signature"].split(" ")
    except KeyError as missing:
        raise VerificationError(f"there is no header {missing}") from None
    # So few digits are a number that can be reckoned with.
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _DIGITS):
        raise VerificationError("webhook-timestamp is no number of seconds")
    made_at = int(timestamp)
    if abs((time.time() if now is None else now) - made_at) > tolerance:
        raise VerificationError("webhook-timestamp is too far from now")
    signed = _bytes(f"{message_id}.{timestamp}.") + body
    expected = [_sign(key, signed) for key in keys]
    if not any([hmac.compare_digest(one, _bytes(given)) for one in expected for given in signatures]):
        raise VerificationError("no signature is one of this secret")
    try:
        return json.loads(body)
    except ValueError:
        raise VerificationError("the body is not JSON") from None


def _key(secret: str) -> bytes:
    """The key of a secret. An empty one would let anybody sign."""
    if not secret.startswith(_PREFIX):
        raise ValueError(f"the secret does not begin with {_PREFIX}: give the callback rule's secret as it was shown")
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"the secret has no base64 behind {_PREFIX}") from None
    if not key:
        raise ValueError(f"the secret is empty behind {_PREFIX}")
    return key


def _bytes(header: str) -> bytes:
    # Some servers hand over bytes that are not UTF-8 as surrogates. No signature has them.
    return header.encode(errors="surrogatepass")


def _sign(key: bytes, signed: bytes) -> bytes:
    return b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
