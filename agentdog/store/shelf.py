"""The records of one unit in this process: read once each, and folded where they lie loose in the journal.

Invariant: a record never changes under its id, so what was read stays true until its unit is deleted; what a shelf
does not hold any more is read again. Folding changes the form of a record, never what it says, and is decided by
compare-and-set: two workers that fold one unit do no harm.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from agentdog.spans.records import Arrived, Record, Sealed, Span
from agentdog.store import bundles
from agentdog.store.codec import WORTH_COMPRESSING, inflate, squeeze, unpack
from agentdog.store.deltas import Base, fold, is_loose, refers_to, unfold

_SPAN_ID = re.compile("[0-9a-f]{16}")  # OTLP, trace.proto: eight bytes
_SPAN = b"s"
_LOOSE = 8  # records of one unit that stay loose although nothing larger holds what they say
_SMALL = 64  # a difference of so many bytes is worth writing whatever the record's own size
_GAIN = 4  # what holds most of a record leaves less than this part of it


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """One record to be written anew if its stored form is still that and what it refers to is there.

    Those of one bundle are written together.
    """

    field: bytes
    sha: str
    base: bytes
    new: bytes
    bundle: bytes | None = None


class Loose(msgspec.Struct, frozen=True, kw_only=True):
    """A record as it was appended: field, sort, SHA-1 and size of the stored form, bytes, who holds its bundle.

    A record that is alone in its bundle counts as one that lies in none.
    """

    field: bytes
    sort: str
    sha: str
    size: int
    raw: bytes
    bundle: bytes | None = None

    @property
    def packed(self) -> int:
        """Size of the stored form once it is compressed, about: small records are appended as they are."""
        return self.size if self.size < len(self.raw) else self.size // 2

    @property
    def gains(self) -> bool:
        """Whether it is to be written anew although it stays loose."""
        return self.bundle is not None or self.size == len(self.raw) >= WORTH_COMPRESSING

    @property
    def rank(self) -> tuple[int, bytes]:
        """Differences refer upwards in this order."""
        return len(self.raw), self.field


class Shelf:
    """What one process knows of one unit."""

    def __init__(self) -> None:
        self.records: dict[bytes, Record] = {}
        self.size = 0
        self._loose: dict[bytes, Loose] = {}
        self._tried: set[tuple[bytes, bytes]] = set()

    def missing(self, fields: Iterable[bytes]) -> list[bytes]:
        """Returns those fields of a unit's hash that were not read yet."""
        return [field for field in fields if field not in self.records]

    def readable(self, stored: Mapping[bytes, bytes]) -> bool:
        """Whether nothing among these values refers to what is neither among them nor known well enough here."""
        return all(
            base is None or base in stored or (base in self._loose and not bundles.is_bundled(value))
            for base, value in ((refers_to(value), value) for value in stored.values())
        )

    def put(self, stored: Mapping[bytes, bytes]) -> None:
        """Takes in values of the unit's hash."""
        reading = _Reading(stored, {field: each.raw for field, each in self._loose.items()})
        for field, value in stored.items():
            raw = reading.raw(field)
            if field in self.records:
                continue
            record: Record = unpack(raw, Record)  # type: ignore[arg-type]
            self.records[field] = record
            self.size += len(raw)
            if is_loose(value):
                bundle = reading.bundle_of(value, field)
                size = len(value) if bundle is None else len(raw)
                self._loose[field] = Loose(
                    field=field, sort=_sort(record), sha=sha1(value), size=size, raw=raw, bundle=bundle
                )

    def loose(self) -> list[Loose]:
        """Returns what lies as it was appended, the largest first."""
        return sorted(self._loose.values(), key=lambda each: each.rank, reverse=True)

    def folds(self) -> list[Fold]:
        """Folds what others hold; returns what is to be written.

        A record is told apart from the next larger of its sort, else from the largest. What neither holds stays loose,
        since something larger may still come that does; of those only the largest few. Each is read back before
        anything relies on it.
        """
        known = self.loose()
        if not known:
            return []
        next_of = {known[0].sort: known[0]}
        out, kept = [], []
        for each in known[1:]:
            bases = list(dict.fromkeys(base.field for base in (next_of.get(each.sort, known[0]), known[0])))
            next_of[each.sort] = each
            best = self._best(each, bases)
            if best is not None and len(best.new) < _worthwhile(each):
                out.append(best)
            else:
                kept.append((each, bases))
        for each, bases in kept[_LOOSE - 1 :]:
            out.append(min((_fold(each, self._loose[base]) for base in bases), key=_length))
        stay = [known[0], *(each for each, _ in kept[: _LOOSE - 1])]
        return out + [_squeezed(each) for each in stay if each.gains]

    def _best(self, each: Loose, bases: Iterable[bytes]) -> Fold | None:
        """Returns the shortest of those not tried before; the first that is worth it will do."""
        best: Fold | None = None
        for base in bases:
            if (each.field, base) in self._tried:
                continue
            self._tried.add((each.field, base))
            made = _fold(each, self._loose[base])
            best = made if best is None else min(best, made, key=_length)
            if len(best.new) < _worthwhile(each):
                break
        return best

    def settle(self, folds: Iterable[Fold]) -> None:
        """Takes note that folds were written."""
        for each in folds:
            loose = self._loose.pop(each.field, None)
            if loose is not None and each.base == each.field:
                self._loose[each.field] = msgspec.structs.replace(
                    loose, sha=sha1(each.new), size=len(each.new), bundle=None
                )
        self._tried = {(field, base) for field, base in self._tried if field in self._loose and base in self._loose}


