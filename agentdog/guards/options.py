"""How a server guard is written: ``server:http://HOST:PORT/v1?model=NAME&…``; several servers stand between commas."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from agentdog.base.errors import GuardUnavailable
from agentdog.base.ids import digest
from agentdog.guards.asker import current
from agentdog.guards.chat_api import trust
from agentdog.guards.modelled import JudgeOptions, read_options

KEY_VARIABLE = "AGENTDOG_GUARD_API_KEY"
SCHEME = "server:"
PER_PROJECT = "project"
URGENT = -1  # vLLM's priority of a request that an agent waits for; others have 0


class ServerOptions(JudgeOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may stand behind the ``?`` of the URI, beside `JudgeOptions`.

    Attributes:
        concurrency: requests in flight at most, per server.
        retries: further tries of a request that no server worked on.
        failures: failures in a row after which a server is left alone.
        rest: seconds that it is left alone.
        priority: vLLM's, lower is sooner; without it inline checks go before all else. Takes
            ``--scheduling-policy priority`` to have an effect.
        cache_salt: keeps prefixes apart in vLLM's cache; ``project`` keeps those of every project apart.
        ca: file of certificates to trust, PEM.
    """

    concurrency: int = 8
    retries: int = 2
    failures: int = 5
    rest: float = 10.0
    priority: int | None = None
    cache_salt: str | None = None
    ca: str | None = None

    def __post_init__(self) -> None:
        """Holds the ranges; raises `GuardUnavailable` naming the option."""
        try:
            trust(self.ca)
        except OSError as error:
            raise GuardUnavailable(f"guard option ca: {self.ca}: {error}; give a file of certificates, PEM") from error
        super().__post_init__()
        if self.cache_salt == "":
            raise GuardUnavailable("guard option cache_salt is empty; give a word, or `project`")
        self.positive("rest")
        self.least(concurrency=1, failures=1, retries=0)

    def extra(self, *, priorities: bool) -> dict[str, object]:
        """The fields that go with a request to vLLM, for whoever asks now; `priorities` where it takes them."""
        asker, salt, priority = current(), self.cache_salt, self.priority
        if salt == PER_PROJECT:
            salt = digest("cache salt", asker.project or "", size=16)
        if priority is None and asker.urgent:
            priority = URGENT
        given = {"priority": priority if priorities else None, "cache_salt": salt}
        return {name: value for name, value in given.items() if value is not None}


def parse(uri: str) -> tuple[tuple[str, ...], ServerOptions]:
    """Reads a URI into the servers' addresses and the options; raises `GuardUnavailable` naming what is wrong."""
    places, _, query = uri.removeprefix(SCHEME).partition("?")
    urls = tuple(_base_url(uri, place) for place in places.split(","))
    return urls, read_options(query, ServerOptions)


def _base_url(uri: str, place: str) -> str:
    try:
        parts = urlsplit(place)
        _ = parts.port  # read only when asked for
    except ValueError as error:
        raise GuardUnavailable(f"guard {uri!r}: {place}: {error}") from error
    if parts.username or parts.password:
        raise GuardUnavailable(f"a guard's URI is shown and stored: put the key into {KEY_VARIABLE} instead")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise GuardUnavailable(f"guard {uri!r}: expected server:http://HOST:PORT/v1?model=NAME")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") or "/v1", "", ""))


def key_of(environ: Mapping[str, str]) -> str | None:
    """Returns the API key of an environment, where the variable with ``_FILE`` names a file that holds it.

    Raises:
        GuardUnavailable: the file cannot be read, or what it holds is no key.
    """
    file = environ.get(f"{KEY_VARIABLE}_FILE")
    if environ.get(KEY_VARIABLE) or not file:
        return sendable(environ.get(KEY_VARIABLE))
    try:
        return sendable(Path(file).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise GuardUnavailable(f"{KEY_VARIABLE}_FILE: {file} cannot be read ({error})") from error


def sendable(key: str | None) -> str | None:
    """Returns a key without the line end of a file; raises `GuardUnavailable` when no request can carry it."""
    key = (key or "").strip()
    if not all("!" <= letter <= "~" for letter in key):
        raise GuardUnavailable(f"{KEY_VARIABLE} holds a blank or a letter outside ASCII, which no API key has")
    return key or None
