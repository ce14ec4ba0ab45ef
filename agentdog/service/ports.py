"""Ports: taken before anything starts, so that one in use is said at once, with the setting and the remedy."""

from __future__ import annotations

import socket

from agentdog.base.errors import OutsideError
from agentdog.service.settings import PREFIX, Listen

_BACKLOG = 2048  # as uvicorn's default


def bind(listen: Listen, setting: str) -> socket.socket:
    """Binds and listens.

    Args:
        listen: where.
        setting: the field of `Settings` that says so (``api``, ``otlp_http`` …), for the message.

    Raises:
        OutsideError: the port is in use or may not be used; names it, its setting and the remedy.
    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    # The protocol by name: asyncio switches Nagle's algorithm off only where it is stated (`base_events._set_nodelay`),
    # and without that each answer on a connection that stays open waits for the client's delayed acknowledgement.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((listen.host, listen.port))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise in_use(listen, setting, error.strerror or str(error)) from error
    return bound


def in_use(listen: Listen, setting: str, why: str) -> OutsideError:
    """Says that a port cannot be had."""
    name = f"{PREFIX}{setting.upper()}__PORT"
    return OutsideError(
        f"cannot listen on {listen.host}:{listen.port} ({why}): end the program that does (a sidecar already?), "
        f"or set {name} to a free port"
    )
