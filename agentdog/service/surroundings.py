"""Checks of ``agentdog doctor`` on what lies around the sidecar: disk, clocks, agents' exporters, servers of guards.

Each is a plain function of what it looks at; `agentdog.service.doctor` lists them.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from agentdog.base.checks import CheckResult, Status
from agentdog.guards import Guard
from agentdog.guards.cascade import Cascade
from agentdog.guards.checking import examine
from agentdog.guards.server import ServerGuard
from agentdog.service.auth import is_loopback
from agentdog.service.settings import Settings
from agentdog.spans.records import Record, Span

#: Free space of the data folder below which the store's log will soon not be written, and below which it hardly is.
_LITTLE, _NONE = 1 << 30, 64 << 20
#: A span that ended this long after now was told by another clock.
_SKEW_NS = 5_000_000_000
_ASK_S = 8.0
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def free_space(folder: Path) -> CheckResult | None:
    """Says when the data folder's disk is full, or will be soon."""
    free = shutil.disk_usage(folder).free
    if free >= _LITTLE:
        return None
    mend = "free space there, set AGENTDOG_DATA to a larger disk, or shorten AGENTDOG_RETENTION__DAYS"
    status: Status = "fail" if free < _NONE else "warn"
    what = "full: telemetry will be refused" if status == "fail" else "nearly full"
    return CheckResult(name="disk", status=status, detail=f"{folder}: {free >> 20} MiB free, {what}", mend=mend)


def clocks(records: Iterable[Record], now_ns: int) -> CheckResult:
    """Compares what spans say of their end with now: none can have ended later."""
    ahead = [(r.end_ns - now_ns, r) for r in records if isinstance(r, Span) and r.end_ns - now_ns > _SKEW_NS]
    if not ahead:
        return CheckResult(name="clocks", status="ok", detail="no sampled span ended in the future")
    by, record = max(ahead, key=lambda each: each[0])
    who = record.resource.get("host.name") or record.resource.get("service.name") or "an agent"
    detail = f"the clock of {who} is {by // 1_000_000_000} s ahead: order of steps and latencies are wrong"
    mend = "synchronise the clocks of both machines (chrony, systemd-timesyncd); runs that are stored stay as they are"
    return CheckResult(name="clocks", status="warn", detail=detail, mend=mend)


def exporter(settings: Settings, environment: Mapping[str, str]) -> CheckResult | None:
    """Looks where exporters that are started from this environment would send, where that is this machine."""
    name = next((n for n in _ENDPOINTS if environment.get(n)), None)
    if name is None:
        return None
    endpoint = environment[name]
    where = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
    if not where.hostname or not is_loopback(where.hostname):
        return None
    protocol = environment.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    ours = settings.otlp_grpc if protocol == "grpc" else settings.otlp_http
    if where.port == ours.port:
        return CheckResult(name="exporter", status="ok", detail=f"{name} is the sidecar's {protocol} port")
    right = settings.otlp_grpc_endpoint if protocol == "grpc" else settings.otlp_endpoint
    sent = f"{name} names {where.hostname}:{where.port}"
    detail = f"{sent}: the sidecar takes {protocol} on port {ours.port}, nothing would arrive"
    mend = f"export OTEL_EXPORTER_OTLP_ENDPOINT={right}"
    return CheckResult(name="exporter", status="warn", detail=detail, mend=mend)


async def abilities(guard: Guard) -> Sequence[CheckResult]:
    """Asks guard servers what they honour; only what is lacking is told. Models that would run here are left alone."""
    found: list[CheckResult] = []
    for server in _servers(guard):
        try:
            async with asyncio.timeout(_ASK_S):
                found += [each for each in await examine(server, speed=False) if each.status in ("warn", "fail")]
        except TimeoutError:
            detail = f"{server.info.name} takes longer than {_ASK_S:.0f} s to say what it can do"
            mend = "agentdog guards check URI"
            found.append(CheckResult(name="abilities", status="skip", detail=detail, mend=mend))
    return [CheckResult(name=f"guard {r.name}", status=r.status, detail=r.detail, mend=r.mend) for r in found]


def _servers(guard: Guard) -> list[ServerGuard]:
    if isinstance(guard, Cascade):
        return [server for stage in guard.stages for server in _servers(stage.guard)]
    return [guard] if isinstance(guard, ServerGuard) else []
