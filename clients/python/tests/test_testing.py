"""The befriend of `befriend.testing`: for each its own, and gone with who started it; and the examples on it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

import befriend
from befriend import errors
from befriend.testing import STOP_TIMEOUT, App, start

CLIENTS = Path(__file__).resolve().parents[2]

KILLED = """
import befriend.testing, os, signal
server = befriend.testing.start()
print(server.said["pid"], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def until_gone(pid: int) -> None:
    end = time.monotonic() + 30
    while is_running(pid):
        assert time.monotonic() < end, f"{pid} is still there"
        time.sleep(0.01)


def test_users_are_made_in_one_call_and_apps_know_nothing_of_each_other(befriend: App) -> None:
    assert befriend.users("alice", "bob") == ["alice", "bob"]
    with start() as other:
        with pytest.raises(errors.UserNotFound):
            other.app.client.users.get_user(username="alice")
        pid = other.said["pid"]
    assert not is_running(pid)


def test_a_start_with_settings_that_are_refused_says_what_befriend_said() -> None:
    with pytest.raises(RuntimeError, match="--data-dir"):
        start(arguments=["--data-dir", "/nowhere"])


def test_variables_of_this_process_are_no_settings_of_the_test_befriend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    monkeypatch.setenv("BEFRIEND_LISTEN", "nonsense")
    with start() as server:
        assert server.version == befriend_version(server.url)


def befriend_version(url: str) -> str:
    # The package and the service are released together.
    from importlib.metadata import version

    assert url.startswith("http://127.0.0.1:")
    return version(befriend.__name__)


def test_a_killed_test_run_takes_its_befriend_along() -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, check=False)
    assert killed.returncode < 0
    until_gone(int(killed.stdout))


def test_an_end_is_quick_while_a_child_holds_the_pipe() -> None:
    server = start()
    pipe = server._process.stdin
    assert pipe is not None
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[pipe.fileno()])
    begun = time.monotonic()
    server.close()
    assert time.monotonic() - begun < STOP_TIMEOUT / 2 and not is_running(server.said["pid"])
    child.communicate(b"\n")


def test_the_samples_of_the_readme_are_python() -> None:
    samples = re.findall("```python\n(.*?)```", (CLIENTS / "python/README.md").read_text(), re.DOTALL)
    assert len(samples) > 2
    for sample in samples:
        compile(sample, "README.md", "exec")


def test_the_package_has_the_text_of_its_licence() -> None:
    [licence] = [path for path in metadata.files("befriend") or () if path.name == "LICENSE"]
    whole = (CLIENTS.parent / "LICENSE").read_text()
    assert licence.read_text() == (CLIENTS / "python/LICENSE").read_text() == whole


def test_the_example_in_python_tells_its_story() -> None:
    with start() as server:
        script = CLIENTS / "python/examples/story.py"
        arguments = [server.address, server.app.client_id, server.app.client_secret]
        told = subprocess.run([sys.executable, script, *arguments], stdout=subprocess.PIPE, check=True, text=True)
    assert told.stdout.splitlines() == [
        "alice has the friend bob, from the gym",
        "alice's copy has bob",
        "alice and bob: friends True, blocked True",
        "alice and carol: friends False, blocked False",
        "refused: NOT_FRIENDS",
        "a callback: friend.added, alice and bob",
        "a forged callback: refused",
    ]


def test_the_example_in_shell_tells_the_same_story() -> None:
    with start() as server:
        arguments = [server.address, server.app.client_id, server.app.client_secret]
        script = CLIENTS / "examples/story.sh"
        told = subprocess.run([script, *arguments], stdout=subprocess.PIPE, check=True, text=True).stdout
    *answers, callback, contacts = told.splitlines()
    made, added, remarked, listed, watched, blocked, checked = map(json.loads, answers)
    assert [entry["remark"] for entry in listed["entries"]] == ["from the gym"]
    assert [change["upserted"]["username"] for change in watched["changes"]] == ["bob"]
    assert [one.get("blockedBy", False) for one in checked["relations"]] == [True, False]
    assert callback.startswith('verified: {"type":"friend.added"')
    assert json.loads(contacts)["data"] == ["bob"]
