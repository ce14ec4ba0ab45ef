"""Telemetry in, trajectories out. Pure: bytes → records → utterances → steps."""

from agentdog.spans.memory import Memory
from agentdog.spans.reconstruct import (
    IDLE_NS,
    call_keys,
    counterparts,
    ids,
    join_keys,
    reconstruct,
    trajectory_id,
    unit_of,
    units_of,
    whereabouts,
)
from agentdog.spans.stats import ScopeStats, content_stats

__all__ = [
    "IDLE_NS",
    "Memory",
    "ScopeStats",
    "call_keys",
    "content_stats",
    "counterparts",
    "ids",
    "join_keys",
    "reconstruct",
    "trajectory_id",
    "unit_of",
    "units_of",
    "whereabouts",
]
