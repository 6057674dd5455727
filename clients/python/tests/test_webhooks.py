"""Callbacks: one that befriend sends is taken, and one that was changed, is old, or is another's is not."""

from __future__ import annotations

import base64
import hmac
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from befriend import webhooks
from befriend.testing import App, Server

Callback = tuple[dict[str, str], bytes]

# The sample of docs/callbacks.md.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HEADERS = {
    "Webhook-Id": "evt_69f101dc9c2a0c184c2b02f27f5252ff_7",
    "webhook-timestamp": "1795262400",
    "webhook-signature": "v1,A/c+XkOVBe568Um32oeb8nR2Wof5hrTS9uEU3hkQd9s=",
}
BODY = (
    b'{"type":"friend.added","timestamp":"2026-11-21T12:00:00.123Z",'
    b'"data":{"app":"acme#chat","owner":"alice","friend":"bob","version":7}}'
)


@pytest.fixture
def received() -> Iterator[tuple[str, queue.Queue[Callback]]]:
    callbacks: queue.Queue[Callback] = queue.Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            callbacks.put((dict(self.headers.items()), body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", callbacks
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_callback_of_a_live_befriend_is_verified(
    befriend_server: Server, befriend: App, received: tuple[str, queue.Queue[Callback]]
) -> None:
    url, callbacks = received
    made = befriend_server.operator.callback_rules.create_callback_rule(app_key=befriend.app_key, url=url)
    befriend.users("alice", "bob")
    befriend.client.friends.add_friend(owner="alice", friend="bob")
    headers, body = callbacks.get(timeout=30)
    event = webhooks.verify(made.signing_secret, headers, body)
    assert (event["type"], event["data"]["owner"], event["data"]["friend"]) == ("friend.added", "alice", "bob")
    # While a secret is being rotated, the receiver may know both.
    assert webhooks.verify([SECRET, made.signing_secret], headers, body) == event
    with pytest.raises(webhooks.VerificationError, match="signature"):
        webhooks.verify(SECRET, headers, body)


def test_the_documented_sample_is_verified_at_its_time() -> None:
    assert webhooks.verify(SECRET, HEADERS, BODY, now=1795262400)["data"]["friend"] == "bob"


@pytest.mark.parametrize(
    ("changed", "body", "now", "why"),
    [
        ({}, BODY.replace(b"bob", b"eve"), 1795262400, "signature"),
        ({"Webhook-Id": "evt_other"}, BODY, 1795262400, "signature"),
        ({"webhook-signature": "v1,AAAA v2,xxx"}, BODY, 1795262400, "signature"),
        ({}, BODY, 1795262400 + 301, "too far"),
        ({}, BODY, 1795262400 - 301, "too far"),
        ({"webhook-timestamp": "soon"}, BODY, 1795262400, "no number"),
        ({"webhook-timestamp": "9" * 400}, BODY, 1795262400, "no number"),
        ({"webhook-timestamp": "9" * 5000}, BODY, 1795262400, "no number"),
        ({"webhook-timestamp": "-1795262400"}, BODY, 1795262400, "no number"),
        ({"webhook-timestamp": "1_795_262_400"}, BODY, 1795262400, "no number"),
        ({"webhook-signature": "v1,\udcff"}, BODY, 1795262400, "signature"),
        ({"webhook-signature": "v1,\ud800"}, BODY, 1795262400, "signature"),
        ({"webhook-signature": ""}, BODY, 1795262400, "signature"),
        ({"Webhook-Id": "\udcff"}, BODY, 1795262400, "signature"),
    ],
)
def test_what_was_changed_or_is_old_is_refused(changed: dict[str, str], body: bytes, now: float, why: str) -> None:
    with pytest.raises(webhooks.VerificationError, match=why):
        webhooks.verify(SECRET, HEADERS | changed, body, now=now)


def test_a_header_that_is_missing_is_named() -> None:
    with pytest.raises(webhooks.VerificationError, match="webhook-id"):
        webhooks.verify(SECRET, {}, BODY)


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("", "begin with whsec_"),
        (SECRET.removeprefix("whsec_"), "begin with whsec_"),
        ("whsec_", "empty"),
        ("whsec_not base64", "base64"),
        ("whsec_MfK", "base64"),
        ("whsec_ключ", "base64"),
        ([SECRET, ""], "begin with whsec_"),
        ([], "no secret"),
    ],
)
def test_a_secret_that_is_none_is_told_and_signs_nothing(secret: str | list[str], why: str) -> None:
    # What anybody could have signed with an empty key.
    signed = f'{HEADERS["Webhook-Id"]}.{HEADERS["webhook-timestamp"]}.'.encode() + BODY
    forged = "v1," + base64.b64encode(hmac.digest(b"", signed, "sha256")).decode()
    with pytest.raises(ValueError, match=why):
        webhooks.verify(secret, HEADERS | {"webhook-signature": forged}, BODY, now=1795262400)
