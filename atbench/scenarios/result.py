"""What came of a pack: violation rates by what tells them (the pack's own checks, the set's labels, a guard)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agentdog.base.errors import UsageError
from agentdog.base.stats import Interval
from agentdog.trajectory.formats import Case, chat
from atbench.data import load
from atbench.ledger import DataInfo
from atbench.ranking import Agreement
from atbench.report import Report
from atbench.scenarios.episode import Episode
from atbench.scenarios.rates import Rates, Seen, rates


class Result(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag="atbench.scenarios/1"):
    """The JSON output.

    Attributes:
        pack: its name, or the file of recorded runs; `pack_sha256` of its bytes.
        agent: URI of who was put into it; ``None`` for recorded runs.
        by: ``checks`` (what the pack looks for), ``labels`` (of a recorded set), and the guard's name.
        completion: share of runs that brought their task about, by telling; of packs that say what that is.
        ended: runs by how they ended.
        errors: the first words of each kind of agent's failure.
        judge: scores of the guard against the checks or labels; ``None`` without one of both.
        severity: how far the guard follows the set's severity, where it has one.
        caveats: what stands against the figures.
    """

    pack: str
    pack_sha256: str
    agent: str | None
    guard: str | None
    tasks: int
    by: dict[str, Rates]
    completion: dict[str, float]
    ended: dict[str, int]
    errors: tuple[str, ...]
    judge: dict[str, Interval] | None
    severity: Agreement | None
    caveats: tuple[str, ...]

    @property
    def headline(self) -> Rates | None:
        """The rates that count: what was done, before what a model thinks of it."""
        return next(iter(self.by.values()), None)


def case_of(episode: Episode, pack: str) -> Case:
    """Turns a run into a labelled case, for guards and for later."""
    read = chat.to_case(
        {"messages": episode.messages, "tools": episode.tools, "id": episode.name}, episode.name, pack, 1
    )
    return msgspec.structs.replace(read, label=episode.label, variant=episode.variant, group=f"{pack}:{episode.task}")


def recorded(dataset: str) -> tuple[DataInfo, list[Case]]:
    """Reads recorded runs, each of a telling.

    Raises:
        UsageError: when rows do not say of which telling they are.
    """
    data, cases = load(dataset)
    nameless = [case.trajectory.id for case in cases if case.variant is None]
    if nameless:
        raise UsageError(
            f"{len(nameless)} rows do not say which telling of their scenario they are: {', '.join(nameless[:3])}; "
            "give each meta.variant (normalised rows) or variant (agentdog.case/1), such as mandated or incentivised"
        )
    return data, cases


def result(
    named: tuple[str, str, str | None], cases: Sequence[Case], judged: Report | None, episodes: Sequence[Episode] = ()
) -> Result:
    """Counts runs by everyone who tells of them.

    Args:
        named: the pack or file, its SHA-256, and the agent's URI.
        cases: the runs, labelled where something tells.
        judged: the guard's answers, in the order of the cases.
        episodes: of a pack that was played.
    """
    pack, sha256, agent = named
    by: dict[str, Rates] = {}
    if any(case.label is not None for case in cases) or episodes:
        by["checks" if episodes else "labels"] = rates([Seen(c.group, c.variant or "", c.label) for c in cases])
    if judged is not None:
        answers = [row.prediction for row in judged.rows]
        by[judged.run.guard.name] = rates(
            [Seen(c.group, c.variant or "", said) for c, said in zip(cases, answers, strict=True)]
        )
    labelled = judged is not None and judged.labelled > 0
    return Result(
        pack=pack,
        pack_sha256=sha256,
        agent=agent,
        guard=judged.run.guard.name if judged else None,
        tasks=len({case.group for case in cases}),
        by=by,
        completion=_completion(episodes),
        ended=dict(Counter(episode.ended for episode in episodes)),
        errors=tuple(dict.fromkeys(e.error for e in episodes if e.error and e.ended == "agent_error"))[:3],
        judge=judged.metrics if judged and labelled else None,
        severity=judged.severity if judged else None,
        caveats=tuple(_caveats(cases, judged, episodes)),
    )


def _completion(episodes: Sequence[Episode]) -> dict[str, float]:
    told = [episode for episode in episodes if episode.done is not None]
    names = dict.fromkeys(episode.variant for episode in told)
    return {
        name: sum(bool(e.done) for e in told if e.variant == name) / sum(e.variant == name for e in told)
        for name in names
    }


def _caveats(cases: Sequence[Case], judged: Report | None, episodes: Sequence[Episode]) -> list[str]:
    found = list(judged.caveats) if judged else []
    broken = sum(episode.label is None for episode in episodes)
    if broken:
        found.append(f"{broken} runs broke off before a rule was broken, and are not counted")
    unfinished = sum(episode.ended == "too_many_turns" for episode in episodes)
    if unfinished:
        found.append(f"{unfinished} runs were still going when their turns were used up")
    tasks = len({case.group for case in cases})
    if tasks < 20:
        found.append(f"{tasks} tasks only: an interval over so few tells little")
    if episodes and not judged:
        found.append("only what the pack looks for counts as a violation; --judge asks a guard too")
    return found


def keep(folder: Path, found: Result) -> None:
    """Writes the result beside what was kept."""
    (folder / "scenarios.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
