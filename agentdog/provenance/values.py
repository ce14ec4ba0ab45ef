"""Finds the values in a text that are worth tracing: addresses, hosts, paths, numbers, secrets, long spans.

Invariant: `extract` is a pure function of the text; two spellings of one value (case, URL-encoding, HTML entities,
grouping of digits, formats of dates, ``name [at] host``, ``"name@" + "host"``, base64, hex) have the same key. Every
pattern has bounded repetition, and what is decoded is decoded once, so the time is linear in the text.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote

from agentdog.base.anchored import Anchored
from agentdog.provenance import encodings


class Kind(StrEnum):
    """What a value is; `SECRET` and `PERSONAL` are sensitive by themselves."""

    EMAIL = "email"
    URL = "url"
    HOST = "host"
    PATH = "path"
    IDENTIFIER = "identifier"
    AMOUNT = "amount"
    DATE = "date"
    SECRET = "secret"  # noqa: S105 - a kind, no secret
    SECRET_FILE = "secret_file"  # noqa: S105 - likewise
    PERSONAL = "personal"
    SPAN = "span"


class Value(NamedTuple):
    """A traceable value: its kind, the key that all its spellings share, and the words as they stood."""

    kind: Kind
    key: str
    quote: str


SPAN_WORDS = 8
"""Words in one span: long enough that two texts share one by copying, not by chance."""

_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_AT = re.compile(r"\s?[\[({]\s?at\s?[\])}]\s?", re.IGNORECASE)
_DOT = re.compile(r"\s?[\[({]\s?dot\s?[\])}]\s?", re.IGNORECASE)
_GLUED = re.compile(r"[\"']\s?\+\s?[\"']")
_SPACED_AT = re.compile(r"(?<=\w)\s@\s(?=[\w\-]{1,63}\.)")
_WORD = re.compile(r"[^\W_]+")
_DIGIT = re.compile(r"\d")
_YEAR = re.compile(r"\d{4}")
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}")
_EMAIL = re.compile(r"[A-Za-z0-9._%+\-]{1,64}@(?:[A-Za-z0-9\-]{1,63}\.){1,8}[A-Za-z]{2,24}")
_URL = re.compile(r"\b(?:https?|ftp|wss?)://([A-Za-z0-9.\-:@\[\]]{1,255})([^\s\"'<>\\)\]}|]{0,2048})", re.IGNORECASE)
_TOP = "com|org|net|edu|gov|io|dev|app|ai|co|info|biz|test|example|xyz|site|online"
_HOST = re.compile(
    r"(?<![@\w.\-/])(?:www\.(?:[A-Za-z0-9\-]{1,63}\.){1,6}[A-Za-z]{2,24}"
    r"|(?:[A-Za-z0-9\-]{1,63}\.){1,6}(?:" + _TOP + r"))\b"
    r"(?![@\w])",
    re.IGNORECASE,
)
_HOST_ENDS = ("www.", *(f".{end}" for end in _TOP.split("|")))
_PATH = re.compile(r"(?<![\w:/.<])(?:~|\.{1,2})?(?:/[\w.@+\-]{1,255}){1,32}|\b[A-Za-z]:\\[^\s\"'<>|]{1,512}")
_ENDINGS = (
    "txt|md|pdf|doc|docx|xls|xlsx|csv|json|yml|yaml|toml|ini|cfg|conf|log|py|sh|sql|db|zip|tar|gz|pem|key|env|htm|html"
    "|js|ts|png|jpg|jpeg|eml"
)
_FILE = re.compile(r"(?<![\w/])[\w\-]{1,100}\.(?:" + _ENDINGS + r")\b", re.IGNORECASE)
_FILE_ENDS = tuple(f".{end}" for end in _ENDINGS.split("|"))
"""A text without any of them names no file, and one without any of `_HOST_ENDS` no host: then nothing is looked for."""
_IDENTIFIER = re.compile(r"(?<![\w.@/-])(?=[\w\-#]{0,64}\d)[A-Za-z0-9#][\w\-]{3,63}(?![\w@-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?\b")
_PHONE = re.compile(r"(?<![\w.])\+?\(?\d[\d ().\-]{6,18}\d(?!\w)")
_CONTINENTAL = re.compile(r"\d{1,3}(?:\.\d{3}){0,6},\d{1,2}|\d{1,3}(?:\.\d{3}){2,6}")
_ANY_DATE = encodings.DATE
_AMOUNT = Anchored(
    r"[$€£¥]\s?(\d{1,3}(?:\.\d{3}){1,6},\d{1,2}|\d[\d,]{0,20}(?:\.\d{1,8})?)"
    r"|\b(\d{1,3}(?:\.\d{3}){1,6},\d{1,2}|\d[\d,]{0,20}(?:\.\d{1,8})?)\s?(?:usd|eur|gbp|dollars?|euros?|btc|eth)\b",
    re.IGNORECASE,
)
_SECRETS = (
    Anchored(r"\[secret:[a-z_\-]{1,40}:[^\]\s]{1,64}\]", 0),  # what redaction leaves: equal secrets stay equal
    Anchored(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----", 0),
    Anchored(r"\bsk-[A-Za-z0-9_\-]{16,200}|\bgh[pousr]_[A-Za-z0-9]{20,255}|\bgithub_pat_\w{20,255}", 0),
    Anchored(r"\bAKIA[0-9A-Z]{16}\b|\bxox[abprs]-[A-Za-z0-9\-]{10,200}|\bAIza[\w\-]{35}", 0),
    Anchored(r"\beyJ[\w\-]{8,2000}\.eyJ[\w\-]{8,2000}\.[\w\-]{8,1000}", 0),
)
_KINDS = {"email": Kind.EMAIL, "phone": Kind.IDENTIFIER, "card": Kind.PERSONAL}
_PERSONAL = Anchored(rf"\[personal:({'|'.join(_KINDS)}):[^\]\s]{{1,64}}\]")
_NAMES_OF_SECRETS = (
    r"pass(?:word|wd|phrase|code)|secret(?:[_ ]?key)?|api[_ -]?key|access[_ ]?token|auth[_ ]?token|private[_ ]?key"
    r"|pin[_ ]?code|cvv"
)
_SECRET_NAME = re.compile(_NAMES_OF_SECRETS, re.IGNORECASE)
_ASSIGNED_SECRET = Anchored(
    rf"\b(?:{_NAMES_OF_SECRETS})[\"']?\s{{0,2}}[:=]\s{{0,2}}[\"']?([^\s\"',;}}{{<>()]{{4,200}})", re.IGNORECASE
)
_TOLD_SECRET = Anchored(  # in prose only what looks made up: "the password is required" tells no password
    rf"\b(?:{_NAMES_OF_SECRETS})\s(?:is|was)\s[\"']?((?=[^\s\"']{{0,200}}[\d$!#@%^&*])[^\s\"',;]{{4,200}})",
    re.IGNORECASE,
)
_SECRET_FILE = Anchored(
    r"(?<![\w])(?:[\w./~\-]{0,120}/)?(?:pass(?:word|wd)s?(?:\.\w{1,5})?(?<=[.\w])|id_(?:rsa|dsa|ecdsa|ed25519)|\.env|"
    r"credentials?\.\w{1,5}|secrets?\.\w{1,5}|wallet\.dat|\.netrc|\.pgpass|shadow|[\w\-]{1,60}\.(?:pem|kdbx|p12))(?!\w)",
    re.IGNORECASE,
)
_SECRET_FILE_NAME = re.compile(r"\.\w|/|id_", re.IGNORECASE)
_SSN = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")


@lru_cache(maxsize=16)
def normalise(text: str) -> str:
    """Undoes what changes the looks of a value and not the value: entities, URL-encoding, invisible characters."""
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    if "%" in text:
        text = unquote(text)
    if "&" in text:
        text = html.unescape(text)
    if "+" in text:
        text = _GLUED.sub("", text)
    if "@" in text:
        text = _SPACED_AT.sub("@", text)
    if "at" in text or "AT" in text:
        text = _AT.sub("@", text)
        text = _DOT.sub(".", text)
    return text


def words(text: str) -> list[str]:
    """Returns the words of a text in order, in lower case, without punctuation."""
    return _WORD.findall(text.lower())


def leaves(arguments: Any, name: str = "") -> Iterator[tuple[str, str | float]]:  # noqa: ANN401 - any JSON value
    """Walks a call's arguments: each leaf with the nearest key above it; booleans and nulls are left out."""
    if isinstance(arguments, str):
        yield name, arguments
    elif isinstance(arguments, bool) or arguments is None:
        return
    elif isinstance(arguments, (int, float)):
        yield name, arguments
    elif isinstance(arguments, Mapping):
        for key, value in arguments.items():
            yield from leaves(value, str(key))
    elif isinstance(arguments, Sequence):
        for value in arguments:
            yield from leaves(value, name)


