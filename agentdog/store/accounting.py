"""Accounting: ``received = stored + duplicate + rejected + pending``, per project, at every moment.

Counters change in the call that writes what they count, partition by partition, so the sum holds whenever it is read.
Of what was stored, ``deleted`` is no more: retention, or somebody's wish; it is absent while nothing was.
``pending`` is what was received and is none of the others; the journal has no such state, so anything but 0 is a defect
that ``doctor`` reports. `audit` counts the records themselves and is the independent witness of ``stored``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from agentdog.store import keys
from agentdog.store.link import Link

_FIELDS = ("received", "stored", "duplicate", "rejected")


async def projects(link: Link) -> list[str]:
    """Returns the names of all projects, sorted."""
    return sorted(name.decode() for name in await link.one("SMEMBERS", keys.PROJECTS))


async def accounting(link: Link) -> Mapping[str, Mapping[str, int]]:
    """Adds up each project's counters."""
    result = {}
    for project in await projects(link):
        answers = await link.many(
            [("HMGET", keys.count(n, project), *_FIELDS, "deleted") for n in range(keys.PARTITIONS)]
        )
        sums = {name: sum(int(a[i] or 0) for a in answers) for i, name in enumerate(_FIELDS)}
        settled = sums["stored"] + sums["duplicate"] + sums["rejected"]
        result[project] = {**sums, "pending": sums["received"] - settled}
        deleted = sum(int(answer[-1] or 0) for answer in answers)
        if deleted:
            result[project]["deleted"] = deleted
    return result


async def audit(link: Link) -> Mapping[str, Mapping[str, int]]:
    """Counts units and records that lie in the journal, by walking all keys."""
    units, records = Counter[str](), Counter[str]()
    async for found in link.scan(keys.ALL_RECORDS):
        for name, size in zip(found, await link.many([("HLEN", key) for key in found]), strict=True):
            project = name.decode().split(":")[3]
            units[project] += 1
            records[project] += size
    return {p: {"units": units[p], "records": records[p]} for p in sorted(units)}
