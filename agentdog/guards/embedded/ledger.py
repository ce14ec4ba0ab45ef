"""What was done so far, and what came of it: failures, repeats, files read, run and written.

Invariant: it only grows, every container is bounded, and one step costs time linear in that step.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field, replace

from agentdog.base.ids import canonical_json, digest
from agentdog.guards.embedded.catalogue import Catalogue
from agentdog.guards.embedded.forking import forked
from agentdog.guards.embedded.turn import Act
from agentdog.provenance import Effect, Kind

MEMORY = 512
"""Calls, files and failures remembered at a time."""
_RESULT = 4000
"""Characters of a result that are read for failure: errors stand at the beginning or at the end."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that did not do what it should."""

    step: int
    tool: str
    effects: frozenset[Effect]
    quote: str


@dataclass(frozen=True, slots=True)
class Repeat:
    """How often one call was made, with the same answer each time."""

    count: int = 0
    answer: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """What was done with one path, by the step at which it first was."""

    read: int | None = None
    run: int | None = None
    written: int | None = None


@dataclass
class Ledger:
    """The record of acts and their results."""

    catalogue: Catalogue
    attempted: Counter[Effect] = field(default_factory=Counter)
    failed: Counter[Effect] = field(default_factory=Counter)
    names: Counter[str] = field(default_factory=Counter)
    failures: deque[Failure] = field(default_factory=lambda: deque(maxlen=MEMORY))
    files: OrderedDict[str, File] = field(default_factory=OrderedDict)
    last_failed: Failure | None = None
    changes: int = 0

    def __post_init__(self) -> None:
        """Starts with nothing pending."""
        self._pending: deque[Act] = deque(maxlen=MEMORY)
        self._repeats: OrderedDict[str, Repeat] = OrderedDict()

    def fork(self) -> Ledger:
        """Returns a copy that grows on its own."""
        return forked(self)

    def did(self, act: Act) -> None:
        """Takes in an act, before its result is known."""
        self._pending.append(act)
        self.attempted.update(act.effects)
        self.names[act.call.name] += 1
        self.changes += act.changes
        for path, how in touched(act):
            file = self.files.get(path, File())
            self.files[path] = file if getattr(file, how) is not None else replace(file, **{how: act.step})
            if len(self.files) > MEMORY:
                self.files.popitem(last=False)

    def came(self, text: str, error: bool, index: int) -> Act | None:
        """Takes in a result; returns the act that it answers: the one that waits the longest."""
        act = self._pending.popleft() if self._pending else None
        shown = text if len(text) <= _RESULT else text[: _RESULT // 2] + "\n" + text[-_RESULT // 2 :]
        fails = self.fails(shown, error)
        self.last_failed = None
        if act is None:
            return None
        if fails:
            self.last_failed = Failure(index, act.call.name, act.effects, shown[:200])
            self.failures.append(self.last_failed)
            self.failed.update(act.effects)
        key = _key(act)
        repeat = self._repeats.get(key, Repeat())
        answer = digest("answer", shown)
        self._repeats[key] = Repeat(repeat.count + 1 if repeat.answer in ("", answer) else 1, answer)
        if len(self._repeats) > MEMORY:
            self._repeats.popitem(last=False)
        return act

    def fails(self, text: str, error: bool) -> bool:
        """Whether a short result speaks of failure; a long one is content, unless the telemetry says that it failed."""
        if error:
            return True
        head = text[:400]
        return bool(self.catalogue.talk["fails"].search(head)) and len(text) < 2 * len(head)

    def repeated(self, act: Act) -> int:
        """How often this very call was already answered in the same way."""
        repeat = self._repeats.get(_key(act))
        return repeat.count if repeat else 0


def _key(act: Act) -> str:
    return digest("call", act.call.name, canonical_json(dict(act.arguments)))


_WRITES = re.compile(
    r"(?:>>?|\btee\s(?:-a\s)?|\bsed\s+(?:-\w+\s+)*-i\S*\s[^\n;|&]{0,400}?|\b(?:cp|mv|install)\s[^\n;|&]{0,200}\s"
    r"|\bperl\s+-\w*i\w*\s[^\n;|&]{0,200}?|\b(?:chmod|rm|truncate|touch|ln)\s[^\n;|&]{0,120}?"
    r"|open\(\s*|write_text\(\s*|to_csv\(\s*|Path\(\s*)[\"']?(?<=[\s\"'(>])(?P<path>[\w./~\-]*/?[\w.\-]+\.\w{1,5}|/[\w./\-]{2,200})"
)
_PYTHON_READ = re.compile(r"open\(\s*[\"'][^\"']{1,200}[\"']\s*\)|open\(\s*[\"'][^\"']{1,200}[\"']\s*,\s*[\"']r")
_RUNS = re.compile(
    r"(?:^|[;&|(]\s*|\b(?:bash|sh|python3?|node|perl|ruby|sudo|source|time)\s+)(?P<path>(?:[\w.~\-]*/)[\w./\-]+|[\w\-]+\.(?:sh|py|js|rb|pl))"
)


def touched(act: Act) -> list[tuple[str, str]]:
    """Returns the files that an act reads, runs or writes, by their full spelling in lower case."""
    found: list[tuple[str, str]] = []
    for code in act.code:
        writes = {m["path"].lower() for m in _WRITES.finditer(_PYTHON_READ.sub("", code))}
        found += [(path, "written") for path in writes]
        found += [(m["path"].lower(), "run") for m in _RUNS.finditer(code)]
        found += [
            (t.value.key, "read")
            for t in act.traces
            if t.value.kind is Kind.PATH and t.value.key not in writes and t.value.quote in code
        ]
    if not act.code:
        how = "written" if act.effects & {Effect.WRITE, Effect.DELETE} else "read"
        found += [(t.value.key, how) for t in act.traces if t.value.kind is Kind.PATH and len(t.argument) < 24]
    return found