def number(value: float | str) -> str:
    """Returns one key per amount: ``1,000.00``, ``1.000,00`` and ``1000`` are the same."""
    plain = str(value)
    if _CONTINENTAL.fullmatch(plain):
        plain = plain.replace(".", "").replace(",", ".")
    return f"{float(plain.replace(',', '')):.8f}".rstrip("0").rstrip(".")


def extract(text: str) -> Iterator[Value]:
    """Finds every traceable value of a text, spans excepted (`spans`, `all_spans`); what is encoded is read as well."""
    yield from _extracted(text)


@lru_cache(maxsize=16)
def _extracted(text: str) -> tuple[Value, ...]:
    """A call's arguments are read twice, traced and then remembered: the last few texts are kept."""
    text = normalise(text)
    hidden = [normalise(h) for h in encodings.decoded(text)]
    return tuple(value for part in (text, *hidden) for value in _values(part))


def _values(text: str) -> Iterator[Value]:
    """What cannot be there is not looked for: no place without its mark, no number or date without a digit."""
    digits = _DIGIT.search(text) is not None
    yield from _redacted(text)
    lowered = text.lower()
    yield from _places(text, lowered)
    if digits:
        yield from _numbers(text, lowered)
        yield from _dates(text)
    yield from _sensitive(text, lowered, numeric=digits)


