"""Records in, `Heard` out: every span read once in its place among its ancestors.

Invariant: the result depends on the set of records only; repeats and order of arrival change nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from agentdog.spans import dialects
from agentdog.spans.content import load
from agentdog.spans.dialects.evidence import AGENT, PREVIOUS_ID, RESPONSE_ID, Evidence, agent_of, gather, text
from agentdog.spans.dialects.streams import Told
from agentdog.spans.records import Log, Record, Span
from agentdog.spans.utterances import Heard, Moment, Reading

_INDEX = ("gen_ai.message.index", "CHAT_MESSAGE_INDEX", "event.sequence")
_OPERATION = "gen_ai.operation.name"
_FAILED = 2  # opentelemetry.proto.trace.v1.Status.STATUS_CODE_ERROR


Read = Callable[[Evidence], Reading]
Readings = dict[str, tuple[Evidence, Reading]]
#: Says what a span tells in its place: source, ancestors, what was read of all spans, all spans.
Place = Callable[[str, tuple[str, ...], Readings, dict[str, Span]], Heard]


def listen(records: Iterable[Record], read: Read = dialects.read, place: Place | None = None) -> list[Heard]:
    """Reads all records, in order of `Moment`; spans that tell nothing are left out.

    Args:
        records: spans and log records.
        read: reads one span.
        place: tells what `placed` does of it; a memory knows what it told before.
    """
    known = distinct(records)
    spans, logs = _split(known)
    heard = [h for h in _from_spans(spans, logs, read, place or placed) if _tells(h)]
    heard.extend(_from_stream(*told) for told in dialects.read_streams(known))
    heard.sort(key=lambda h: h.at)
    return heard


def distinct(records: Iterable[Record]) -> list[Record]:
    """Returns each record once; of two that differ under one id, the same one whatever the order."""
    found: dict[str, Record] = {}
    for record in records:
        known = found.get(record.id)
        if known is None or (known != record and _rank(record) > _rank(known)):
            found[record.id] = record
    return list(found.values())


def _rank(record: Record) -> tuple[int, str]:
    return (record.end_ns if isinstance(record, Span) else record.time_ns, repr(record))


def evidence_of(records: Iterable[Record]) -> Iterator[tuple[str, Evidence]]:
    """Yields every span with its log records, by source; also log records whose span has not come (yet)."""
    spans, logs = _split(records)
    for source in sorted(spans.keys() | logs.keys()):
        yield source, gather(spans.get(source), tuple(logs.get(source, ())))


def _split(records: Iterable[Record]) -> tuple[dict[str, Span], dict[str, list[Log]]]:
    spans: dict[str, Span] = {}
    unique: dict[str, Log] = {}
    for record in distinct(records):
        if isinstance(record, Span):
            if record.attributes.get("logfire.span_type") == "pending_span":
                continue  # a notice that a span has begun; the span itself follows
            spans[record.id] = record
        else:
            unique[record.id] = record
    logs: dict[str, list[Log]] = defaultdict(list)
    for log in sorted(unique.values(), key=lambda log: (log.time_ns, _index(log), log.id)):
        if log.trace_id and log.span_id:
            logs[f"{log.trace_id}:{log.span_id}"].append(log)
    return spans, logs


def _index(log: Log) -> int:
    """Returns a record's number among its span's, where the emitter counts them: clocks may stand still between two."""
    body = log.body if isinstance(log.body, dict) else {}
    found = (holder.get(key) for holder in (log.attributes, body) for key in _INDEX)
    return next((value for value in found if isinstance(value, int)), 0)


def _from_spans(spans: dict[str, Span], logs: dict[str, list[Log]], read: Read, place: Place) -> Iterator[Heard]:
    readings: Readings = {}
    for source in spans.keys() | logs.keys():
        evidence = gather(spans.get(source), tuple(logs.get(source, ())))
        readings[source] = (evidence, read(evidence))
    for source in readings:
        yield place(source, tuple(_ancestors(source, spans)), readings, spans)


def _from_stream(session: str, number: int, told: Told) -> Heard:
    first = told.logs[0]
    return Heard(
        reading=told.reading,
        at=Moment(start=told.start, trace=session, span=f"{number:09d}"),
        end=told.end,
        unit=first.unit,
        source=f"{first.id}#{number}",
        sources=tuple(sorted(log.id for log in told.logs)),
        name=first.name,
        agent=told.reading.agent,
    )


def placed(source: str, ancestors: tuple[str, ...], readings: Readings, spans: dict[str, Span]) -> Heard:
    """Says what a span tells in its place; a function of it and of those around it alone."""
    evidence, reading = readings[source]
    span = evidence.span
    agent_parent = next((a for a in ancestors if a in readings and readings[a][1].kind == "agent"), None)
    tool_parent = next((a for a in ancestors if _is_delegation(readings[a][1], spans[a])), None)
    trace, _, span_id = source.partition(":")
    start = span.start_ns if span is not None else evidence.logs[0].time_ns
    failed, error = _failure(span)
    return Heard(
        reading=reading,
        at=Moment(start=start, trace=trace, span=span_id),
        end=span.end_ns if span is not None else evidence.logs[-1].time_ns,
        unit=f"trace:{trace}",
        source=source,
        sources=(source,),
        name=span.name if span is not None else "",
        agent=_agent(evidence, reading, ancestors, readings),
        tool_parent=tool_parent,
        agent_parent=agent_parent,
        ancestors=ancestors,
        response_id=_attribute(evidence, RESPONSE_ID),
        previous_id=_attribute(evidence, PREVIOUS_ID) or _previous(evidence),
        root=span is not None and span.parent_id is None,
        orphan=span is None or spans[ancestors[-1] if ancestors else source].parent_id is not None,
        failed=failed,
        error=error,
    )


def _is_delegation(reading: Reading, span: Span) -> bool:
    """Whether a conversation inside this span is a call's: a named tool that somebody ran (a root ran itself)."""
    return reading.kind == "tool" and reading.call is not None and bool(reading.call.name) and bool(span.parent_id)


