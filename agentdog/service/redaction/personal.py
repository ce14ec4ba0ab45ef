"""Personal data that may be taken out as well: e-mail addresses, telephone numbers, payment cards. Off by default.

They are redacted as ``[personal:kind:tag]``: not secrets, so that a guard does not take a recipient for a stolen key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentdog.service.redaction.detectors import Detector, Place, matching
from agentdog.service.settings import Personal

_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%'-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])")
#: International, or grouped as people write it: a bare run of digits is an id more often than a telephone.
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}[ ().-]{0,2}\d(?:[ ().-]{0,2}\d){5,12}|\(\d{2,5}\) ?\d{2,4}(?:[ -]\d{2,6}){1,3}"
    r"|\d{3}[ .-]\d{3}[ .-]\d{4}|0\d{1,4}[ /-]\d{2,4}(?:[ -]\d{2,6}){1,3})(?![\w-]|\.\d)"
)
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)")


def luhn(digits: str) -> bool:
    """Says whether a number's check digit is right (ISO/IEC 7812-1, Annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0 and len(set(digits)) > 1


def is_card(number: str) -> bool:
    """Says whether digits, grouped or not, are shaped like a card's number: 13 to 19 of them, of an issuer's range."""
    digits = re.sub(r"\D", "", number)
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and luhn(digits)


def _cards(text: str) -> Iterator[Place]:
    return (match.span() for match in _CARD.finditer(text) if is_card(match[0]))


DETECTORS: dict[Personal, Detector] = {
    "card": Detector("card", "[0-9](?:[ -]?[0-9]){12}", _cards),
    "email": Detector("email", r"[^\s\"'<>]@[A-Za-z0-9_-]", matching(_EMAIL)),
    "phone": Detector(
        "phone",
        r"\+[0-9]{1,3}[ ().-]{0,2}[0-9]|\([0-9]{2,5}\) ?[0-9]|[0-9]{3}[ .-][0-9]{3}[ .-][0-9]|0[0-9]{1,4}[ /-][0-9]",
        matching(_PHONE),
    ),
}
