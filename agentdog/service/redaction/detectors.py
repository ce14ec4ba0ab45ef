"""What a secret looks like: the detectors of detect-secrets, and a few of our own for what it does not know.

Every detector has a *gate*: a cheap pattern, searched in linear time (RE2), that matches wherever the detector would.
Most texts pass no gate, so most of what arrives is read once. Left out of the library's are those that go by entropy or
take any public address for a secret (ids and hashes are what traces are made of), and its keyword detector, which is
made for source code and takes the rest of a line of prose for a password; `ASSIGNED` does that part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Detector:
    """One kind of secret.

    Attributes:
        kind: its name in placeholders and counts.
        gate: RE2 pattern that matches wherever `find` finds something; ``None``: every text is to be read.
        find: yields the places of secrets in a text.
        contextual: whether only the words around it tell that it is one; then it is looked for in the whole record.
    """

    kind: str
    gate: str | None
    find: Callable[[str], Iterator[Place]]
    contextual: bool = False


def matching(pattern: re.Pattern[str], accept: Callable[[str], bool] | None = None) -> Callable[[str], Iterator[Place]]:
    """Returns a finder: the pattern's group ``secret`` where it has one, else the whole match."""
    group: str | int = "secret" if "secret" in pattern.groupindex else 0

    def find(text: str) -> Iterator[Place]:
        for match in pattern.finditer(text):
            if match.start(group) >= 0 and (accept is None or accept(match[group])):
                yield match.span(group)

    return find


#: Where a word begins, also behind a line break that is written as JSON writes it.
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))"
_NAMES = (
    r"pass(?:word|wd|phrase|code)s?|pwd|pin[_ ]?code|cvv|secrets?"
    r"|(?:secret|api|access|private|auth|client|account|service|session|refresh|bearer|id|security)[_ -]?"
    r"(?:access[_ -]?)?(?:key|token|secret)s?|(?:(?<![\w.-])|(?<=\\[nrtbf]))token"
)
_QUOTES = r"\\{0,7}[\"'`]"
#: What stands where a secret would, and is none.
_NO_SECRET = re.compile(
    r"(?:string|str|text|none|null|true|false|required|optional|object|array|integer|number|boolean|any|bool|hidden|"
    r"redacted|removed|changeme|example|todo|undefined|empty|unknown|invalid|wrong|missing|here|password|secret|token)"
    r"|[*x.•_-]+|[<$%{\[].*",
    re.IGNORECASE | re.DOTALL,
)
_LOOKS_MADE = re.compile(r"[\d$!#@%^&*+=]|[a-z][A-Z]")


def _assigned(value: str) -> bool:
    return _NO_SECRET.fullmatch(value.strip()) is None


def _assigned_bare(value: str) -> bool:
    return _assigned(value) and _LOOKS_MADE.search(value) is not None


_ASSIGNED_QUOTED = re.compile(
    rf"{_START}(?:{_NAMES})(?:{_QUOTES})?\]?\s{{0,2}}(?::=|=>|[:=])\s{{0,2}}(?P<quote>{_QUOTES})"
    r"(?P<secret>(?:(?!(?P=quote))[^\r\n]){4,256})(?P=quote)",
    re.IGNORECASE,
)
_ASSIGNED_PLAIN = re.compile(
    rf"{_START}(?:{_NAMES})(?:{_QUOTES})?\s{{0,2}}[:=]\s{{0,2}}(?P<secret>[^\s\"'`\\,;}}{{<>()\[\]]{{4,256}})",
    re.IGNORECASE,
)
_TOLD = re.compile(
    rf"{_START}(?:{_NAMES})\s(?:is|was)[\s:]{{1,2}}(?:{_QUOTES})?(?P<secret>[^\s\"'`\\,;<>()\[\]]{{4,256}}[^\s\"'`\\,;.<>()\[\]])",
    re.IGNORECASE,
)
_HEADER = re.compile(rf"{_START}(?:bearer|basic|token)\s+(?P<secret>[A-Za-z0-9._~+/=-]{{16,4096}})", re.IGNORECASE)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:(?!-----)[A-Za-z0-9+/=:,.\s\\-]){0,16384}-----END[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"|[A-Za-z0-9+/=\s\\]{0,16384})"
)
_GATE_NAMES = (
    r"(?i:pass(?:word|wd|phrase|code)|pwd|pin[_ ]?code|cvv|secret"
    r"|(?:secret|api|access|private|auth|client|account|service|session|refresh|bearer|id|security)[_ -]?"
    r"(?:access[_ -]?)?(?:key|token)|(?:^|[^A-Za-z0-9_.-]|\\[nrtbf])token)s?"
)


