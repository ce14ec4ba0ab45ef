"""Trajectories, verdicts and guards for tests of this room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from agentdog.guards import GuardInfo, Health, Labels, Outcome, Reason, Verdict
from agentdog.trajectory import Agent, Header, Step, ToolCall, Trajectory
from agentdog.trajectory.model import Completion

LABELS = Labels(
    risk_source="indirect_prompt_injection",
    failure_mode="unconfirmed_or_over_privileged_action",
    real_world_harm="privacy_and_confidentiality_harm",
)


def turns(
    number: int, *, completion: Completion = "final", changed: int | None = None, digest: str = "d"
) -> Trajectory:
    """A user's words, then `number` turns: a call and its answer; one agent step may read otherwise."""
    steps = [Step(id="s0", index=0, role="user", content="Summarise my mail.", sources=("t:0",))]
    for turn in range(number):
        name = "send_email" if turn % 2 else "read_email"
        call = ToolCall(id=f"c{turn}", name=name, arguments={"n": turn, "to": f"box{turn}@example.org"})
        thought = "again" if turn == changed else None
        steps.append(
            Step(
                id=f"a{turn}", index=len(steps), role="agent", thought=thought, tool_calls=(call,), agent="bot",
                sources=("t:1",),
            )
        )  # fmt: skip
        steps.append(
            Step(
                id=f"e{turn}", index=len(steps), role="environment", name=name, tool_result=f"answer {turn}",
                tool_call_id=call.id, sources=("t:2",),
            )
        )  # fmt: skip
    return Trajectory(
        id="t", digest=digest, project="p", agents={"bot": Agent()}, completion=completion, missing=(), scopes=(),
        steps=tuple(steps),
    )  # fmt: skip


def verdict(p: float, labels: Labels | None = None, *, threshold: float = 0.5) -> Verdict:
    outcome = Outcome.UNSAFE if p >= threshold else Outcome.SAFE
    return Verdict(outcome=outcome, guard="f", p_unsafe=p, labels=labels)


def failed(reason: Reason) -> Verdict:
    return Verdict(outcome=Outcome.NOT_EVALUATED, guard="f", reason=reason)


class Served:
    """A guard like one behind a server: sessions can be copied, labels are asked for apart; remembers what was asked.

    `answer` is given the index of the step; `gate`, where set, is waited for before each answer.
    """

    def __init__(self, answer: Callable[[int], Verdict], gate: asyncio.Event | None = None) -> None:
        self.answer = answer
        self.gate = gate
        self.asked: list[int] = []
        self.labelled: list[int] = []
        self.in_flight = self.most_in_flight = 0

    @property
    def info(self) -> GuardInfo:
        return GuardInfo(name="served", uri="test", fingerprint="f", served=True)

    def open(self, header: Header) -> ServedSession:
        return ServedSession(self, 0)

    async def health(self) -> Health:
        return Health(ok=True, detail="")

    async def close(self) -> None:
        return None


class ServedSession:
    def __init__(self, guard: Served, seen: int) -> None:
        self._guard, self._seen = guard, seen

    def fork(self) -> ServedSession:
        return ServedSession(self._guard, self._seen)

    def extend(self, step: Step) -> None:
        assert step.index == self._seen, "steps come in order, each once"
        self._seen += 1

    async def verdict(self) -> Verdict:
        return await self.label(await self.verdict_only())

    async def verdict_only(self) -> Verdict:
        guard, at = self._guard, self._seen - 1
        guard.asked.append(at)
        guard.in_flight += 1
        guard.most_in_flight = max(guard.most_in_flight, guard.in_flight)
        try:
            await (guard.gate.wait() if guard.gate else asyncio.sleep(0))
        finally:
            guard.in_flight -= 1
        return guard.answer(at)

    async def label(self, verdict: Verdict) -> Verdict:
        self._guard.labelled.append(self._seen - 1)
        return Verdict(outcome=verdict.outcome, guard="f", p_unsafe=verdict.p_unsafe, labels=LABELS)


def of(indices: Sequence[int], p: float) -> Callable[[int], Verdict]:
    """Unsafe with probability `p` at these steps, safe elsewhere."""
    return lambda at: verdict(p if at in indices else 0.05)