def _fold(loose: Loose, base: Loose) -> Fold:
    new = fold(loose.raw, Base(field=base.field, raw=base.raw))
    if unfold(new, base.raw) != loose.raw:
        raise AssertionError(f"record {loose.field!r} would not be read back as it came")
    return Fold(field=loose.field, sha=loose.sha, base=base.field, new=new, bundle=loose.bundle)


def _squeezed(loose: Loose) -> Fold:
    """Compresses a record that stays as it is; it refers to itself, which is there."""
    return Fold(field=loose.field, sha=loose.sha, base=loose.field, new=squeeze(loose.raw), bundle=loose.bundle)


def _worthwhile(each: Loose) -> int:
    """Bytes below which a difference is written at once."""
    return max(_SMALL, each.packed // _GAIN)


def _length(each: Fold) -> int:
    return len(each.new)


def sha1(value: bytes) -> str:
    """Returns the digest that a script can compute as well."""
    return hashlib.sha1(value, usedforsecurity=False).hexdigest()


def field_of(record: Arrived) -> bytes:
    """Returns a record's field in its unit's hash; of a span in its trace the span's id says it all."""
    if isinstance(record, Sealed) or (isinstance(record, Span) and _SPAN_ID.fullmatch(record.span_id)):
        return _SPAN + bytes.fromhex(record.span_id)
    return record.id.encode("utf-8", "surrogatepass")


def raw_of(field: bytes, stored: Mapping[bytes, bytes]) -> bytes:
    """Returns the bytes of a record among values of its unit's hash that hold its whole chain."""
    return _Reading(stored, {}).raw(field)


class _Reading:
    """Values of a unit's hash being read: each record's bytes, and each bundle, once."""

    def __init__(self, stored: Mapping[bytes, bytes], raws: dict[bytes, bytes]) -> None:
        self._stored = stored
        self._raws = raws
        self._bundles: dict[bytes, Sequence[bytes]] = {}

    def raw(self, field: bytes) -> bytes:
        for each in reversed(self._chain(field)):
            value = self._stored[each]
            base = refers_to(value)
            if (holder := bundles.holder_of(each, value)) is not None:
                self._raws[each] = self._bundle(holder)[bundles.place(value)]
            else:
                self._raws[each] = inflate(value) if base is None else unfold(value, self._raws[base])
        return self._raws[field]

    def bundle_of(self, value: bytes, field: bytes) -> bytes | None:
        """Returns who holds the bundle of a record that is not alone in it."""
        holder = bundles.holder_of(field, value)
        return holder if holder is not None and len(self._bundle(holder)) > 1 else None

    def _bundle(self, holder: bytes) -> Sequence[bytes]:
        if holder not in self._bundles:
            self._bundles[holder] = bundles.records_in(self._stored[holder])
        return self._bundles[holder]

    def _chain(self, field: bytes) -> list[bytes]:
        """Returns a field and what it refers to, one by one, up to what was read already."""
        out = []
        at: bytes | None = field
        while at is not None and at not in self._raws:
            out.append(at)
            at = refers_to(self._stored[at])
        return out


def _sort(record: Record) -> str:
    """Spans of one name under one parent tell one conversation."""
    return f"{record.name}\n{record.parent_id}" if isinstance(record, Span) else f"log\n{record.name}"