#: Where the name of a value ends, in protobuf (the tag of what follows), in JSON, and in texts joined by lines.
NAME_GATE = rf"(?:{_GATE_NAMES}|(?i:authorization|cookie))[\x12\"\n]"


def _digit(value: str) -> bool:
    return any(c.isdigit() for c in value)


#: Ours; the first that finds a place names its kind.
OWN: tuple[Detector, ...] = (
    Detector("private_key", "PRIVATE KEY", matching(_PRIVATE_KEY)),
    Detector(
        "json_web_token",
        r"eyJ[A-Za-z0-9_=-]+\.",
        matching(
            re.compile(_START + r"eyJ[\w=-]{8,8192}\.[\w=-]{4,32768}(?:\.[\w=-]{0,4096})?"), lambda t: t.count(".") > 0
        ),
    ),
    Detector("api_key", "sk-[A-Za-z0-9_-]{4}", matching(re.compile(_START + r"sk-[A-Za-z0-9_-]{16,256}"), _digit)),
    Detector("google_api_key", "AIza", matching(re.compile(_START + r"AIza[\w-]{35}"))),
    Detector(
        "github_token",
        "github_pat_|gh[pousr]_",
        matching(re.compile(_START + r"(?:github_pat_\w{20,255}|gh[pousr]_\w{20,255})")),
    ),
    Detector("hugging_face_token", "hf_[A-Za-z]", matching(re.compile(_START + r"hf_[A-Za-z]{30,60}\b"))),
    Detector(
        "slack_token", "xapp-|xox[a-z]-", matching(re.compile(_START + r"(?:xapp|xox[a-z])-[A-Za-z0-9-]{10,255}"))
    ),
)

#: What only its surroundings tell.
ASSIGNED: tuple[Detector, ...] = (
    Detector(
        "credential", r"(?i:bearer|basic|token)(?:\s|\\[nrt])+[A-Za-z0-9._~+/=-]{8}", matching(_HEADER, _digit), True
    ),
    Detector(
        "credential",
        _GATE_NAMES + r"(?:[\\\"'`]{0,9}\]?(?:\s|\\[nrt])*[:=]|(?:\s|\\[nrt])(?:is|was)\b)",
        lambda text: (
            span
            for find in (
                matching(_ASSIGNED_QUOTED, _assigned),
                matching(_ASSIGNED_PLAIN, _assigned_bare),
                matching(_TOLD, _assigned_bare),
            )
            for span in find(text)
        ),
        True,
    ),
)

#: The whole value under a name like these is a secret, whatever it looks like.
SECRET_NAME = re.compile(
    rf"(?:.*[._-])?(?:x[_-])?(?:{_NAMES}|(?:proxy[_-])?authorization|cookie|set[_-]cookie)", re.IGNORECASE
)

