"""``agentdog doctor``: what is wrong, and what mends it. A registry of checks; each looks, none changes anything.

A check takes the `Patient` and returns its findings; one that fails to look is itself a finding, so that a broken part
never hides the others.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import httpx
import msgspec

from agentdog.base.checks import CheckResult
from agentdog.base.clock import SystemClock
from agentdog.base.errors import AgentDogError, GuardUnavailable, OutsideError, StoreUnavailable, UsageError
from agentdog.guards import Guard, factory
from agentdog.service import dashboard, ports, stores, surroundings
from agentdog.service.alerting import Alerts
from agentdog.service.api.operations import SAMPLED_UNITS
from agentdog.service.auth import check_exposure
from agentdog.service.progress import stalls
from agentdog.service.settings import Settings, unknown_variables
from agentdog.service.targets import open_targets
from agentdog.spans import content_stats
from agentdog.store.contract import Store
from agentdog.store.embedded import binary, running_url
from agentdog.store.link import shown
from agentdog.store.server_info import UNKNOWN, budget

_ASK_S = 5.0


class Patient(msgspec.Struct, frozen=True):
    """What checks look at; `store` is absent when none answers, and `trouble` says why."""

    settings: Settings
    store: Store | None
    trouble: str = ""


Check = Callable[[Patient], Awaitable[Sequence[CheckResult]]]


async def examine(settings: Settings) -> Sequence[CheckResult]:
    """Runs every check and returns all findings, in the registry's order."""
    async with _patient(settings) as patient:
        answers = [await _looked(check, patient) for check in CHECKS]
    return tuple(result for results in answers for result in results)


async def _looked(check: Check, patient: Patient) -> Sequence[CheckResult]:
    name = getattr(check, "__name__", "check")
    try:
        async with asyncio.timeout(_ASK_S * 2):
            return await check(patient)
    except TimeoutError:
        return (CheckResult(name=name, status="fail", detail="no answer in time"),)
    except AgentDogError as error:
        return (CheckResult(name=name, status="fail", detail=str(error)),)
    except Exception as error:  # whatever it is, the other checks still have something to say
        detail = f"could not look: {type(error).__name__}: {error}"
        return (CheckResult(name=name, status="fail", detail=detail, mend="a defect of ours: please report it"),)


@asynccontextmanager
async def _patient(settings: Settings) -> AsyncIterator[Patient]:
    url = settings.redis.url or running_url(settings.data)
    store = stores.connect(settings, url)
    try:
        await store.ping()
        yield Patient(settings, store)
    except StoreUnavailable as error:
        yield Patient(settings, None, str(error))
    finally:
        await store.close()


async def python(patient: Patient) -> Sequence[CheckResult]:
    """The interpreter and the optional parts."""
    results = [CheckResult(name="python", status="ok", detail=f"{platform.python_version()} at {sys.executable}")]
    if dashboard.installed():
        results.append(CheckResult(name="extra ui", status="ok", detail="Streamlit is installed"))
    else:
        results.append(
            CheckResult(name="extra ui", status="skip", detail="not installed: no dashboard", mend=dashboard.REMEDY)
        )
    local = importlib.util.find_spec("transformers") is not None
    detail = (
        "transformers is installed" if local else "not installed: no guard inside this process but the embedded one"
    )
    results.append(CheckResult(name="extra local", status="ok" if local else "skip", detail=detail))
    return results


async def variables(patient: Patient) -> Sequence[CheckResult]:
    """Variables that were meant for us and are read by nobody, like one with a single underscore for two."""
    return tuple(
        CheckResult(
            name="settings",
            status="warn",
            detail=f"{name} is no setting: it has no effect",
            mend=f"did you mean {meant}?" if meant else "the settings are listed in docs/settings.md",
        )
        for name, meant in unknown_variables(os.environ).items()
    )


