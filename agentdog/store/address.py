"""Where a store is: ``redis://``, ``rediss://`` (TLS) or ``unix://``; a cluster may be named by several nodes."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from agentdog.base.errors import UsageError

_PORT = 6379
_REMEDY = "give redis://host:6379/0, rediss://… for TLS, redis://a:7000,b:7000 for a cluster, or unix:///path"


@dataclass(frozen=True, slots=True)
class Address:
    """One server, and who we are there."""

    host: str = "localhost"
    port: int = _PORT
    path: str | None = None
    tls: bool = False
    verify: bool = True
    ca: str | None = None
    username: str | None = None
    password: str | None = None
    db: int = 0

    def at(self, host: str, port: int) -> Address:
        """Returns another node of the same cluster."""
        return replace(self, host=host, port=port, path=None, db=0)

    def context(self) -> ssl.SSLContext | None:
        """Returns what TLS needs."""
        if not self.tls:
            return None
        made = ssl.create_default_context(cafile=self.ca)
        if not self.verify:
            made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
        return made

    def greeting(self) -> list[tuple[str | int, ...]]:
        """Returns the commands that a connection begins with."""
        out: list[tuple[str | int, ...]] = []
        if self.password is not None:
            out.append(("AUTH", *((self.username,) if self.username else ()), self.password))
        if self.db:
            out.append(("SELECT", self.db))
        return out


def read(url: str) -> tuple[Address, ...]:
    """Reads a store's address; several of a cluster.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        parts = urlsplit(url)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        who, _, places = parts.netloc.rpartition("@")
        username, _, password = who.partition(":")
        base = Address(
            tls=parts.scheme == "rediss",
            verify=query.get("ssl_cert_reqs", "required") != "none",
            ca=query.get("ssl_ca_certs"),
            username=unquote(username) or None,
            password=unquote(password) or None,
            db=int(query.get("db", 0)),
        )
        if parts.scheme == "unix" and parts.path:
            return (replace(base, path=unquote(parts.path)),)
        if parts.scheme not in ("redis", "rediss"):
            raise ValueError(f"{parts.scheme or 'no'} scheme")
        number = parts.path.strip("/")
        base = replace(base, db=int(number) if number else base.db)
        return tuple(_place(base, place) for place in places.split(","))
    except ValueError as error:
        raise UsageError(f"AGENTDOG_REDIS__URL cannot be read ({error}): {_REMEDY}") from error


def shown(url: str) -> str:
    """Returns a store's address without its password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _place(base: Address, place: str) -> Address:
    parts = urlsplit(f"//{place}")
    return replace(base, host=parts.hostname or "localhost", port=parts.port or _PORT)
