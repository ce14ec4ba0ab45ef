"""Tells what the sidecar itself emitted, so that it never takes in its own telemetry.

A collector that copies everything everywhere (a tee) also sends the sidecar's own traces and evaluation results back to
it. Judging those would make more of them, for ever. Two marks are looked for, since processors between drop one or the
other: an attribute of the resource, and the scope of instrumentation.
"""

from __future__ import annotations

from agentdog.spans.records import Arrived, Received

#: Attribute of the resource of whatever the sidecar emits.
EMITTED = "agentdog.emitted"
#: Scope of the spans about its own work.
SCOPE = "agentdog.sidecar"
_SCOPES = frozenset({SCOPE, "agentdog.outbound"})


def is_own(record: Arrived) -> bool:
    """Whether the sidecar, this one or another, emitted a record."""
    return record.scope in _SCOPES or record.resource.get(EMITTED) in (True, "true")


def without_own(decoded: Received) -> tuple[Received, int]:
    """Leaves out what is ours; returns the rest, and how many were left out."""
    others = tuple(record for record in decoded.records if not is_own(record))
    left_out = len(decoded.records) - len(others)
    return (Received(records=others, rejected=decoded.rejected) if left_out else decoded), left_out
