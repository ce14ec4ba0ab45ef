"""From reviewed runs to a learned model: the one call behind ``agentdog learn``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agentdog.guards.embedded.guard import EmbeddedGuard
from agentdog.guards.embedded.learned.alike import grouped
from agentdog.guards.embedded.learned.fitting import Example
from agentdog.guards.embedded.learned.honest import examine
from agentdog.guards.embedded.learned.model import Learned
from agentdog.guards.embedded.learned.reading import read
from agentdog.trajectory import Header
from agentdog.trajectory.formats import Case

Progress = Callable[[str, int, int], None]


def _silent(what: str, done: int, of: int) -> None:
    """Tells nobody."""


def examples_of(cases: Sequence[Case], guard: EmbeddedGuard, progress: Progress = _silent) -> list[Example]:
    """Reads labelled runs with the unlearned guard; those without a label are left out."""
    labelled = [case for case in cases if case.label is not None]
    groups = grouped([(case.group, case.trajectory) for case in labelled])
    found = []
    for number, (case, group) in enumerate(zip(labelled, groups, strict=True)):
        progress("runs", number, len(labelled))
        session = guard.open(Header.of(case.trajectory))
        seen = read(session, case.trajectory.steps)
        flagged = session.p_unsafe >= session.threshold
        onset = case.unsafe_step if case.onset_from is None else case.onset_from
        # The number keeps rows apart whose file gives them one id.
        key = f"{number}:{case.trajectory.id}"
        found.append(Example(key, group, case.label or 0, onset, seen, session.p_unsafe, flagged))
    return found


def learn(
    cases: Sequence[Case],
    guard: EmbeddedGuard,
    *,
    project: str,
    made: str,
    false_alarm: float | None = None,
    progress: Progress = _silent,
) -> Learned:
    """Learns a model from labelled runs.

    Args:
        cases: labelled runs of one project.
        guard: the unlearned guard.
        project: whose they are.
        made: RFC 3339, now.
        false_alarm: share of safe runs that may be flagged.
        progress: is told what is done, how much of it, and of how much.

    Raises:
        UsageError: the runs are too few, saying how many are needed; or scikit-learn is not installed.
    """
    examined = examine(examples_of(cases, guard, progress), false_alarm=false_alarm, progress=progress)
    weights = examined.weights
    return Learned(
        project=project,
        made=made,
        base=guard.info.fingerprint,
        ran=weights.ran,
        now=weights.now,
        did=weights.did,
        bias=weights.bias,
        slope=examined.slope,
        shift=examined.shift,
        threshold=examined.threshold,
        figures=examined.figures,
        novelty=examined.novelty,
    )