def _ancestors(source: str, spans: dict[str, Span]) -> Iterator[str]:
    seen = {source}
    span = spans.get(source)
    while span is not None and span.parent_id is not None:
        parent = f"{span.trace_id}:{span.parent_id}"
        if parent in seen or parent not in spans:  # a loop, or a parent that has not come (yet)
            return
        seen.add(parent)
        yield parent
        span = spans[parent]


def _agent(
    evidence: Evidence,
    reading: Reading,
    ancestors: tuple[str, ...],
    readings: Readings,
) -> str | None:
    if reading.agent is not None:
        return reading.agent
    specific = agent_of(evidence.attributes)
    if specific is not None:
        return specific
    if reading.kind != "agent":
        # A span's own attribute may be a default; the run around it was named when it was started.
        runs = (a for a in ancestors if _OPERATION in readings[a][0].attributes and readings[a][1].kind == "agent")
        run = next(runs, None)
        if run is not None and readings[run][0].attributes[_OPERATION] == "invoke_agent":
            named = text(readings[run][0].attributes, AGENT)
            if named is not None:
                return named
    own = _named_agent(evidence, reading)
    if own is not None:
        return own
    return next((name for a in ancestors if (name := _named_agent(*readings[a])) is not None), None)


def _named_agent(evidence: Evidence, reading: Reading) -> str | None:
    if reading.agent is not None:
        return reading.agent
    named = text(evidence.attributes, AGENT) or agent_of(evidence.attributes)
    if named is not None:
        return named
    if evidence.kind != "agent" or evidence.span is None:
        return None
    node = text(evidence.attributes, ("graph.node.id", "gen_ai.agent.id"))
    if "openinference.span.kind" not in evidence.attributes:
        return None
    if evidence.span.name.endswith(".run"):
        return node or evidence.span.name.removesuffix(".run")
    return node or evidence.span.name if evidence.span.parent_id is not None else None


def _failure(span: Span | None) -> tuple[bool, str | None]:
    if span is None:
        return False, None
    exception = next((e.attributes for e in span.events if e.name == "exception"), {})
    error: Any = span.status_message or exception.get("exception.message")
    failed = span.status == _FAILED
    return failed, str(error) if failed and error else None


def _attribute(evidence: Evidence, keys: tuple[str, ...]) -> str | None:
    found = text(evidence.attributes, keys)
    if found is None:
        found = next((value for log in evidence.logs if (value := text(log.attributes, keys)) is not None), None)
    return found


def _previous(evidence: Evidence) -> str | None:
    parameters = load(evidence.attributes.get("llm.invocation_parameters"))
    return text(parameters, ("previous_response_id",)) if isinstance(parameters, dict) else None


def _tells(heard: Heard) -> bool:
    reading = heard.reading
    return reading.speaks or reading.kind in ("tool", "agent", "model")