_LEFT_OUT = frozenset(
    {"Base64 High Entropy String", "Hex High Entropy String", "Public IP (ipv4)", "Secret Keyword", "Private Key",
     "JSON Web Token", "GitHub Token", "Artifactory Credentials"}
)  # fmt: skip
_VALUE = r"[\"'\]\\]{0,4} {0,4}[=: ][=:> ]{0,4}[\"'\\]{0,4}"
#: Of the library's detectors; one that a later version brings has none, and reads every text.
_GATES = {
    "AWS Access Key": r"(?:A3T|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{8}|(?i:aws.{0,20}(?:key|pwd|pw|pass|token))",
    "Azure Storage Account access key": "AccountKey=",
    "Basic Auth Credentials": r"://[^\x00-\x20:/?#\[\]@]+:[^\x00-\x20:/?#\[\]@]+@",
    "Cloudant Credentials": "(?i:cloudant)",
    "Discord Bot Token": r"[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.",
    "GitLab Token": r"gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-|GR1348941",
    "IBM Cloud IAM Key": rf"(?i:key|pwd|password|pass|token){_VALUE}[A-Za-z0-9_-]{{24}}",
    "IBM COS HMAC Credentials": rf"(?i:secret[-_]?(?:access)?[-_]?key){_VALUE}[a-fA-F0-9]{{24}}",
    "Mailchimp Access Key": "[0-9a-z]{8}-us[0-9]",
    "NPM tokens": ":_authToken",
    "OpenAI Token": "T3BlbkFJ",
    "PyPI Token": "pypi-Ag",
    "SendGrid API Key": r"SG\.[A-Za-z0-9_-]{8}",
    "Slack Token": r"(?i:xox[abposr]-|hooks\.slack\.com)",
    "SoftLayer Credentials": "(?i:softlayer|sl[_-]?(?:user|api|key|pwd|pass|token))",
    "Square OAuth Secret": "sq0csp-",
    "Stripe Access Key": "[rs]k_live_",
    "Telegram Bot Token": "[0-9]{8}:[A-Za-z0-9_-]{16}",
    "Twilio API Key": "(?:AC|SK)[a-z0-9]{16}",
}
#: Where the pattern holds more than the secret; elsewhere a group is a prefix.
_GROUPS_ARE_SECRETS = frozenset(
    {"AWS Access Key", "Basic Auth Credentials", "Cloudant Credentials", "IBM Cloud IAM Key",
     "IBM COS HMAC Credentials", "NPM tokens", "SoftLayer Credentials"}
)  # fmt: skip
_REST = re.compile(r"[\w-]{0,256}")
_KIND = re.compile(r"[^a-z]+")


@lru_cache(maxsize=1)
def secrets() -> tuple[Detector, ...]:
    """Returns every detector of secrets: ours, the library's, then what only context tells."""
    return (*OWN, *_library(), *ASSIGNED)


def _library() -> Iterator[Detector]:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.plugins.base import RegexBasedDetector

    kinds: dict[str, Any] = get_mapping_from_secret_type_to_class()
    for name, kind in sorted(kinds.items()):
        if name not in _LEFT_OUT and issubclass(kind, RegexBasedDetector):
            patterns = tuple(kind().denylist)
            find = _grouped(patterns) if name in _GROUPS_ARE_SECRETS else _whole(patterns)
            yield Detector(_KIND.sub("_", name.lower()).strip("_")[:40], _GATES.get(name), find)


def _whole(patterns: Sequence[re.Pattern[str]]) -> Callable[[str], Iterator[Place]]:
    """Finds tokens, to their end where the pattern stops at the length that was usual when it was written."""
    compiled = [_linear(pattern) for pattern in patterns]

    def find(text: str) -> Iterator[Place]:
        for pattern in compiled:
            for match in pattern.finditer(text):
                rest = _REST.match(text, match.end())
                yield match.start(), rest.end() if rest else match.end()

    return find


def _grouped(patterns: Sequence[re.Pattern[str]]) -> Callable[[str], Iterator[Place]]:
    compiled = [_linear(pattern) for pattern in patterns]

    def find(text: str) -> Iterator[Place]:
        for pattern in compiled:
            for match in pattern.finditer(text):
                groups = [match.span(n) for n in range(1, pattern.groups + 1) if match[n]]
                yield max(groups, key=lambda span: span[1] - span[0], default=match.span())

    return find


def _linear(pattern: re.Pattern[str]) -> Any:  # noqa: ANN401 - re2 carries no types
    """Compiles a pattern for RE2: some of the library's take quadratic time on a text that is made for it.

    What RE2 has not (looking ahead and behind) stays as it is; those repeat within bounds.
    """
    if pattern.flags & re.VERBOSE:
        return pattern
    quiet = re2.Options()
    quiet.log_errors = False
    try:
        return re2.compile(("(?i)" if pattern.flags & re.IGNORECASE else "") + pattern.pattern, options=quiet)
    except re2.error:
        return pattern
