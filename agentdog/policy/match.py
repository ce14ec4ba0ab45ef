"""Whether a rule fits a call.

Two readings, so that neither a denial nor an allowance can be talked around: a rule that denies or asks for review fits
when *any* value of an argument meets the condition (one bad recipient among many is enough); a rule that allows fits
only when *all* of them do. Arguments that could not be decoded never fit a rule that allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

import msgspec

from agentdog.policy.background import Pending
from agentdog.policy.model import ArgumentTest, Decision, Policy, ProvenanceTest, Rule
from agentdog.provenance import Kind, Source, Trace, extract

_CHANCE = frozenset({Kind.AMOUNT, Kind.SPAN})
_LONGEST = 200_000  # characters of one value that are looked at by a pattern
Quantifier = Callable[[Iterable[object]], bool]


def decide(policy: Policy, pending: Pending) -> Rule | None:
    """Returns the first rule that fits, which decides; ``None`` where the policy is silent."""
    return next((rule for rule in policy.rules if fits(rule, pending)), None)


def fits(rule: Rule, pending: Pending) -> bool:
    """Whether every condition of a rule holds for a call."""
    allows = rule.decision is Decision.ALLOW
    if rule.tool and not _named(pending.call.name, rule.tool):
        return False
    if rule.agent and not _named(pending.agent or "", rule.agent):
        return False
    if rule.project and not _named(pending.project or "", rule.project):
        return False
    if rule.effect and not _effects_fit(rule, pending, allows):
        return False
    every: Quantifier = all if allows else any
    if not all(_argument_fits(path, test, pending, every, allows) for path, test in rule.arguments.items()):
        return False
    return rule.provenance is None or _provenance_fits(rule.provenance, pending, allows)


def _effects_fit(rule: Rule, pending: Pending, allows: bool) -> bool:
    """A call that also does something else is not what a rule allows."""
    if allows:
        return bool(pending.effects) and pending.effects <= set(rule.effect)
    return bool(pending.effects & set(rule.effect))


def _argument_fits(path: str, test: ArgumentTest, pending: Pending, every: Quantifier, allows: bool) -> bool:
    if pending.raw is not None:
        # Nothing can be said of single arguments: a rule that denies looks at the text, one that allows stays away.
        return not allows and test.present is not False and _holds(test, pending.raw)
    found = list(_at(pending.arguments, path.split(".")))
    if test.present is not None and test.present is not bool(found):
        return False
    if not _asks_value(test):
        return True
    return bool(found) and every([_holds(test, leaf) for leaf in found])


def _asks_value(test: ArgumentTest) -> bool:
    return test != ArgumentTest(present=test.present)


def _at(value: Any, path: list[str]) -> Iterator[Any]:  # noqa: ANN401 - any JSON value
    """Yields the leaves below a path; lists are looked through, ``*`` stands for any key."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _at(item, path)
    elif isinstance(value, Mapping):
        if not path:
            for item in value.values():
                yield from _at(item, path)
            return
        for key, item in value.items():
            if path[0] == "*" or str(key).lower() == path[0].lower():
                yield from _at(item, path[1:])
                if path[0] == "*" and isinstance(item, Mapping | list):
                    yield from _at(item, path)
    elif not path and value is not None:
        yield value


def _holds(test: ArgumentTest, leaf: Any) -> bool:  # noqa: ANN401 - a JSON leaf
    text = (leaf if isinstance(leaf, str) else str(leaf))[:_LONGEST]
    number = _number(leaf)
    stated: list[tuple[bool, Callable[[], bool]]] = [
        (test.equals is not msgspec.UNSET, lambda: _same(leaf, test.equals)),
        (bool(test.one_of), lambda: any(_same(leaf, value) for value in test.one_of)),
        (test.contains is not None, lambda: (test.contains or "").lower() in text.lower()),
        (test.matches is not None, lambda: _pattern(test.matches or "").search(text) is not None),
        (test.not_matches is not None, lambda: _pattern(test.not_matches or "").search(text) is None),
        (bool(test.domain_in), lambda: _domains_in(text, test.domain_in)),
        (bool(test.domain_not_in), lambda: not _domains_in(text, test.domain_not_in)),
        (test.above is not None, lambda: number is not None and test.above is not None and number > test.above),
        (test.below is not None, lambda: number is not None and test.below is not None and number < test.below),
    ]
    return all(check() for asked, check in stated if asked)


def _same(leaf: Any, value: object) -> bool:  # noqa: ANN401
    if isinstance(leaf, bool) or isinstance(value, bool):
        return leaf is value
    if isinstance(leaf, str) and isinstance(value, str):
        return leaf.strip().lower() == value.strip().lower()
    number, other = _number(leaf), _number(value)
    return number is not None and number == other


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(str(value).replace(",", "").strip(" $€£¥"))
    except ValueError:
        return None


def _domains_in(text: str, allowed: tuple[str, ...]) -> bool:
    """Whether there are addresses or links in a text, and all lie in these domains."""
    hosts = set()
    for value in extract(text):
        if value.kind is Kind.EMAIL:
            hosts.add(value.key.rpartition("@")[2])
        elif value.kind is Kind.HOST:
            hosts.add(value.key.partition(":")[0])
    wanted = [domain.lower().lstrip("@.*") for domain in allowed]
    return bool(hosts) and all(any(h == d or h.endswith("." + d) for d in wanted) for h in hosts)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _named(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


def _provenance_fits(test: ProvenanceTest, pending: Pending, allows: bool) -> bool:
    kinds = frozenset(test.kind)
    names = frozenset(name.lower() for name in test.argument)
    looked = [
        trace
        for trace in pending.traces
        if (trace.value.kind in kinds if kinds else trace.value.kind not in _CHANCE)
        and (not names or trace.argument.lower() in names)
    ]
    if allows:
        return bool(looked) and all(_came_from(test, trace, pending) for trace in looked)
    return any(_came_from(test, trace, pending) for trace in looked)


def _came_from(test: ProvenanceTest, trace: Trace, pending: Pending) -> bool:
    if test.origin in (Source.SYSTEM, Source.USER, Source.TRUSTED) and test.origin in trace.seen:
        return True
    if pending.origin(trace) is not test.origin:
        return False
    if not test.tool:
        return True
    step = trace.seen.get(Source.UNTRUSTED)
    return step is not None and _named(pending.brought_by.get(step, ""), test.tool)
