"""Undoes what hides a value: base64, hex, and the many ways to write a date.

Invariant: pure; what is decoded is never longer than what it was decoded from, and is not decoded again.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

_BASE64 = re.compile(r"(?<![\w+/=\-])[A-Za-z0-9+/_\-]{16,8192}={0,2}(?![\w+/=])")
_HEX = re.compile(r"(?<!\w)(?:0x)?((?:[0-9a-fA-F]{2}){8,4096})(?!\w)|((?:\\\\x[0-9a-fA-F]{2}){6,4096})")
_PRINTABLE = 0.95
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_NAME = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
DATE = re.compile(
    r"(?<![\w.])(?:(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"
    r"|(?P<a>\d{1,2})[/.\-](?P<b>\d{1,2})[/.\-](?P<y2>\d{4})"
    rf"|(?P<d3>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<m3>{_NAME}),? (?P<y3>\d{{4}})"
    rf"|(?P<m4>{_NAME}) (?P<d4>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y4>\d{{4}}))(?!\d)",
    re.IGNORECASE,
)
"""A date with its year, in figures or with the month's English name."""


def decoded(text: str) -> Iterator[str]:
    """Returns the texts that a text carries in base64 or hex; what decodes to anything but text is left out."""
    for match in _BASE64.finditer(text):
        run = match[0]
        if run.isalpha() and (run.islower() or run.isupper()):
            continue  # a word
        try:
            raw = base64.b64decode(run.rstrip("=") + "=" * (-len(run.rstrip("=")) % 4), altchars=_altchars(run))
        except (ValueError, binascii.Error):
            continue
        yield from _readable(raw)
    for match in _HEX.finditer(text):
        digits = match[1] or match[2].replace("\\x", "")
        yield from _readable(bytes.fromhex(digits))


def _altchars(run: str) -> bytes:
    return b"-_" if "-" in run or "_" in run else b"+/"


def _readable(raw: bytes) -> Iterator[str]:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return
    if len(text) >= 6 and sum(c.isprintable() or c.isspace() for c in text) >= _PRINTABLE * len(text):
        yield text


def iso_dates(match: re.Match[str]) -> Iterator[str]:
    """Returns a match of `DATE` as ISO 8601: one date, or two where day and month could be either."""
    if match["y"]:
        candidates = [(match["y"], match["m"], match["d"])]
    elif match["y2"]:
        candidates = [(match["y2"], match["b"], match["a"]), (match["y2"], match["a"], match["b"])]
    elif match["y3"]:
        candidates = [(match["y3"], _month(match["m3"]), match["d3"])]
    else:
        candidates = [(match["y4"], _month(match["m4"]), match["d4"])]
    found = {(int(y), int(m), int(d)) for y, m, d in candidates}
    yield from (f"{y:04}-{m:02}-{d:02}" for y, m, d in sorted(found) if 1 <= m <= 12 and 1 <= d <= 31)


def _month(name: str) -> int:
    return _MONTHS.index(name[:3].lower()) + 1
