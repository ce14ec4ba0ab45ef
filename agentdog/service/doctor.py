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
from collections.abc import Awaitable, Callable, Sequence

import httpx

from agentdog.base.checks import CheckResult
from agentdog.base.errors import AgentDogError, GuardUnavailable, OutsideError, UsageError
from agentdog.guards import Guard, factory
from agentdog.service import dashboard, holdings, ports, surroundings
from agentdog.service.alerting import Alerts
from agentdog.service.auth import check_exposure
from agentdog.service.patient import Patient, patient_of
from agentdog.service.settings import Settings, unknown_variables

_ASK_S = 5.0


Check = Callable[[Patient], Awaitable[Sequence[CheckResult]]]


async def examine(settings: Settings) -> Sequence[CheckResult]:
    """Runs every check and returns all findings, in the registry's order."""
    async with patient_of(settings) as patient:
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
    holdings.store,
    holdings.durability,
    exposure,
    listeners,
    guard,
    alerts,
    holdings.accounting,
    holdings.progress,
    holdings.memory,
    holdings.redaction,
    holdings.dead_letters,
    holdings.outbound,
    exporter,
    holdings.telemetry,
)