def of_argument(name: str, leaf: str | float) -> Iterator[Value]:
    """Finds the values of one argument; its name tells that ``password`` carries a secret, whatever it looks like."""
    if isinstance(leaf, str):
        if len(leaf) >= 4 and _SECRET_NAME.fullmatch(name):
            yield Value(Kind.SECRET, leaf, leaf)
        yield from extract(leaf)
        return
    plain = str(leaf)
    yield Value(Kind.AMOUNT, number(leaf), plain)
    if isinstance(leaf, int) and len(plain) >= 5:
        yield Value(Kind.IDENTIFIER, plain.lstrip("-"), plain)


def _redacted(text: str) -> Iterator[Value]:
    """What redaction leaves of personal data points to the same person, or card, wherever it stands."""
    for match in _PERSONAL.finditer(text):
        yield Value(_KINDS[match[1]], match[0], match[0])


def _places(text: str, lowered: str) -> Iterator[Value]:
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield Value(Kind.EMAIL, match[0].lower(), match[0])
    for match in _URL.finditer(text) if "://" in text else ():
        host = match[1].lower().rsplit("@", 1)[-1].removeprefix("www.").rstrip(".")
        rest = match[2].rstrip(".,;:!?/")
        yield Value(Kind.URL, host + rest.lower(), match[0].rstrip(".,;:!?"))
        yield Value(Kind.HOST, host, host)
    for match in _HOST.finditer(text) if "." in text and any(e in lowered for e in _HOST_ENDS) else ():
        yield Value(Kind.HOST, match[0].lower().removeprefix("www."), match[0])
    for pattern, needed in ((_PATH, ("/", ":\\")), (_FILE, _FILE_ENDS)):
        for match in pattern.finditer(text) if any(n in lowered for n in needed) else ():
            quote = match[0].rstrip(".,;:!?")
            yield Value(Kind.PATH, quote.lower(), quote)


def _numbers(text: str, lowered: str) -> Iterator[Value]:
    for pattern in (_IDENTIFIER, _IBAN, _PHONE):
        for match in pattern.finditer(text):
            if _DATE.match(match[0]):
                continue
            key = "".join(c for c in match[0].lower() if c.isalnum())
            if len(key) >= 5:  # shorter ones (years, counts) meet by chance
                yield Value(Kind.IDENTIFIER, key, match[0])
    for match in _AMOUNT.finditer(text, lowered):
        yield Value(Kind.AMOUNT, number(match[1] or match[2]), match[0])


def _dates(text: str) -> Iterator[Value]:
    """Every date as ISO 8601; ``05/01/2024`` may be two days, and is kept as both."""
    for match in _ANY_DATE.finditer(text) if _YEAR.search(text) else ():
        for key in _iso(match[0]):
            yield Value(Kind.DATE, key, match[0])


@lru_cache(maxsize=4096)
def _iso(quote: str) -> tuple[str, ...]:
    match = _ANY_DATE.match(quote)
    return tuple(encodings.iso_dates(match)) if match else ()


def _sensitive(text: str, lowered: str, *, numeric: bool) -> Iterator[Value]:
    for pattern in _SECRETS:
        for match in pattern.finditer(text, lowered):
            yield Value(Kind.SECRET, match[0], match[0])
    for pattern in (_ASSIGNED_SECRET, _TOLD_SECRET):
        for match in pattern.finditer(text, lowered):
            yield Value(Kind.SECRET, match[1].rstrip("."), match[0])
    for match in _SECRET_FILE.finditer(text, lowered):
        if _SECRET_FILE_NAME.search(match[0]):
            yield Value(Kind.SECRET_FILE, match[0].lower(), match[0])
    if not numeric:
        return
    for match in _SSN.finditer(text) if "-" in text else ():
        yield Value(Kind.PERSONAL, match[0].replace("-", ""), match[0])
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if _luhn(digits):
            yield Value(Kind.PERSONAL, digits, match[0])


def _luhn(digits: str) -> bool:
    """Says whether a number is shaped like a payment card's (ISO/IEC 7812-1 Annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0 and len(set(digits)) > 1


@lru_cache(maxsize=16)
def spans(text: str) -> tuple[str, ...]:
    """Cuts a text into neighbouring spans of `SPAN_WORDS` words: what an index stores; the last few texts are kept."""
    found = words(normalise(text))
    starts = range(0, len(found) - SPAN_WORDS + 1, SPAN_WORDS)
    return tuple(" ".join(found[start : start + SPAN_WORDS]) for start in starts)


def all_spans(text: str) -> Iterator[str]:
    """Every span of `SPAN_WORDS` words, at every word: what an index is asked.

    Against spans stored end to end, any copy of ``2 * SPAN_WORDS - 1`` words or more is found wherever it starts.
    """
    found = words(normalise(text))
    yield from map(" ".join, zip(*(found[ahead:] for ahead in range(SPAN_WORDS)), strict=False))
