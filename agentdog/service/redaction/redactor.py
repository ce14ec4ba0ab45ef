"""Replaces what detectors find in string leaves by ``[class:kind:tag]``, and counts it.

What only its surroundings tell for a secret (``password: …``) is replaced wherever else it stands in the same record.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec
import re2

from agentdog.base.errors import UsageError
from agentdog.service.redaction.detectors import NAME_GATE, SECRET_NAME, Detector, Place
from agentdog.service.redaction.detectors import secrets as all_secrets
from agentdog.service.redaction.key import fingerprint
from agentdog.service.redaction.personal import DETECTORS, is_card
from agentdog.service.settings import Personal
from agentdog.spans.allowance import unwatched, weight
from agentdog.spans.otlp import opened
from agentdog.spans.otlp_build import make_log
from agentdog.spans.records import Arrived, Event, Log, Received, Record, Rejection, Sealed, Span

T = TypeVar("T", bound=msgspec.Struct)
#: Told of each record's finds, by kind, so that they are counted for its project.
Finds = Mapping[str, int]

_TAG_BYTES = 6
#: Shorter texts hold no secret that is worth the name.
_SHORTEST = 5
#: What is looked for in the whole record must be long enough not to stand there by chance.
_FAR = 8
_ESCAPES = r"\\u00[2-7]|\\/"
_DEEPEST = 32
_CARDS_FROM = 10**12
_JSON = ("{", "[", '"')
#: What redaction leaves; it is never redacted again.
PLACEHOLDER = re.compile(r"\[(?:secret|personal):[a-z_]{1,40}:[0-9a-f]{12}\]")


class Redactor:
    """Takes secrets out of records and of what callers of inline checks send.

    Args:
        key: of the placeholders.
        detectors: which secrets; the first that finds a place names it.
        personal: which personal data, by the kind of their detectors.
    """

    def __init__(self, key: bytes, detectors: Sequence[Detector], personal: Sequence[Detector] = ()) -> None:
        self._key = key
        self._detectors = (*detectors, *personal)
        self._personal = frozenset(each.kind for each in personal)
        gates = [each.gate for each in self._detectors]
        # Numbers may be cards, and patterns of the user's may look at where a text begins: these bodies are all read.
        self._gated = None not in gates
        self._names = any(each.contextual for each in detectors)
        self._cards = "card" in self._personal
        self._gates_bytes = self._gated and not self._cards
        given = [gate for gate in (*gates, NAME_GATE if self._names else None, _ESCAPES) if gate is not None]
        self._gate = re2.compile("|".join(f"(?:{gate})" for gate in given).encode())  # bodies are bytes of any sort
        self._which = re2.Set.SearchSet()
        for gate in gates:
            self._which.Add(gate if gate is not None else "")
        self._which.Compile()

    @property
    def fingerprint(self) -> str:
        """Names the key without telling it."""
        return fingerprint(self._key)

    def clean(
        self, decoded: Received, body: bytes | None = None, grow: Callable[[int], object] = unwatched
    ) -> tuple[Received, list[Finds]]:
        """Redacts a request.

        Args:
            decoded: what it held.
            body: its bytes, inflated, where they are at hand: most hold nothing that could be a secret.
            grow: told about how many bytes its records take from now on, as they are opened.

        Returns:
            The request as it may be stored, and what was found in each of its records.

        Raises:
            Overloaded: `grow` raised it.
        """
        if body is not None and self._gates_bytes and self._gate.search(body) is None:
            return decoded, [{}] * len(decoded.records)
        cleaned, size = [], 0
        for record in decoded.records:
            cleaned.append(self._arrived(record))
            size += weight(cleaned[-1][0])
            grow(size)
        rejected = tuple(
            Rejection(id=self.text(fault.id), reason=self.text(fault.reason)) for fault in decoded.rejected
        )
        kept = msgspec.structs.replace(decoded, records=tuple(r for r, _ in cleaned), rejected=rejected)
        return kept, [finds for _, finds in cleaned]

    def _arrived(self, record: Arrived) -> tuple[Arrived, Finds]:
        """Redacts one record; a sealed span is opened only where its bytes, or its resource, need a closer look."""
        if not isinstance(record, Sealed):
            return self.record(record)
        calm = self._gates_bytes and self._gate.search(record.raw) is None
        if calm and not self.suspicious(_texts(record.resource, 0)):
            return record, {}
        kept, finds = self.record(opened(record))
        return (kept if finds else record), finds

    def record(self, record: Record) -> tuple[Record, Finds]:
        """Redacts one record; the id of a log record is made anew of what is left."""
        pass_over = _Pass(self)
        if isinstance(record, Span):
            parts: Any = [record.name, record.status_message, record.attributes, record.resource]
            parts += [[event.name, event.attributes] for event in record.events]
            kept = pass_over.over(parts)
            if kept is parts:
                return record, {}
            events = tuple(
                Event(name=name, time_ns=event.time_ns, attributes=attributes)
                for event, (name, attributes) in zip(record.events, kept[4:], strict=True)
            )
            changes = dict(zip(("name", "status_message", "attributes", "resource"), kept, strict=False))
            return msgspec.structs.replace(record, **changes, events=events), pass_over.finds
        parts = [record.name, record.body, record.attributes, record.resource]
        kept = pass_over.over(parts)
        if kept is parts:
            return record, {}
        return _log(record, kept), pass_over.finds

    def struct(self, value: T) -> T:
        """Redacts a message of ours, such as the body of an inline check."""
        plain = msgspec.to_builtins(value)
        kept = _Pass(self).over(plain)
        return value if kept is plain else msgspec.convert(kept, type(value))

    def text(self, text: str) -> str:
        """Redacts a text that stands alone."""
        kept: str = _Pass(self).over(text)
        return kept

    def placeholder(self, secret: str, kind: str) -> str:
        """Returns what stands for a secret: the same for the same secret and key, telling nothing of it."""
        tag = blake2b(secret.encode("utf-8", "surrogatepass"), key=self._key, digest_size=_TAG_BYTES).hexdigest()
        return f"[{'personal' if kind in self._personal else 'secret'}:{kind}:{tag}]"

    def suspicious(self, texts: Iterable[str]) -> bool:
        """Whether any of these texts is to be read closely."""
        return not self._gated or self._gate.search("\n".join([*texts, ""]).encode("utf-8", "replace")) is not None

    def found(self, text: str) -> list[tuple[Place, Detector]]:
        """Returns the places of secrets in order, none overlapping another."""
        passed = self._which.Match(text.encode("utf-8", "replace"))
        if not passed:
            return []
        found = [(place, rank) for rank in sorted(passed) for place in self._detectors[rank].find(text)]
        done = [match.span() for match in PLACEHOLDER.finditer(text)] if "[" in text else []
        found = [(p, rank) for p, rank in found if p[0] < p[1] and not any(p[0] < d[1] and d[0] < p[1] for d in done)]
        return [(place, self._detectors[rank]) for place, rank in _apart(found)]

    def is_json(self, text: str) -> bool:
        """Whether a text may be JSON, whose own leaves are read: escapes hide what a pattern looks for."""
        return text.lstrip()[:1] in _JSON and self.suspicious([text])

    def is_secret_name(self, name: str) -> bool:
        """Whether the value under a name is a secret, whatever it looks like."""
        return self._names and SECRET_NAME.fullmatch(name) is not None

    def is_card(self, number: int) -> bool:
        """Whether a number is a card's, and cards are wanted."""
        return self._cards and number > _CARDS_FROM and is_card(str(number))


