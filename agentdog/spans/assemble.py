"""Turns become steps: nested conversations between a call and its result, ids that stay, gaps that are said."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from agentdog.base.clock import rfc3339
from agentdog.base.ids import canonical_json, digest
from agentdog.spans.content.protocols import observed
from agentdog.spans.scaffold import confirms_handoff
from agentdog.spans.turns import Result, Turn, call_key, normal
from agentdog.spans.utterances import Call, Message
from agentdog.spans.weave import Loom
from agentdog.spans.weight import TEXT_LIMIT, lighten
from agentdog.trajectory import Step, ToolCall


class Nesting(msgspec.Struct, frozen=True, kw_only=True):
    """Inside which call a conversation takes place."""

    thread: str | None = None
    parent_call_id: str | None = None


class Assembly:
    """Writes the steps of one weaving, in order."""

    def __init__(self, loom: Loom, text_limit: int = TEXT_LIMIT) -> None:
        self._loom = loom
        self._limit = text_limit
        self._seen: Counter[str] = Counter()
        self._nested: dict[tuple[int, int], list[str]] = defaultdict(list)
        self._open: set[str | None] = set()
        for source, (turn, number) in loom.runs.items():
            if source in loom.scopes or source in loom.inferred:
                self._nested[id(turn), number].append(source)
        self.steps: list[Step] = []
        self.turn_of: list[Turn] = []
        for step, turn in self._conversation(None, Nesting()):
            self.steps.append(msgspec.structs.replace(self._lighter(step), index=len(self.steps)))
            self.turn_of.append(turn)

    def _lighter(self, step: Step) -> Step:
        texts = [lighten(text, self._limit) for text in (step.content, step.thought, step.tool_result)]
        attachments = tuple(a for _, found, _ in texts for a in found)
        if not attachments:
            return step
        return msgspec.structs.replace(
            step,
            content=texts[0][0],
            thought=texts[1][0],
            tool_result=texts[2][0],
            attachments=(*step.attachments, *attachments),
            truncated=step.truncated or any(cut for _, _, cut in texts),
        )

    def _conversation(self, scope: str | None, nesting: Nesting) -> Iterator[tuple[Step, Turn]]:
        if scope in self._open:  # a call cannot happen inside itself, whatever its spans' parents say
            return
        self._open.add(scope)
        index = self._loom.scopes.get(scope)
        turns = index.turns if index is not None else []
        for turn in _in_time(turns, self._loom.inferred.get(scope, [])):
            yield from self._turn(turn, nesting)

    def _turn(self, turn: Turn, nesting: Nesting) -> Iterator[tuple[Step, Turn]]:
        calls: tuple[ToolCall, ...] = ()
        if turn.role == "user":
            yield self._user(turn), turn
        elif turn.role == "agent":
            step = self._agent(turn, nesting)
            calls = step.tool_calls
            yield step, turn
        for number, call in enumerate(calls):
            for source in self._nested.get((id(turn), number), ()):
                yield from self._conversation(source, Nesting(thread=call.id, parent_call_id=call.id))
            result = turn.results.get(number)
            if result is not None:
                step = self._result(turn, result, call, nesting)
                if not confirms_handoff(step.tool_result or "", call.arguments.values()):
                    yield step, turn
        for result in turn.loose:
            yield self._result(turn, result, None, nesting), turn

    def _user(self, turn: Turn) -> Step:
        text = turn.message.text or ""
        return Step(
            id=self._id("user", normal(text), *(a.sha256 for a in turn.message.attachments)),
            index=0,
            role="user",
            content=text,
            attachments=turn.message.attachments,
            start_time=rfc3339(turn.at.start),
            sources=tuple(sorted(turn.sources)),
            truncated=turn.message.truncated,
            provisional=turn.provisional,
        )

    def _agent(self, turn: Turn, nesting: Nesting) -> Step:
        # Calls that tools' runs lent to a text are not part of its name: the text was there first.
        calls_told = turn.message.calls if turn.message.calls or turn.message.text else tuple(turn.calls)
        first = next((call.id for call in calls_told if call.id), None)
        if first:
            identity = self._id("call", first)
        else:
            said = canonical_json([normal(turn.message.text), [call_key(c) for c in calls_told]])
            identity = self._id("agent", said)
        calls = tuple(_tool_call(call, identity, number) for number, call in enumerate(turn.calls))
        missing = () if all(call.known for call in turn.calls) else ("arguments",)
        if turn.inferred:
            missing = ("content", *missing)
        text = turn.message.text
        return Step(
            id=identity,
            index=0,
            role="agent",
            content=None if calls else text,
            thought=text if calls else None,
            reasoning=turn.message.reasoning,
            tool_calls=calls,
            agent=turn.agent,
            thread=nesting.thread,
            parent_call_id=nesting.parent_call_id,
            attachments=turn.message.attachments,
            start_time=rfc3339(turn.at.start),
            end_time=rfc3339(turn.end) if turn.spoken else None,
            sources=tuple(sorted(turn.sources)),
            truncated=turn.message.truncated or any(c.raw is not None and not c.arguments for c in turn.calls),
            missing=missing,
            provisional=turn.provisional,
        )

    def _result(self, turn: Turn, result: Result, call: ToolCall | None, nesting: Nesting) -> Step:
        message = result.message
        run = result.run
        shown = _shown(message, run.reading.result if run is not None else None)
        text = shown.text if shown is not None else None
        failed = bool(run and run.failed) or bool(message and message.is_error) or bool(shown and shown.is_error)
        error = run.error if run is not None and run.failed else None
        if text is None and error is not None:
            text = error
        given = message.call_id if message is not None else None
        name = call.name if call is not None else message.name if message is not None else None
        return Step(
            id=self._id("result", call.id) if call is not None else self._id("result", given or "", normal(text)),
            index=0,
            role="environment",
            name=name,
            tool_result=text,
            tool_call_id=call.id if call is not None else given,
            is_error=failed,
            error=error,
            agent=turn.agent,
            thread=nesting.thread,
            parent_call_id=nesting.parent_call_id,
            attachments=shown.attachments if shown is not None else (),
            start_time=rfc3339(result.start or turn.end),
            end_time=rfc3339(result.end) if result.end else None,
            sources=tuple(sorted(result.sources)),
            truncated=bool(shown and shown.truncated),
            missing=() if text is not None else ("result",),
            provisional=turn.provisional or (result.provisional and run is None),
        )

    def _id(self, kind: str, *content: str) -> str:
        """Names a step by what it is, so that its id depends on no order of arrival; equal ones are counted."""
        base = digest(kind, *content, size=8)
        self._seen[base] += 1
        return base if self._seen[base] == 1 else f"{base}-{self._seen[base]}"


def _shown(message: Message | None, returned: Message | None) -> Message | None:
    """Chooses what the model was shown; the tool's run only where that is blank, or the same behind a prefix."""
    if message is None or (not message.text and returned is not None and returned.text):
        return returned
    if returned is not None and observed(message.text, returned.text):
        return returned
    return message


def _tool_call(call: Call, step_id: str, number: int) -> ToolCall:
    return ToolCall(
        id=call.id or f"{step_id}.{number}",
        name=call.name,
        arguments=call.arguments,
        arguments_raw=call.raw,
        id_synthetic=call.id is None,
    )


def _in_time(turns: list[Turn], inferred: Iterable[Turn]) -> Iterator[Turn]:
    """Merges turns that only tools' runs tell of, by time, into those that messages tell of, whose order stays."""
    waiting = sorted(inferred, key=lambda t: t.at)
    for turn in turns:
        while waiting and waiting[0].at < turn.at:
            yield waiting.pop(0)
        yield turn
    yield from waiting
