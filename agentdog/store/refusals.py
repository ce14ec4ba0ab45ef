"""Refused records, for the people whose spans they were: a capped list per project, newest first.

Invariant: a refusal is listed in the call that counts it (`scripts.REJECT`); the count never depends on the list's cap.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentdog.base.clock import rfc3339
from agentdog.spans.records import Rejection
from agentdog.store import keys, scripts
from agentdog.store.contract import Refusal
from agentdog.store.link import Command, Link

_KEPT = 1000
#: A request may hold thousands of wrong spans, wrong alike as a rule.
_LISTED_OF_ONE_REQUEST = 50
_LONGEST = 500


def command(project: str, rejected: Sequence[Rejection]) -> Command:
    """Returns the command that counts these and lists the first of them."""
    count = keys.count(keys.partition(project), project)
    listed = [
        text[:_LONGEST].encode("utf-8", "replace")
        for r in rejected[:_LISTED_OF_ONE_REQUEST]
        for text in (r.id, r.reason)
    ]
    return scripts.REJECT.call([count, keys.refused(project)], len(rejected), _KEPT, *listed)


async def newest(link: Link, projects: Sequence[str], limit: int) -> Sequence[Refusal]:
    """Reads the lists of some projects."""
    answers = await link.many([("XREVRANGE", keys.refused(project), "+", "-", "COUNT", limit) for project in projects])
    found = [
        (_order(entry), project, fields)
        for project, entries in zip(projects, answers, strict=True)
        for entry, fields in entries
    ]
    found.sort(key=lambda each: each[0], reverse=True)
    return tuple(
        Refusal(project=project, id=fields[1].decode(), reason=fields[3].decode(), time=rfc3339(order[0] * 1_000_000))
        for order, project, fields in found[:limit]
    )


def _order(entry: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = entry.partition(b"-")
    return int(milliseconds), int(sequence)
