"""A befriend for tests: the real service, from the program `befriend`, gone with the tests.

With pytest the fixture `befriend` is there without an import; `start` is for everything else.

    with befriend.testing.start() as server:
        app = server.new_app()
        app.users("alice", "bob")
        app.client.friends.add_friend(owner="alice", friend="bob")
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Sequence
from functools import cached_property
from types import TracebackType
from typing import Any

from .._aio import AsyncClient
from .._sync import Client

#: How long a start may take, in seconds: a little longer than befriend itself allows.
START_TIMEOUT = 100.0

#: How long the end may take, in seconds.
STOP_TIMEOUT = 20.0

#: The limit of names in one call that makes users.
_BATCH = 60


class App:
    """An app of a server: its credentials, and a client that uses them."""

    def __init__(self, address: str, app_key: str, client_id: str, client_secret: str) -> None:
        self.address = address
        self.app_key = app_key
        self.client_id = client_id
        self.client_secret = client_secret

    @cached_property
    def client(self) -> Client:
        """A client of the app."""
        return Client(self.address, client_id=self.client_id, client_secret=self.client_secret)

    def async_client(self) -> AsyncClient:
        """A new client of the app for asyncio, which the caller closes."""
        return AsyncClient(self.address, client_id=self.client_id, client_secret=self.client_secret)

    def users(self, *usernames: str) -> list[str]:
        """Makes users, and returns their names."""
        for begin in range(0, len(usernames), _BATCH):
            some = usernames[begin : begin + _BATCH]
            self.client.users.batch_create_users(users=[{"username": name} for name in some])
        return list(usernames)

    def close(self) -> None:
        """Closes the client, if there is one."""
        if "client" in self.__dict__:
            self.client.close()


class Server:
    """A running befriend. It ends with `close`, at the end of `with`, and with this process."""

    def __init__(self, process: subprocess.Popen[bytes], said: dict[str, Any]) -> None:
        self._process = process
        #: What befriend has said of itself.
        self.said = said
        #: "127.0.0.1:40519".
        self.address: str = said["address"]
        #: "http://127.0.0.1:40519", for the HTTP APIs.
        self.url: str = said["url"]
        self.version: str = said["version"]
        self.operator_token: str = said["operator_token"]
        made = said["app"]
        #: The app that was made with the server.
        self.app = App(self.address, made["app_key"], made["client_id"], made["client_secret"])

    @cached_property
    def operator(self) -> Client:
        """A client of the operator."""
        return Client(self.address, token=self.operator_token)

    def new_app(self) -> App:
        """A new app without users, of which no other test knows."""
        app_key = f"test#{uuid.uuid4().hex}"
        created = self.operator.apps.create_app(app_key=app_key, limits={"requests_per_second": 1_000_000})
        return App(self.address, app_key, created.app.client_id, created.client_secret)

    def close(self) -> None:
        """Ends befriend, and waits until nothing is left of it."""
        self.app.close()
        if "operator" in self.__dict__:
            self.operator.close()
        _stop(self._process)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start(*, binary: str | None = None, database_url: str | None = None, arguments: Sequence[str] = ()) -> Server:
    """Starts a befriend and waits until it takes calls: less than a second, some seconds at the first start.

    `binary` is the program, otherwise the one that BEFRIEND_BINARY names, or `befriend` on the PATH. With
    `database_url` the database is made on that server, else on a private Postgres from the programs of this
    machine. `arguments` are further flags of `befriend serve`. Variables of this process that are settings of
    befriend have no effect, nor has DATABASE_URL.
    """
    program = binary or os.environ.get("BEFRIEND_BINARY") or shutil.which("befriend")
    if not program:
        raise RuntimeError("there is no program `befriend` on the PATH; install it, or name it in BEFRIEND_BINARY")
    settings = ("BEFRIEND_", "DATABASE_URL")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(settings)}
    if database_url is not None:
        environment["DATABASE_URL"] = database_url
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [program, "serve", "--ephemeral", *arguments],
            # befriend ends when this pipe ends, as it does with this process.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
        )
        try:
            line = _first_line(process)
            return Server(process, json.loads(line))
        except BaseException as error:
            _stop(process)
            if not isinstance(error, (ValueError, TimeoutError)):
                raise
            log.seek(0)
            said = log.read().decode(errors="replace")[-4000:].strip()
            raise RuntimeError(f"{program} serve --ephemeral did not start ({error}); it said:\n{said}") from None


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    end = time.monotonic() + START_TIMEOUT
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(end - time.monotonic(), 0))
        if not ready:
            raise TimeoutError(f"nothing came for {START_TIMEOUT:.0f} s")
        some = os.read(process.stdout.fileno(), 65536)
        if not some:
            raise ValueError("it ended")
        line += some
    return line


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    # A child that was forked from this process may hold the pipe as well.
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