class _Pass:
    """One record on its way: reads all of it, then writes what is left. Unchanged values stay the same object."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._spread: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    @property
    def finds(self) -> Finds:
        return self._counts

    def over(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        redactor = self._redactor
        if not redactor.suspicious(_texts(value, 0)):
            return value
        kept = self._value(value, "", 0)
        return self._far(kept) if self._spread else kept

    def _value(self, value: Any, name: str, depth: int) -> Any:  # noqa: ANN401
        if isinstance(value, str):
            return self._text(value, name, depth)
        if depth > _DEEPEST:
            return value
        if isinstance(value, Mapping):
            return _same_or(value, {self._text(k, "", depth): self._value(v, k, depth + 1) for k, v in value.items()})
        if isinstance(value, list | tuple):
            kept = [self._value(v, name, depth + 1) for v in value]
            return value if all(a is b for a, b in zip(kept, value, strict=True)) else type(value)(kept)
        if isinstance(value, int) and self._redactor.is_card(value):
            return self._replaced(str(value), "card")
        return value

    def _text(self, text: str, name: str, depth: int) -> str:
        if len(text) < _SHORTEST:
            return text
        if name and self._redactor.is_secret_name(name) and PLACEHOLDER.fullmatch(text) is None:
            return self._named(text)
        redactor = self._redactor
        if depth <= _DEEPEST and redactor.is_json(text):
            text = self._unescaped(text, depth)
        found = redactor.found(text)
        if not found:
            return text
        out, at = [], 0
        for (start, end), detector in found:
            secret = text[start:end]
            placeholder = self._replaced(secret, detector.kind)
            if detector.contextual and len(secret) >= _FAR:
                self._spread[secret] = placeholder
            out += [text[at:start], placeholder]
            at = end
        return "".join([*out, text[at:]])

    def _named(self, text: str) -> str:
        """A value whose name says that it is secret; a scheme before it is not."""
        scheme, gap, rest = text.partition(" ")
        if scheme.lower() in ("bearer", "basic", "token", "digest") and rest:
            return scheme + gap + self._named(rest)
        found = self._redactor.found(text)
        kind = found[0][1].kind if found and found[0][0] == (0, len(text)) else "credential"
        placeholder = self._replaced(text, kind)
        if len(text) >= _FAR:
            self._spread[text] = placeholder
        return placeholder

    def _unescaped(self, text: str, depth: int) -> str:
        try:
            parsed = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return text
        kept = self._value(parsed, "", depth + 1)
        return text if kept is parsed else msgspec.json.encode(kept).decode()

    def _replaced(self, secret: str, kind: str) -> str:
        self._counts[kind] += 1
        return self._redactor.placeholder(secret, kind)

    def _far(self, value: Any) -> Any:  # noqa: ANN401
        """Replaces what was found elsewhere in the record."""
        if isinstance(value, str):
            for secret, placeholder in self._spread.items():
                if secret in value:
                    value = value.replace(secret, placeholder)
            return value
        if isinstance(value, Mapping):
            return _same_or(value, {self._far(k): self._far(v) for k, v in value.items()})
        if isinstance(value, list | tuple):
            return type(value)(self._far(v) for v in value)
        return value


def build(
    key: bytes,
    *,
    secrets: bool = True,
    personal: Iterable[Personal] = (),
    patterns: Mapping[str, str] | None = None,
) -> Redactor:
    """Builds a redactor of secrets, of some personal data, and of what the user's own patterns match.

    Args:
        key: of the placeholders.
        secrets: whether secrets are looked for.
        personal: which personal data.
        patterns: kind → pattern in RE2's syntax, which takes linear time; its first group, where it has one.

    Raises:
        UsageError: a pattern or its name cannot be used.
    """
    own = [_custom(kind, pattern) for kind, pattern in (patterns or {}).items()]
    return Redactor(
        key, [*own, *(all_secrets() if secrets else ())], [DETECTORS[each] for each in dict.fromkeys(personal)]
    )


def _custom(kind: str, pattern: str) -> Detector:
    setting = "AGENTDOG_REDACTION__PATTERNS"
    if not kind.isascii() or not kind.replace("_", "").isalpha() or not kind.islower() or len(kind) > 40:
        raise UsageError(f"{setting}: name {kind[:40]!r}: give up to 40 small letters and underscores")
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options=options)
    except re2.error as error:
        raise UsageError(f"{setting}: {kind}: {error} (patterns are RE2's: no looking ahead or behind)") from error
    if compiled.search("") is not None:
        raise UsageError(f"{setting}: {kind}: the pattern matches nothing at all, and so everywhere")
    group = 1 if compiled.groups else 0

    def find(text: str) -> Iterator[Place]:
        return (match.span(group) for match in compiled.finditer(text) if match.start(group) >= 0)

    return Detector(kind, None, find)


def _apart(found: list[tuple[Place, int]]) -> Iterator[tuple[Place, int]]:
    """Joins places that overlap; the detector that stands first in the list names the whole."""
    at: tuple[Place, int] | None = None
    for (start, end), rank in sorted(found):
        if at is not None and start < at[0][1]:
            at = (at[0][0], max(at[0][1], end)), min(at[1], rank)
            continue
        if at is not None:
            yield at
        at = (start, end), rank
    if at is not None:
        yield at


def _texts(value: Any, depth: int) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, str):
        yield value
    elif isinstance(value, int) and value > _CARDS_FROM:
        yield str(value)
    elif depth > _DEEPEST:
        return
    elif isinstance(value, Mapping):
        yield from value
        for each in value.values():
            yield from _texts(each, depth + 1)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each, depth + 1)


def _same_or(before: Mapping[str, Any], after: dict[str, Any]) -> Mapping[str, Any]:
    same = len(before) == len(after) and all(
        a is b and v is w for (a, v), (b, w) in zip(before.items(), after.items(), strict=True)
    )
    return before if same else after


def _log(record: Log, kept: Sequence[Any]) -> Log:
    name, body, attributes, resource = kept
    made = make_log(
        context=(record.trace_id, record.span_id),
        name=name,
        time_ns=record.time_ns,
        severity=record.severity,
        body=body,
        attributes=attributes,
        dropped=record.dropped,
        scope=(record.scope, record.scope_version),
        resource=resource,
    )
    return made if isinstance(made, Log) else record  # what was accepted is again: redaction touches no time
