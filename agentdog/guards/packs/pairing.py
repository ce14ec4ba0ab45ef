"""Refuses what is known not to work: a model asked in the way of another (``pairings.yaml``)."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

import msgspec

from agentdog.base.errors import GuardUnavailable
from agentdog.guards.packs.model import Pack
from agentdog.guards.packs.official import WORDING


class Pairing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models, by an expression for their names, and packs that they cannot be asked in.

    Attributes:
        models: searched for in the served model's name, without regard to case.
        packs: names of shipped packs.
        why: what happens, and how that is known.
        use: what to take instead.
    """

    models: str
    packs: tuple[str, ...]
    why: str
    use: str


@cache
def pairings() -> tuple[Pairing, ...]:
    """Returns every pairing that is known not to work."""
    raw = resources.files("agentdog.guards.packs").joinpath("pairings.yaml").read_bytes()
    return msgspec.yaml.decode(raw, type=tuple[Pairing, ...])


def refusal(pack: Pack, model: str) -> str | None:
    """Says why a model cannot be asked in a pack's way; ``None`` where nothing is known against it."""
    if pack.wording not in ("own", WORDING):
        return None  # a pack of the user's own
    for entry in pairings():
        if pack.name in entry.packs and re.search(entry.models, model, re.IGNORECASE):
            return f"{model} does not work with pack {pack.name}: {entry.why}; use {entry.use}"
    return None


def demand_fit(pack: Pack, model: str) -> None:
    """Raises `GuardUnavailable` with the reason where a pairing is known not to work."""
    why = refusal(pack, model)
    if why is not None:
        raise GuardUnavailable(why)
