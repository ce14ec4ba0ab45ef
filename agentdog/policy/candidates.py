"""Rules that deny one call, from the most telling to the narrowest.

A good rule names what was wrong (a destination that only a tool's result brought in) and not what was incidental (this
address). So the first candidates speak of provenance and effect, the last of the very values.

Invariant: a pure function of the call and of what was before it; every candidate fits the call it was made for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from agentdog.policy.background import Pending
from agentdog.policy.match import fits
from agentdog.policy.model import ArgumentTest, Decision, ProvenanceTest, Rule
from agentdog.provenance import Effect, EffectCatalogue, Kind, Source, Trace

#: Effects by what they can cost, the dearest first; reading alone is never what a rule names.
_BY_COST = (Effect.PAY, Effect.GRANT, Effect.DELETE, Effect.SEND, Effect.EXECUTE, Effect.WRITE)
_PLACES = (Kind.EMAIL, Kind.URL, Kind.HOST, Kind.IDENTIFIER, Kind.PATH)
_SENSITIVE = (Kind.SECRET, Kind.SECRET_FILE, Kind.PERSONAL)
_SAID = {
    Effect.PAY: ("No payment goes to", "Payments by"),
    Effect.GRANT: ("No access is given to", "Grants of access by"),
    Effect.DELETE: ("Nothing is deleted at", "Deletions by"),
    Effect.SEND: ("No message or upload goes to", "Messages and uploads by"),
    Effect.EXECUTE: ("No command reaches", "Commands by"),
    Effect.WRITE: ("Nothing is changed at", "Changes by"),
}
_NAMED = {
    Kind.EMAIL: "an address",
    Kind.URL: "a link",
    Kind.HOST: "a host",
    Kind.IDENTIFIER: "an account or id",
    Kind.PATH: "a path",
    Kind.SECRET: "a secret",
    Kind.SECRET_FILE: "a file of secrets",
    Kind.PERSONAL: "personal data",
}
_LONGEST = 80  # characters of a value that a rule repeats


def candidates(pending: Pending, catalogue: EffectCatalogue) -> list[Rule]:
    """Returns rules that deny a call, the most telling first, each once."""
    found: dict[str, Rule] = {}
    for rule in _all(pending, catalogue):
        if fits(rule, pending):
            found.setdefault(rule.id, rule)
    return list(found.values())


def _all(pending: Pending, catalogue: EffectCatalogue) -> Iterator[Rule]:
    effect = next((e for e in _BY_COST if e in pending.effects), None)
    yield from _by_origin(pending, catalogue, effect)
    if effect is not None and effect is not Effect.EXECUTE and Effect.EXECUTE in pending.effects:
        yield _rule(
            f"{_slug(pending.call.name)}-no-{effect.value}",
            f"{_SAID[effect][1]} {pending.call.name} are for a person to make.",
            tool=(pending.call.name,),
            effect=(effect,),
        )
    yield from _by_value(pending, catalogue)
    yield _rule(
        f"no-{_slug(pending.call.name)}", f"{pending.call.name} is not for this agent.", tool=(pending.call.name,)
    )


def _by_origin(pending: Pending, catalogue: EffectCatalogue, effect: Effect | None) -> Iterator[Rule]:
    """Who brought the telling values in: a result, or nobody at all."""
    whom: dict[str, Any] = {"effect": (effect,)} if effect else {"tool": (pending.call.name,)}
    said, name = (
        (_SAID[effect][0], effect.value) if effect else (f"{pending.call.name} does not reach", pending.call.name)
    )
    for origin, words in (
        (Source.UNTRUSTED, "that only a tool's result named"),
        (Source.AGENT, "that nobody named before"),
    ):
        brought = [t for t in pending.traces if pending.origin(t) is origin]
        where = [t for t in brought if _is_destination(t, catalogue)]
        for trace in sorted(where, key=lambda t: _PLACES.index(t.value.kind)):
            yield _rule(
                f"{_slug(name)}-to-{origin.value}-{_slug(trace.value.kind.value)}",
                f"{said} {_NAMED[trace.value.kind]} {words}.",
                provenance=ProvenanceTest(
                    origin=origin, argument=_destinations(pending, trace, catalogue), kind=(trace.value.kind,)
                ),
                **whom,
            )
        for trace in brought:
            if trace.value.kind in _SENSITIVE and origin is Source.UNTRUSTED:
                yield _rule(
                    f"{_slug(name)}-no-{_slug(trace.value.kind.value)}",
                    f"{pending.call.name} carries no secrets or personal data {words}.",
                    provenance=ProvenanceTest(origin=origin, kind=_SENSITIVE),
                    **whom,
                )
            elif trace.value.kind in _PLACES and origin is Source.UNTRUSTED:
                yield _rule(
                    f"{_slug(pending.call.name)}-{_slug(trace.argument)}-{origin.value}-{_slug(trace.value.kind.value)}",
                    f"{pending.call.name} does nothing with {_NAMED[trace.value.kind]} {words}.",
                    tool=(pending.call.name,),
                    provenance=ProvenanceTest(origin=origin, argument=(trace.argument,), kind=(trace.value.kind,)),
                )


def _by_value(pending: Pending, catalogue: EffectCatalogue) -> Iterator[Rule]:
    """The very values: where it goes, what is run."""
    tool = (pending.call.name,)
    for path, leaf in _leaves(pending.arguments):
        name = path.rsplit(".", 1)[-1].lower()
        if name in catalogue.destinations and isinstance(leaf, str) and "@" in leaf:
            domain = leaf.rsplit("@", 1)[1].strip(" >)\"'").lower()
            yield _rule(
                f"{_slug(pending.call.name)}-{_slug(path)}-{_slug(domain)}",
                f"{pending.call.name} sends nothing to {domain}.",
                tool=tool,
                arguments={path: ArgumentTest(domain_in=(domain,))},
            )
        elif name in catalogue.code_arguments and isinstance(leaf, str):
            pattern = r"\s+".join(re.escape(word) for word in leaf[:_LONGEST].split())
            yield _rule(
                f"{_slug(pending.call.name)}-{_slug(path)}",
                f"{pending.call.name} does not run this command.",
                tool=tool,
                arguments={path: ArgumentTest(matches=pattern)},
            )
    exact = {path: leaf for path, leaf in _leaves(pending.arguments) if len(str(leaf)) <= _LONGEST}
    if exact:
        yield _rule(
            f"{_slug(pending.call.name)}-this-call",
            f"{pending.call.name} is not called with these values.",
            tool=tool,
            arguments={path: ArgumentTest(equals=leaf) for path, leaf in list(exact.items())[:4]},
        )


def _rule(rule_id: str, reason: str, **conditions: Any) -> Rule:  # noqa: ANN401 - the rule's own fields
    return Rule(id=rule_id, decision=Decision.DENY, reason=reason, **conditions)


def _is_destination(trace: Trace, catalogue: EffectCatalogue) -> bool:
    return trace.value.kind in _PLACES and trace.argument.lower() in catalogue.destinations


def _destinations(pending: Pending, trace: Trace, catalogue: EffectCatalogue) -> tuple[str, ...]:
    """The argument where it was seen, and the others of the call that say where something goes."""
    names = [path.rsplit(".", 1)[-1] for path, _ in _leaves(pending.arguments)]
    return tuple(dict.fromkeys([trace.argument, *(n for n in names if n.lower() in catalogue.destinations)]))


def _leaves(arguments: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str | float | bool]]:
    """Every value with its path as a policy file writes it; entries of a list share theirs."""
    for key, value in arguments.items():
        path = f"{above}.{key}" if above else str(key)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping):
                yield from _leaves(item, path)
            elif isinstance(item, str | int | float):
                yield path, item


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "value"
