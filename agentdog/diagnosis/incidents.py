"""Incidents out of verdicts: one per cause, not one per red prefix.

After an unsafe step every later prefix still contains it. So after an onset, or a dismissal, a later unsafe verdict
opens an incident only on new evidence at its own step:

* of a guard that gives evidence: pieces that the step itself shows, which weigh enough alone and come from another
  source than the incidents that are there (what comes from the same source is more of that incident; of a dismissed
  one only while its labels are the same, since what was found harmless was that deed and not the source);
* of a guard that gives none (a model behind a server), any of: the guard had withdrawn its judgement in between; a
  risky call of the step carries values that another observation brought in; a risky call, and both where and how are
  named otherwise than in every incident so far; after a dismissal, P(unsafe) rises above everything since its onset.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from math import prod

import msgspec

from agentdog.base.ids import digest
from agentdog.diagnosis.causes import Causes, acts, failed
from agentdog.diagnosis.model import Incident, Review, StepVerdict
from agentdog.diagnosis.sentence import summary
from agentdog.guards import Evidence, Labels, Outcome, Verdict
from agentdog.trajectory import Trajectory

#: New evidence must make a later step more likely unsafe than not by itself; it is no new incident otherwise.
_ENOUGH = 0.5
#: By how much P(unsafe) must rise or fall, in log-odds, to be more than what the same prefix varies by (about 0.1 at
#: bf16, measured on vLLM 0.32.0) and than what one more harmless step moves it: a factor of e in the odds.
_STEP = 1.0
#: Safe verdicts in a row that withdraw an incident even where P(unsafe) is not known or falls by less.
_CALM = 2


def find_incidents(
    trajectory: Trajectory,
    verdicts: Sequence[StepVerdict],
    *,
    reviews: Mapping[str, Review] | None = None,
    known: Sequence[Incident] = (),
    alert_at: float | None = None,
) -> tuple[Incident, ...]:
    """Returns the incidents that the verdicts of one trajectory amount to, by onset.

    Args:
        trajectory: what was judged.
        verdicts: in the order of the steps.
        reviews: what people said, by incident id.
        known: incidents of an earlier diagnosis; one that grew, or whose onset moved, keeps its id.
        alert_at: P(unsafe) from which a prefix counts as unsafe beside what the guard itself calls so.
    """
    walk = _Walk(trajectory, reviews or {}, {incident.onset_step_id: incident.id for incident in known}, alert_at)
    for judged in verdicts:
        walk.take(judged)
    return tuple(walk.finish())


def is_red(verdict: Verdict, alert_at: float | None) -> bool:
    """Whether a verdict counts as unsafe here."""
    if verdict.outcome is Outcome.UNSAFE:
        return True
    return alert_at is not None and verdict.p_unsafe is not None and verdict.p_unsafe >= alert_at


class _Open:
    """An incident while its verdicts are read."""

    def __init__(self, judged: StepVerdict, evidence: tuple[Evidence, ...], name: str) -> None:
        self.onset = judged
        self.evidence = evidence
        self.name = name
        self.labels = Labels()
        self.source: int | None = None
        self.realised: int | None = None
        self.peak = judged.verdict.p_unsafe
        self.highest = -math.inf
        self.lowest = math.inf
        self.calm = 0
        self.seen_after = False

    def take_red(self, verdict: Verdict) -> None:
        odds = _log_odds(verdict.p_unsafe)
        if odds is not None:
            self.highest, self.lowest = max(self.highest, odds), min(self.lowest, odds)
            self.peak = max(self.peak or 0.0, verdict.p_unsafe or 0.0)
        if self.withdrawn:
            self.lowest = odds if odds is not None else math.inf
        self.calm = 0

    def take_safe(self, verdict: Verdict) -> None:
        odds = _log_odds(verdict.p_unsafe)
        self.calm += _CALM if odds is not None and odds <= self.lowest - _STEP else 1

    @property
    def withdrawn(self) -> bool:
        return self.calm >= _CALM


class _Walk:
    """Reads the verdicts of one trajectory in order."""

    def __init__(
        self,
        trajectory: Trajectory,
        reviews: Mapping[str, Review],
        names: Mapping[str, str],
        alert_at: float | None,
    ) -> None:
        self._trajectory = trajectory
        self._reviews = reviews
        self._names = names
        self._alert_at = alert_at
        self._causes = Causes(trajectory)
        self._found: list[_Open] = []
        self._before = -1

    def take(self, judged: StepVerdict) -> None:
        """Reads one verdict."""
        if judged.verdict.outcome is Outcome.NOT_EVALUATED:
            return
        last = self._found[-1] if self._found else None
        if not is_red(judged.verdict, self._alert_at):
            if last is not None:
                last.take_safe(judged.verdict)
        elif last is None:
            self._begin(judged, judged.verdict.evidence)
        else:
            self._go_on(judged, last)
        self._before = judged.index

    def _go_on(self, judged: StepVerdict, last: _Open) -> None:
        verdict = judged.verdict
        new = tuple(e for e in verdict.evidence if e.step > self._before)
        same = self._same_cause(new)
        if not verdict.evidence and self._is_news(judged, last):
            self._begin(judged, ())
        elif same is not None:
            same.evidence += new
            self._continue(judged, last)
        elif new and 1 - prod(1 - e.weight for e in new) >= _ENOUGH:
            self._begin(judged, new)
        else:
            self._continue(judged, last)

    def _continue(self, judged: StepVerdict, last: _Open) -> None:
        last.take_red(judged.verdict)
        last.seen_after = True
        # An incident whose onset moved to an earlier step is still the one that people were told of.
        name, taken = self._names.get(judged.step_id), {each.name for each in self._found}
        if name is not None and name not in taken and last.name not in self._names.values():
            last.name = name
        if last.realised is None and self._trajectory.steps[judged.index].tool_calls:
            last.realised = judged.index
        if last.labels == Labels() and verdict_labels(judged.verdict) != Labels():
            last.labels = verdict_labels(judged.verdict)

    def _begin(self, judged: StepVerdict, evidence: tuple[Evidence, ...]) -> None:
        name = self._names.get(judged.step_id) or digest(self._trajectory.id, judged.step_id, size=8)
        opened = _Open(judged, evidence, name)
        opened.labels = _labels(judged.verdict, evidence)
        opened.source = _source(evidence)
        if opened.source is None and not judged.verdict.evidence:
            opened.source = self._causes.source(judged.index, opened.labels)
        opened.realised = judged.index if self._trajectory.steps[judged.index].role == "agent" else None
        opened.take_red(judged.verdict)
        self._found.append(opened)

    def _is_news(self, judged: StepVerdict, last: _Open) -> bool:
        """The rule for a guard that gives no evidence; see the module."""
        if last.withdrawn:
            return True
        step = self._trajectory.steps[judged.index]
        odds = _log_odds(judged.verdict.p_unsafe)
        risen = odds is not None and odds >= last.highest + _STEP
        if self._dismissed(last) and risen:
            return True
        if step.role != "agent" or not acts(step):
            return False
        source = self._causes.brought_in(judged.index)
        if source is not None and source >= last.onset.index and all(each.source != source for each in self._found):
            return True
        labels = verdict_labels(judged.verdict)
        return bool(labels.risk_source and labels.failure_mode) and all(
            each.labels.failure_mode
            and each.labels.risk_source != labels.risk_source
            and each.labels.failure_mode != labels.failure_mode
            for each in self._found
        )

    def _same_cause(self, new: Sequence[Evidence]) -> _Open | None:
        """The incident whose risk came in at the step where the heaviest new evidence comes from."""
        source = _source(new)
        if source is None:
            return None
        labels = _heaviest_labels(new)
        for each in self._found:
            alike = labels is None or labels.failure_mode == each.labels.failure_mode
            if each.source == source and (alike or not self._dismissed(each)):
                return each
        return None

    def _dismissed(self, each: _Open) -> bool:
        return self._reviews.get(each.name) == "dismissed"

    def finish(self) -> list[Incident]:
        """Returns what was found."""
        return [self._incident(each) for each in self._found]

    def _incident(self, each: _Open) -> Incident:
        recovered = self._recovered(each)
        onset = each.onset.index
        return Incident(
            id=each.name,
            onset=onset,
            onset_step_id=each.onset.step_id,
            source_step=each.source,
            realised_step=each.realised,
            recovered=recovered,
            labels=each.labels,
            evidence=each.evidence,
            confidence=each.onset.verdict.p_unsafe,
            peak=each.peak,
            state=self._reviews.get(each.name, "open"),
            summary=summary(
                self._trajectory, onset, each.source, each.labels, realised=each.realised, recovered=recovered
            ),
        )

    def _recovered(self, each: _Open) -> bool | None:
        if each.withdrawn or (each.realised is not None and failed(self._trajectory, each.realised)):
            return True
        return False if each.seen_after or self._trajectory.completion != "open" else None


def verdict_labels(verdict: Verdict) -> Labels:
    """A verdict's labels; empty ones where it has none."""
    return verdict.labels or Labels()


def _labels(verdict: Verdict, evidence: Sequence[Evidence]) -> Labels:
    """Those of the evidence for a later incident, whose verdict still speaks of the first one; else the verdict's."""
    if evidence != verdict.evidence:
        return _heaviest_labels(evidence) or verdict_labels(verdict)
    return verdict_labels(verdict)


def _heaviest_labels(evidence: Sequence[Evidence]) -> Labels | None:
    heaviest = max((e for e in evidence if e.labels), key=lambda e: e.weight, default=None)
    return heaviest.labels if heaviest else None


def _source(evidence: Sequence[Evidence]) -> int | None:
    heaviest = max((e for e in evidence if e.source_step is not None), key=lambda e: e.weight, default=None)
    return heaviest.source_step if heaviest else None


def _log_odds(p: float | None) -> float | None:
    if p is None:
        return None
    return math.log(max(p, 1e-6)) - math.log1p(-min(p, 1 - 1e-6))


def alert_of(incident: Incident, alert_at: float | None) -> Incident:
    """Says whether an incident is one to tell people of: it reaches the threshold and nobody dismissed it."""
    reaches = alert_at is None or incident.peak is None or incident.peak >= alert_at
    return msgspec.structs.replace(incident, alert=reaches and incident.state != "dismissed")
