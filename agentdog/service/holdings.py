"""Checks of ``agentdog doctor`` on the store and on what lies in it: durability, accounting, backlog, room, secrets.

`agentdog.service.doctor` lists them.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agentdog.base.checks import CheckResult
from agentdog.base.clock import SystemClock
from agentdog.base.errors import OutsideError
from agentdog.service import surroundings
from agentdog.service.api.operations import SAMPLED_UNITS
from agentdog.service.patient import Patient
from agentdog.service.progress import stalls
from agentdog.service.targets import open_targets
from agentdog.spans import content_stats
from agentdog.store.embedded import binary
from agentdog.store.link import shown
from agentdog.store.server_info import UNKNOWN, budget


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
