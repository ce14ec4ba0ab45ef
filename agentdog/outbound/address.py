"""Where a webhook may lead: an address is resolved once, looked at, and that very address is connected to.

A name that resolves to this machine, to a private network or to a cloud's metadata service (SSRF) is refused unless its
network is allowed. Invariants: all addresses of a name must be allowed; the one that was looked at is the one that is
used, so that a second answer of the name's server cannot differ (DNS rebinding); plain HTTP goes to allowed networks
only.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from urllib.parse import SplitResult, urlsplit

import msgspec

from agentdog.base.errors import UsageError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}


class Refused(Exception):  # noqa: N818 - a state of the address, told as a delivery's error
    """The address may not be connected to; the message names what allows it."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where to connect, and under which name: `url` holds the address, `host` is the Host header, `name` is for TLS."""

    url: str
    host: str
    name: str


def networks(allowed: Iterable[str]) -> tuple[Network, ...]:
    """Reads networks such as ``10.1.0.0/16`` or single addresses.

    Raises:
        UsageError: one is none.
    """
    try:
        return tuple(ipaddress.ip_network(each, strict=False) for each in allowed)
    except ValueError as error:
        raise UsageError(f"AGENTDOG_OUTBOUND__ALLOW: {error}; give networks like 10.1.0.0/16") from error


def check_url(url: str, setting: str) -> SplitResult:
    """Reads an address.

    Raises:
        UsageError: it is none of http or https, has no host, or carries a user's name.
    """
    try:
        parts = urlsplit(url)
        port_ok = parts.port is None or parts.port > 0
    except ValueError as error:
        raise UsageError(f"{setting}: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname or not port_ok:
        raise UsageError(f"{setting}: give an address like https://hooks.example.com/alerts")
    if parts.username or parts.password:
        raise UsageError(f"{setting}: no user or password in the address; a receiver verifies the signature instead")
    return parts


async def resolve(parts: SplitResult, allowed: Sequence[Network]) -> Place:
    """Resolves a host and returns where to connect to.

    Raises:
        Refused: it has no address, or one that may not be connected to.
    """
    host = parts.hostname or ""
    port = parts.port or _PORTS[parts.scheme]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Refused(f"the name of the host cannot be resolved: {error.strerror or error}") from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        why = objection(address, allowed, encrypted=parts.scheme == "https")
        if why is not None:
            raise Refused(why)
    first = addresses[0]
    literal = f"[{first}]" if first.version == 6 else str(first)
    at = f"{literal}:{port}"
    return Place(url=parts._replace(netloc=at, fragment="").geturl(), host=parts.netloc, name=host)


def objection(address: IPAddress, allowed: Sequence[Network], *, encrypted: bool) -> str | None:
    """Says why an address may not be connected to; ``None`` when it may."""
    inner = _embedded(address)
    if any(each in network for network in allowed for each in (address, inner) if each.version == network.version):
        return None
    remedy = f"; AGENTDOG_OUTBOUND__ALLOW='[\"{inner}\"]' allows it"
    if not inner.is_global or not address.is_global or inner.is_multicast:
        return f"{inner} is no public address{remedy}"
    return None if encrypted else f"plain http would show the message on the way to {inner}: use https{remedy}"


def _embedded(address: IPAddress) -> IPAddress:
    """An IPv4 address that an IPv6 one stands for (mapped, 6to4, NAT64) is what is really reached."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
