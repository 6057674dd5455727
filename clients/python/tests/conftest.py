"""What several files of tests use."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from scripted import Scripted


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    handler = Scripted()
    server = grpc.server(ThreadPoolExecutor(4), handlers=[handler])
    handler.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield handler
    server.stop(None).wait()