async def folder(patient: Patient) -> Sequence[CheckResult]:
    """Whether the data folder can be made or used."""
    data = patient.settings.data
    nearest = next(path for path in (data.absolute(), *data.absolute().parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
        space = surroundings.free_space(nearest)
        return (CheckResult(name="data folder", status="ok", detail=str(data)), *([space] if space else ()))
    why = "may not be written" if nearest.is_dir() else "is not a folder"
    mend = "set AGENTDOG_DATA to a folder of yours"
    return (CheckResult(name="data folder", status="fail", detail=f"{data}: {nearest} {why}", mend=mend),)


async def store(patient: Patient) -> Sequence[CheckResult]:
    """Whether the store answers."""
    url = patient.settings.redis.url
    if patient.store is not None:
        said = await patient.store.ping()
        where = shown(url) if url else f"bundled, in {patient.settings.data}"
        return (CheckResult(name="store", status="ok", detail=f"{said['server']} {said['version']}, {where}"),)
    if url is not None:
        mend = "start it, correct AGENTDOG_REDIS__URL, or unset it to use the bundled server"
        return (CheckResult(name="store", status="fail", detail=f"{shown(url)}: {patient.trouble}", mend=mend),)
    try:
        detail = f"the bundled server is not running ({binary().name} is there)"
        return (CheckResult(name="store", status="skip", detail=detail, mend="agentdog up"),)
    except OutsideError as error:
        return (CheckResult(name="store", status="fail", detail=str(error)),)


async def durability(patient: Patient) -> Sequence[CheckResult]:
    """Whether the server can lose what it has acknowledged."""
    if patient.store is None:
        return ()
    said = await patient.store.ping()
    findings = []
    if not said["aof_enabled"]:
        findings.append(("no append-only file: a crash loses acknowledged spans", "CONFIG SET appendonly yes"))
    elif said["appendfsync"] == "no":
        findings.append(("appendfsync no: a crash loses acknowledged spans", "CONFIG SET appendfsync always"))
    if not said["aof_last_write_ok"]:
        findings.append(("the last write to the append-only file failed", "free space on the server's disk"))
    if said["maxmemory_policy"] not in ("noeviction", UNKNOWN):
        policy = said["maxmemory_policy"]
        findings.append((f"{policy}: the server may throw spans away", "CONFIG SET maxmemory-policy noeviction"))
    if findings:
        return tuple(CheckResult(name="durability", status="warn", detail=d, mend=m) for d, m in findings)
    window = "up to 1 s may be lost with the machine" if said["appendfsync"] == "everysec" else "nothing is lost"
    detail = f"append-only file, appendfsync {said['appendfsync']}: {window}"
    return (CheckResult(name="durability", status="ok", detail=detail),)


async def listeners(patient: Patient) -> Sequence[CheckResult]:
    """Whether our ports are ours or free."""
    settings = patient.settings
    ours = await _is_ours(settings)
    results = []
    for name in ("otlp_grpc", "otlp_http", "api", "ui"):
        listen = getattr(settings, name)
        label, where = f"port {listen.port}", f"{name} on {listen.host}"
        try:
            ports.bind(listen, name).close()
            results.append(CheckResult(name=label, status="ok", detail=f"{where}: free"))
        except OutsideError as error:
            if ours:
                results.append(CheckResult(name=label, status="ok", detail=f"{where}: in use, the sidecar runs"))
            else:
                results.append(CheckResult(name=label, status="fail", detail=str(error)))
    return results


async def guard(patient: Patient) -> Sequence[CheckResult]:
    """Whether the guard would answer now; when not, steps are ``not_evaluated``, never safe."""
    try:
        built = _built(patient.settings)
    except (UsageError, GuardUnavailable) as error:
        mend = "correct AGENTDOG_GUARD__URI: `agentdog guards list` names the pack of each checkpoint"
        return (CheckResult(name="guard", status="fail", detail=str(error), mend=mend),)
    try:
        health = await built.health()
        lacking = await surroundings.abilities(built) if health.ok else ()
    finally:
        await built.close()
    name, detail = f"guard {built.info.name}", health.detail
    if built.info.wording and "wording" not in detail:
        detail += f"; pack {built.info.pack}, {built.info.wording} wording"
    said = CheckResult(name=name, status="ok" if health.ok else "warn", detail=detail, mend=health.mend)
    return (said, *lacking)


async def alerts(patient: Patient) -> Sequence[CheckResult]:
    """Whether the guard's threshold is calibrated, and where people are alerted."""
    if patient.store is None:
        return ()
    try:
        built = _built(patient.settings)
    except (UsageError, GuardUnavailable):  # `guard` says it
        return ()
    await built.close()
    states = await Alerts(patient.store, built).states(sorted(await patient.store.projects()))
    loud = [state.project for state in states if state.alerting == "on"]
    told = f"people are told in {', '.join(loud)}" if loud else "observed only, nobody is told"
    bare = [state for state in states if state.basis == "uncalibrated"]
    notes = [state.note for state in states if state.note and state.basis == "calibrated"]
    if not bare and not notes:
        return (CheckResult(name="alerts", status="ok", detail=f"every threshold is calibrated or tuned; {told}"),)
    where = f"{', '.join(state.project for state in bare)}: guard {built.info.name} is uncalibrated" if bare else ""
    detail = "; ".join(part for part in (where, *notes, told) if part)
    mend = "`agentdog calibrate --project P` fits its threshold on benign runs, `agentdog tune --project P` on a budget"
    return (CheckResult(name="alerts", status="warn" if loud or notes else "skip", detail=detail, mend=mend),)


async def accounting(patient: Patient) -> Sequence[CheckResult]:
    """Whether received = stored + duplicate + rejected, and whether what was stored is there."""
    if patient.store is None:
        return ()
    counted = await patient.store.accounting()
    audited = await patient.store.audit()
    wrong = [f"{p}: {c['pending']} of {c['received']} unaccounted for" for p, c in counted.items() if c["pending"]]
    for project, counts in counted.items():
        there = audited.get(project, {}).get("records", 0)
        kept = counts["stored"] - counts.get("deleted", 0)
        if there < kept:
            wrong.append(f"{project}: {kept} kept, {there} there")
    if wrong:
        mend = "expected only after the store was emptied or restored from an old copy"
        return (CheckResult(name="accounting", status="fail", detail="; ".join(wrong), mend=mend),)
    received = sum(counts["received"] for counts in counted.values())
    return (CheckResult(name="accounting", status="ok", detail=f"all of {received} records are accounted for"),)


async def exposure(patient: Patient) -> Sequence[CheckResult]:
    """Whether strangers are kept out."""
    settings = patient.settings
    try:
        check_exposure(settings, ("otlp_grpc", "otlp_http", "api", "ui"))
    except OutsideError as error:
        return (CheckResult(name="access", status="fail", detail=str(error)),)
    if settings.auth.mode == "off":
        how = "something in front authenticates" if settings.auth.allow_open else "loopback only"
        return (CheckResult(name="access", status="ok", detail=f"no tokens asked for; {how}"),)
    count = len(await patient.store.tokens()) if patient.store is not None else 0
    if not count and settings.auth.admin_token is None:
        detail = "tokens are asked for and there is none: nobody can send or read"
        return (CheckResult(name="access", status="fail", detail=detail, mend="agentdog tokens add NAME --role admin"),)
    return (CheckResult(name="access", status="ok", detail=f"tokens are asked for; {count} are good"),)


async def redaction(patient: Patient) -> Sequence[CheckResult]:
    """Whether secrets are taken out, and by one key, so that equal ones stay equal."""
    wanted = patient.settings.redaction
    if not wanted.secrets:
        mend = "unset AGENTDOG_REDACTION__SECRETS, unless something in front takes secrets out"
        return (CheckResult(name="redaction", status="warn", detail="secrets are stored as they come", mend=mend),)
    figures = await patient.store.figures() if patient.store is not None else {}
    keys = [name[1] for name in figures if name[0] == "redaction_keys"]
    if len(keys) > 1:
        detail = f"receivers have used {len(keys)} keys: equal secrets leave unequal placeholders"
        mend = "give all receivers the same AGENTDOG_REDACTION__KEY; expected once after the key was changed"
        return (CheckResult(name="redaction", status="warn", detail=detail, mend=mend),)
    kinds = ", ".join(["secrets", *wanted.personal, *wanted.patterns])
    number = sum(int(value) for name, value in figures.items() if name[0] == "redacted")
    return (CheckResult(name="redaction", status="ok", detail=f"{kinds} are taken out; {number} so far"),)


async def progress(patient: Patient) -> Sequence[CheckResult]:
    """Whether what waits is being worked on."""
    if patient.store is None:
        return ()
    waiting = await patient.store.waiting()
    found = stalls(
        waiting,
        await patient.store.progress(),
        now_ns=SystemClock().now_ns(),
        stall_s=patient.settings.limits.stall_s,
    )
    if not found:
        lanes = ", ".join(f"{lane} {each.units}" for lane, each in waiting.items())
        return (CheckResult(name="progress", status="ok", detail=f"waiting: {lanes}"),)
    mend = "is a worker running (`agentdog up`, `agentdog worker`)? its log says what it waits for"
    return tuple(CheckResult(name=f"progress of {s.lane}", status="fail", detail=str(s), mend=mend) for s in found)


async def memory(patient: Patient) -> Sequence[CheckResult]:
    """How much of its budget the store uses."""
    if patient.store is None:
        return ()
    said = await patient.store.ping()
    limit, used = budget(said, patient.settings.limits.store_bytes), int(said["used_memory"])
    if not limit:
        mend = "set AGENTDOG_LIMITS__STORE_BYTES, so that telemetry is refused before the server is full"
        return (CheckResult(name="memory", status="warn", detail=f"{used} bytes used, no budget known", mend=mend),)
    detail = f"{used >> 20} of {limit >> 20} MiB used"
    if used >= limit:
        mend = "shorten AGENTDOG_RETENTION__DAYS, raise AGENTDOG_LIMITS__STORE_BYTES, or give the server more memory"
        return (CheckResult(name="memory", status="fail", detail=f"{detail}: telemetry is refused", mend=mend),)
    return (CheckResult(name="memory", status="ok", detail=detail),)


async def dead_letters(patient: Patient) -> Sequence[CheckResult]:
    """Units that no try could work on."""
    if patient.store is None:
        return ()
    letters = await patient.store.dead_letters()
    if not letters:
        return (CheckResult(name="dead letters", status="ok", detail="none"),)
    first = letters[0]
    detail = f"{len(letters)} units given up; the latest: {first.unit} in {first.project}, {first.error}"
    mend = "`agentdog dead` lists them, `agentdog dead --replay all` tries again; what stays is a defect of ours"
    return (CheckResult(name="dead letters", status="warn", detail=detail, mend=mend),)


async def outbound(patient: Patient) -> Sequence[CheckResult]:
    """Who else is told, and whether that works."""
    results = []
    async with open_targets(patient.settings) as targets:
        if not targets.names:
            return (CheckResult(name="outbound", status="skip", detail="nobody else is told: none is configured"),)
        for each in targets.notifiers:
            trouble = await each.trouble()
            if trouble is not None:
                results.append(CheckResult(name=f"outbound {each.name}", status="fail", detail=trouble))
        names = ", ".join(targets.names)
    if patient.store is None:
        return results
    projects = list(await patient.store.projects())
    unsent = await patient.store.unsent(projects)
    if unsent:
        last = next(iter(await patient.store.deliveries(projects, 1, unsent=True)), None)
        said = f"; the latest: {last.target}, {last.error or 'not tried yet'}" if last else ""
        mend = "`agentdog outbound list --unsent` lists them, `agentdog outbound test` tries the receivers"
        detail = f"{unsent} messages wait or were given up{said}"
        results.append(CheckResult(name="outbound", status="warn", detail=detail, mend=mend))
    else:
        results.append(CheckResult(name="outbound", status="ok", detail=f"{names}: nothing waits"))
    return results


async def telemetry(patient: Patient) -> Sequence[CheckResult]:
    """Instrumentations whose content we do not see, from a sample of what is stored."""
    if patient.store is None:
        return ()
    sample = await patient.store.sample(SAMPLED_UNITS)
    results = [surroundings.clocks(sample, SystemClock().now_ns())]
    for stats in content_stats(sample):
        if stats.reason is not None:
            name = f"telemetry {stats.scope or '(no scope)'}"
            status = "warn" if stats.without_content else "skip"
            finding = {"name": name, "status": status, "detail": stats.reason, "mend": stats.mend}
            results.append(msgspec.convert(finding, CheckResult))
    if len(results) == 1:
        results.append(CheckResult(name="telemetry", status="ok", detail="every sampled scope carries content"))
    return results


async def exporter(patient: Patient) -> Sequence[CheckResult]:
    """Whether exporters that are started from here would reach us."""
    found = surroundings.exporter(patient.settings, os.environ)
    return (found,) if found else ()


def _built(settings: Settings) -> Guard:
    return factory.build(settings.guard.uri, settings.data / factory.PACKS_FOLDER)


async def _is_ours(settings: Settings) -> bool:
    try:
        async with httpx.AsyncClient(timeout=_ASK_S, verify=False) as client:  # noqa: S501 - health of our own only
            return bool((await client.get(f"{settings.api_url}/healthz")).json() == {"status": "ok"})
    except (httpx.HTTPError, ValueError):
        return False


#: Every check, in the order of the report.
CHECKS: tuple[Check, ...] = (
    python,
    variables,
    folder,
    store,
    durability,
    exposure,
    listeners,
    guard,
    alerts,
    accounting,
    progress,
    memory,
    redaction,
    dead_letters,
    outbound,
    exporter,
    telemetry,
)
