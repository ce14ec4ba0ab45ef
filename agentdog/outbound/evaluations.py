"""Verdicts as OpenTelemetry evaluation results, each beside the span that it is about. Pure.

Names are those of the GenAI semantic conventions (open-telemetry/semantic-conventions-genai, event
``gen_ai.evaluation.result``): the event is a log record in the context of the judged span. Tools that show traces and
no logs (Phoenix, Langfuse, Tempo) are told the same as a span of no length, a child of the judged one.

Invariant: the same verdict of the same step always has the same span id, so that what is sent twice is stored once by
whoever looks at ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

import taxonomy
from agentdog.base.clock import parse_rfc3339
from agentdog.base.ids import digest
from agentdog.diagnosis import Diagnosis, Incident, StepVerdict
from agentdog.guards import GuardInfo, Outcome, Verdict
from agentdog.outbound.alerts import link
from agentdog.spans.own import EMITTED
from agentdog.spans.records import Log, Record, Span
from agentdog.trajectory import Step, Trajectory

#: ``gen_ai.evaluation.name``: what is evaluated is the run up to and including the judged step.
NAME = "agentdog.trajectory_safety"
EVENT = "gen_ai.evaluation.result"
#: What is ours, among spans and logs of others: scope of instrumentation and service of the resource.
SCOPE = "agentdog.outbound"
RESOURCE = {"service.name": "agentdog", EMITTED: True}

_INTERNAL, _OK, _ERROR = 1, 1, 2  # OTLP: SPAN_KIND_INTERNAL, STATUS_CODE_OK, STATUS_CODE_ERROR
_INFO, _WARN = 9, 13  # OTLP: severity numbers
_FILED_BY = ("openinference.project.name", "deployment.environment.name", "deployment.environment")
_MOVING = ("gen_ai.evaluation.explanation", "agentdog.step.number", "agentdog.url")
_Which = Literal["all", "unsafe"]


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict, ready to be sent.

    Attributes:
        step_id: of the judged step.
        mark: changes when the verdict says something else.
        log: the event.
        span: the same as a child of the judged span; absent where no span told the step.
    """

    step_id: str
    mark: str
    log: Log
    span: Span | None


def evaluations(
    trajectory: Trajectory,
    diagnosis: Diagnosis,
    records: Mapping[str, Record],
    *,
    base: str,
    which: _Which = "all",
    version: str = "",
) -> tuple[Evaluation, ...]:
    """Builds the evaluation of every judged step.

    Args:
        trajectory: the run.
        diagnosis: of this version of it.
        records: by id, those that told the judged steps.
        base: address of the debugger, as people reach it.
        which: ``unsafe`` leaves out every other verdict.
        version: of this program, told as the scope's.
    """
    at_onset = {incident.onset_step_id: incident for incident in diagnosis.incidents}
    steps = {step.id: step for step in trajectory.steps}
    out = []
    for judged in diagnosis.steps:
        step = steps.get(judged.step_id)
        if step is None or (which == "unsafe" and judged.verdict.outcome is not Outcome.UNSAFE):
            continue
        parent = judged_record(step, [records[source] for source in step.sources if source in records])
        said = _attributes(trajectory, step, judged.verdict, diagnosis.guard, at_onset.get(step.id), base)
        out.append(_evaluation(trajectory, judged, said, parent, parse_rfc3339(diagnosis.judged_at), version))
    return tuple(out)


def judged_record(step: Step, records: Sequence[Record]) -> Record | None:
    """Returns the record that a step's verdict belongs beside: of those that told it, the one with the step's times.

    A step is told by the call that produced it, and again by spans around that and by later ones that repeat it.
    """
    spans = [record for record in records if isinstance(record, Span)]
    if spans:
        start = parse_rfc3339(step.start_time) if step.start_time else None
        end = parse_rfc3339(step.end_time) if step.end_time else None

        def distance(span: Span) -> tuple[int, int, str]:
            off = abs(span.start_ns - start) if start is not None else 0
            off += abs(span.end_ns - end) if end is not None else 0
            return off, span.end_ns - span.start_ns, span.span_id

        return min(spans, key=distance)
    return next((record for record in records if isinstance(record, Log) and record.trace_id and record.span_id), None)


