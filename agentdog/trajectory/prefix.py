"""Prefix hashes: a step is judged by the prefix that ends in it, so verdicts are keyed by the prefix's content.

The chain begins with who and what was there from the start; agents and tools that join later are hashed in with the
step that they come with. It covers what a guard may read (roles, texts, calls, results, errors, agents) and nothing
that may change while the text stays (ids, indices, times, sources): joins and renumbering ask nothing again.
"""

from __future__ import annotations

import msgspec

from agentdog.base.ids import canonical_json, digest
from agentdog.trajectory.model import Header, Step, Trajectory


def step_key(step: Step) -> str:
    """Hashes what a guard may read of one step."""
    return digest(
        canonical_json(
            [
                step.role,
                step.content,
                step.thought,
                step.reasoning,
                [[c.name, c.arguments, c.arguments_raw] for c in step.tool_calls],
                step.name,
                step.tool_result,
                step.is_error,
                step.error,
                step.agent,
                step.handoff_to,
                step.truncated,
                list(step.missing),
            ]
        )
    )


def prefix_keys(trajectory: Trajectory) -> tuple[str, ...]:
    """Returns the chained hash of the prefix that ends in each step, in step order; the header comes first."""
    header = Header.of(trajectory)
    state, arrivals = _chained("header", header.opening()), header.arrivals()
    keys = []
    for step in trajectory.steps:
        if step.index in arrivals:
            state = _chained(state, arrivals[step.index])
        state = digest(state, step_key(step))
        keys.append(state)
    return tuple(keys)


def _chained(state: str, header: Header) -> str:
    return digest(state, canonical_json(msgspec.to_builtins(header)))
