from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import httpx
import pytest

from agentdog.base.errors import GuardUnavailable
from agentdog.demo.runs import run_all
from agentdog.service.settings import Settings, load_settings
from agentdog.service.supervisor import _check_beforehand
from tests.support.tree import SECONDS, alive, descendants, linux_only, ready, up
from tests.support.waiting import until


def judged(settings: Settings) -> dict[str, str]:
    page = httpx.get(f"{settings.api_url}/api/v1/trajectories").json()
    return {item["id"]: item["verdict"] for item in page["items"] if item["verdict"] != "pending"}


@linux_only
@pytest.mark.slow
def test_kill_9_of_the_supervisor_leaves_nothing_behind_and_loses_nothing(settings: Settings) -> None:
    with up(settings) as process:
        until(lambda: ready(settings))
        run_all(settings.otlp_endpoint)
        until(lambda: len(judged(settings)) == 2)
        before = judged(settings)
        tree = descendants(process.pid)
        assert len(tree) >= 4
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        until(lambda: not any(alive(pid) for pid in tree))
    with up(settings):
        until(lambda: ready(settings))
        assert judged(settings) == before


@linux_only
@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_everything_in_order(settings: Settings, how: signal.Signals) -> None:
    with up(settings) as process:
        until(lambda: ready(settings))
        tree = descendants(process.pid)
        process.send_signal(how)
        assert process.wait(SECONDS) == 0
        assert not any(alive(pid) for pid in tree)
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


@linux_only
@pytest.mark.slow
def test_a_part_that_dies_is_started_again(settings: Settings) -> None:
    with up(settings) as process:
        until(lambda: ready(settings))
        servers = [pid for pid in descendants(process.pid) if _command(pid).endswith(("serve", "worker", "valkey"))]
        assert len(servers) == 3
        for pid in servers:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not any(alive(pid) for pid in servers))
        until(lambda: ready(settings))
        run_all(settings.otlp_endpoint)
        until(lambda: len(judged(settings)) == 2)


@linux_only
@pytest.mark.slow
def test_a_part_that_lives_but_does_nothing_is_replaced(settings: Settings) -> None:
    """Worker and receiver are stopped with work in their hands: it is taken over, and the tree is whole again."""
    limits = settings.limits.model_copy(update={"stall_s": 12.0})
    worker = settings.worker.model_copy(update={"lease_s": 2.0})
    hasty = settings.model_copy(update={"limits": limits, "worker": worker})
    with up(hasty) as process:
        until(lambda: ready(hasty))
        run_all(hasty.otlp_endpoint)
        parts = {_command(pid): pid for pid in descendants(process.pid)}
        os.kill(parts["worker"], signal.SIGSTOP)
        run_all(hasty.otlp_endpoint)
        until(lambda: not alive(parts["worker"]), "the worker hangs on")
        until(lambda: len(judged(hasty)) == 4)
        os.kill(parts["serve"], signal.SIGSTOP)
        until(lambda: not alive(parts["serve"]), "the receiver hangs on")
        until(lambda: ready(hasty))
        assert alive(process.pid)


def _command(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    if b"valkey-server" in words[0]:
        return "valkey"
    return (words[3] if words[1:3] == [b"-m", b"agentdog"] else words[0]).decode()


def test_a_port_in_use_is_said_before_anything_starts(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", settings.api.port)), up(settings) as process:
        assert process.wait(SECONDS) == 2
        assert process.stderr is not None
        said = process.stderr.read().decode()
        assert f"127.0.0.1:{settings.api.port}" in said
        assert "AGENTDOG_API__PORT" in said
        assert not (settings.data / "store").exists()


def test_a_pack_of_the_users_folder_is_known_before_anything_starts(settings: Settings) -> None:
    folder = settings.data / "packs"
    folder.mkdir(parents=True)
    uri = "server:http://127.0.0.1:1/v1?model=m&pack="
    (folder / "mine.yaml").write_text("name: mine\nextends: generic\n")
    known, unknown = (
        settings.model_copy(update={"guard": settings.guard.model_copy(update={"uri": uri + name})})
        for name in ("mine", "yours")
    )
    asyncio.run(_check_beforehand(known, with_dashboard=False))
    with pytest.raises(GuardUnavailable, match="no pack 'yours'"):
        asyncio.run(_check_beforehand(unknown, with_dashboard=False))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"redis": {"url": "redis://127.0.0.1:1/0"}}, "AGENTDOG_REDIS__URL"),
        ({"guard": {"uri": "oracle:delphi"}}, "oracle"),
    ],
)
def test_what_no_start_can_mend_is_said_before_anything_starts(
    settings: Settings, setting: dict[str, dict[str, str]], said: str
) -> None:
    changed = load_settings(data=settings.data, **setting)
    with up(changed) as process:
        assert process.wait(SECONDS) == 2
        assert process.stderr is not None
        words = process.stderr.read().decode()
        assert said in words
        assert words.count("\n") == 1
        assert not (settings.data / "store").exists()
