from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentdog.base.checks import CheckResult
from agentdog.service import doctor
from agentdog.service.doctor import examine
from agentdog.service.patient import Patient
from agentdog.service.sending import Sending
from agentdog.service.settings import Settings, to_environment
from agentdog.service.targets import open_targets
from agentdog.store.redis_store import RedisStore
from tests.service.test_sending import SECRET, raise_alert, settings_to, work_on
from tests.support.hook_server import hook_server
from tests.support.records import batch, span
from tests.support.serving import settings_for
from tests.support.stores import play


def look(settings: Settings) -> dict[str, CheckResult]:
    return {result.name: result for result in asyncio.run(examine(settings))}


def test_a_healthy_store_is_durable_and_accounts_for_everything(server_url: str, ports: list[int]) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.append("p", batch(span(0, 0), rejected=1))
        found = {r.name: r for r in await examine(settings_for(server_url, ports))}
        assert {found[name].status for name in ("store", "durability", "accounting", "dead letters")} == {"ok"}
        assert "all of 2 records" in found["accounting"].detail
        assert "everysec" in found["durability"].detail

    play(server_url, scenario)


def test_records_that_vanished_and_units_given_up_are_found(server_url: str, ports: list[int]) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.append("p", batch(span(0, 0)))
        work: list[Any] = []
        while not work:
            work += await store.claim("w", count=8, block_ms=10)
        await store.fail(work[0], "boom", limit=1)
        names = [n for n in await store._link.one("KEYS", "ad:*") if b":records:" in n]
        await store._link.one("DEL", *names)
        found = {r.name: r for r in await examine(settings_for(server_url, ports))}
        assert (found["accounting"].status, found["dead letters"].status) == ("fail", "warn")
        assert "boom" in found["dead letters"].detail

    play(server_url, scenario)


def test_a_server_that_may_lose_spans_is_a_warning_with_the_mend(server_url: str, ports: list[int]) -> None:
    async def scenario(store: RedisStore) -> None:
        for policy, sync in (("allkeys-lru", "everysec"), ("noeviction", "no")):
            await store._link.one("CONFIG", "SET", "maxmemory-policy", policy, "appendfsync", sync)
            found = {r.name: r for r in await examine(settings_for(server_url, ports))}
            assert found["durability"].status == "warn"
            assert "CONFIG SET" in (found["durability"].mend or "")
        await store._link.one("CONFIG", "SET", "maxmemory-policy", "noeviction", "appendfsync", "everysec")

    play(server_url, scenario)


def test_a_guard_that_does_not_answer_is_a_warning(server_url: str, ports: list[int], spare_ports: list[int]) -> None:
    uri = f"server:http://127.0.0.1:{spare_ports[0]}/v1?model=m"
    found = look(settings_for(server_url, ports, guard={"uri": uri}))
    (guard,) = [r for r in found.values() if r.name.startswith("guard")]
    assert guard.status == "warn"
    assert "pack generic, own wording" in guard.detail


def test_an_outside_store_that_is_away_fails_without_hiding_the_rest(ports: list[int]) -> None:
    found = look(settings_for("redis://:secret@127.0.0.1:1", ports))
    assert found["store"].status == "fail"
    assert "redis://127.0.0.1:1: the store does not answer: " in found["store"].detail
    assert "secret" not in found["store"].detail
    assert found[f"port {ports[0]}"].status == "ok"


def test_a_port_in_use_by_others_fails_and_the_command_says_so(ports: list[int], tmp_path: Path) -> None:
    settings = settings_for("unix:///nonexistent/s", ports, data=tmp_path)
    environment = {**os.environ, **to_environment(settings)}
    with socket.create_server(("127.0.0.1", ports[1])):
        done = subprocess.run(
            [sys.executable, "-m", "agentdog", "doctor", "--json"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    found = {each["name"]: each for each in json.loads(done.stdout)}
    assert found[f"port {ports[1]}"]["status"] == "fail"
    assert "AGENTDOG_OTLP_HTTP__PORT" in found[f"port {ports[1]}"]["detail"]


def test_a_variable_that_nobody_reads_is_named_with_the_likeliest_meant_one(
    ports: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for("unix:///nonexistent/s", ports)
    monkeypatch.setenv("AGENTDOG_GUARD__URI", "embedded")
    monkeypatch.setenv("AGENTDOG_GUARD_API_KEY", "k")
    assert "settings" not in look(settings)
    monkeypatch.setenv("AGENTDOG_GUARD_URI", "server:http://127.0.0.1:8000/v1")
    found = look(settings)["settings"]
    assert (found.status, found.mend) == ("warn", "did you mean AGENTDOG_GUARD__URI?")
    assert "AGENTDOG_GUARD_URI " in found.detail


def test_a_data_folder_that_cannot_be_one_fails_with_the_mend(ports: list[int], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for data, status in ((tmp_path / "new" / "folder", "ok"), (tmp_path / "file" / "folder", "fail")):
        found = look(settings_for("unix:///nonexistent/s", ports, data=data))["data folder"]
        assert found.status == status
    assert "AGENTDOG_DATA" in (found.mend or "")


def test_a_check_that_breaks_is_a_finding_and_hides_no_other(ports: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(patient: Patient) -> Sequence[CheckResult]:
        raise KeyError("lost")

    monkeypatch.setattr(doctor, "CHECKS", (broken, *doctor.CHECKS))
    found = look(settings_for("unix:///nonexistent/s", ports))
    assert found["broken"].status == "fail"
    assert "KeyError" in found["broken"].detail
    assert found["python"].status == "ok"


def test_who_else_is_told_is_looked_at_without_telling_anybody(server_url: str, ports: list[int]) -> None:
    async def scenario(store: RedisStore) -> None:
        await raise_alert(store)
        settings = settings_for(
            server_url,
            ports,
            outbound={"webhook": {"url": received.url, "secret": SECRET}, "slack": {"url": received.url}},
        )
        found = [r for r in await examine(settings) if r.name.startswith("outbound")]
        assert [r.status for r in found] == ["fail", "fail", "ok"]
        assert "no public address" in found[0].detail
        async with open_targets(settings_to(received)) as targets:
            await work_on(store, Sending(store, targets, settings_to(received)))
        (last,) = [r for r in await examine(settings) if r.name == "outbound"]
        assert last.status == "warn"
        assert "HTTP 500" in last.detail

    with hook_server([500]) as received:
        play(server_url, scenario)
        assert len(received.requests) == 1
    assert look(settings_for(server_url, ports))["outbound"].status == "skip"


def test_lanes_that_stand_still_a_full_store_and_unequal_keys_are_found(server_url: str, ports: list[int]) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.append("p", batch(span(0, 0)))
        well = {r.name: r for r in await examine(settings_for(server_url, ports))}
        assert {well[name].status for name in ("progress", "memory", "redaction")} == {"ok"}
        await store.add_figures({("redaction_keys", "a"): 1, ("redaction_keys", "b"): 1})
        await asyncio.sleep(0.05)  # longer than nothing may happen, see `stall_s` below
        limits = {"stall_s": 0.01, "store_bytes": 1000}
        found = {r.name: r for r in await examine(settings_for(server_url, ports, limits=limits))}
        assert found["progress of weave"].status == "fail"
        assert "1 wait to be woven" in found["progress of weave"].detail
        assert "refused" in found["memory"].detail
        assert "2 keys" in found["redaction"].detail
        plain = {r.name: r for r in await examine(settings_for(server_url, ports, redaction={"secrets": False}))}
        assert plain["redaction"].status == "warn"

    play(server_url, scenario)