def _attributes(
    trajectory: Trajectory, step: Step, verdict: Verdict, guard: GuardInfo, incident: Incident | None, base: str
) -> dict[str, Any]:
    labels = incident.labels if incident is not None else verdict.labels
    said: dict[str, Any] = {"gen_ai.evaluation.name": NAME}
    if verdict.reason is not None:
        said["error.type"] = verdict.reason.value
    else:
        said["gen_ai.evaluation.score.label"] = verdict.outcome.value
        if verdict.p_unsafe is not None:
            said["gen_ai.evaluation.score.value"] = float(verdict.p_unsafe)
    explanation = incident.summary if incident is not None else verdict.detail
    if explanation:
        said["gen_ai.evaluation.explanation"] = explanation
    if trajectory.session_id:
        said["gen_ai.conversation.id"] = trajectory.session_id
    said["agentdog.trajectory.id"] = trajectory.id
    said["agentdog.step.id"] = step.id
    said["agentdog.step.number"] = step.index + 1
    said["agentdog.guard.name"] = guard.name
    said["agentdog.guard.fingerprint"] = guard.fingerprint
    said["agentdog.url"] = link(base, trajectory.id, step.index)
    if incident is not None:
        said["agentdog.incident.id"] = incident.id
    for axis in taxonomy.AXES:
        label = getattr(labels, axis) if labels is not None else None
        if label:
            said[f"agentdog.{axis}"] = label
    return said


def _evaluation(
    trajectory: Trajectory,
    judged: StepVerdict,
    said: dict[str, Any],
    parent: Record | None,
    time_ns: int,
    version: str,
) -> Evaluation:
    unsafe = judged.verdict.outcome is Outcome.UNSAFE
    trace_id = parent.trace_id if parent is not None else None
    parent_id = parent.span_id if parent is not None else None
    # Not of what may change without the verdict being another: the step's number, the sentence about its incident.
    fixed = {name: value for name, value in said.items() if name not in _MOVING}
    mark = digest(msgspec.json.encode(fixed), trace_id or "", parent_id or "", size=8)
    common: dict[str, Any] = {
        "scope": SCOPE,
        "scope_version": version,
        "resource": {**RESOURCE, "agentdog.project": trajectory.project, **_whereabouts(parent)},
    }
    log = Log(
        id=mark,
        trace_id=trace_id,
        span_id=parent_id,
        name=EVENT,
        time_ns=time_ns,
        severity=_WARN if unsafe else _INFO,
        attributes=said,
        **common,
    )
    span = None
    if trace_id and parent_id:
        failed = judged.verdict.reason is not None
        span = Span(
            trace_id=trace_id,
            span_id=digest(trajectory.id, mark, "evaluation", size=8),
            parent_id=parent_id,
            name=EVENT,
            start_ns=time_ns,
            end_ns=time_ns,
            span_kind=_INTERNAL,
            status=_ERROR if failed else _OK,
            status_message=said["error.type"] if failed else None,
            # How Phoenix and Langfuse name what kind of work a span is.
            attributes={**said, "openinference.span.kind": "EVALUATOR", "langfuse.observation.type": "evaluator"},
            **common,
        )
    return Evaluation(step_id=judged.step_id, mark=mark, log=log, span=span)


def _whereabouts(parent: Record | None) -> dict[str, Any]:
    """What tells a receiver where a trace belongs: Phoenix files by it, and would tear the trace apart without."""
    resource = parent.resource if parent is not None else {}
    return {name: resource[name] for name in _FILED_BY if name in resource}


def test_evaluation(seed: str, time_ns: int, version: str) -> Evaluation:
    """Builds an evaluation of no run, in a trace of its own, by which people see whether verdicts arrive."""
    span = Span(
        trace_id=digest(seed, "trace"),
        span_id=digest(seed, "span", size=8),
        name=EVENT,
        start_ns=time_ns,
        end_ns=time_ns,
        span_kind=_INTERNAL,
        status=_OK,
        attributes={"gen_ai.evaluation.name": "agentdog.test", "openinference.span.kind": "EVALUATOR"},
        scope=SCOPE,
        scope_version=version,
        resource=dict(RESOURCE),
    )
    log = Log(
        id=seed,
        trace_id=span.trace_id,
        span_id=span.span_id,
        name=EVENT,
        time_ns=time_ns,
        severity=_INFO,
        attributes={"gen_ai.evaluation.name": "agentdog.test"},
        scope=SCOPE,
        scope_version=version,
        resource=dict(RESOURCE),
    )
    return Evaluation(step_id="", mark=seed, log=log, span=span)


test_evaluation.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for one of its own
