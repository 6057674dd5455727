"""Fixtures for pytest, which finds them by itself: `befriend`, an app of its own for each test, and
`befriend_server`, the server that all tests of a run share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from . import App, Server


@pytest.fixture(scope="session")
def befriend_server() -> Iterator[Server]:
    """A befriend for this run of tests, with a database that is thrown away."""
    # Here, so that runs without befriend load nothing of it.
    from . import start

    with start() as server:
        yield server


@pytest.fixture
def befriend(befriend_server: Server) -> Iterator[App]:
    """A new app for this test: `befriend.users("alice", "bob")`, `befriend.client`."""
    app = befriend_server.new_app()
    yield app
    app.close()
