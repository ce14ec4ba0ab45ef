"""Finds packs: the shipped ones by name or by the served model's name, a user's own by path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from agentdog.base.errors import GuardUnavailable, UsageError
from agentdog.guards.packs.model import Pack
from agentdog.guards.packs.official import worded

GENERIC = "generic"


@cache
def shipped() -> dict[str, Pack]:
    """Returns every shipped pack by name."""
    folder = resources.files("agentdog.guards.packs").joinpath("data")
    found = {
        entry.name.removesuffix(".yaml"): entry.read_bytes()
        for entry in sorted(folder.iterdir(), key=lambda e: e.name)
        if entry.name.endswith(".yaml")
    }
    plain = {name: _decoded(raw, {}) for name, raw in found.items() if b"\nextends:" not in raw}
    return {name: plain.get(name) or _decoded(raw, plain) for name, raw in found.items()}


def _decoded(raw: bytes, known_packs: Mapping[str, Pack]) -> Pack:
    """Reads a pack; ``extends: NAME`` takes from that pack what is not said, and null takes a field away."""
    fields = msgspec.yaml.decode(raw, type=dict[str, Any])
    base = fields.pop("extends", None)
    if base is not None and base not in known_packs:
        raise UsageError(f"extends: no pack {base!r}; there are {', '.join(known_packs)}")
    inherited = msgspec.to_builtins(known_packs[base]) if base is not None else {}
    merged = {name: value for name, value in {**inherited, **fields}.items() if value is not None}
    return msgspec.convert(merged, Pack)


def find(name: str, folder: Path | None = None, *, labels_only: bool = False) -> Pack:
    """Returns a pack by its name, or by the path of a user's YAML file.

    In the user's pack folder, ``NAME.yaml`` is a pack of that name, and official wording is used where it was added.

    Raises:
        GuardUnavailable: when there is none, when the file does not fit, or when the pack is there to say no.
    """
    if name.endswith((".yaml", ".yml")):
        return _own(Path(name), labels_only=labels_only)
    own = folder / f"{name}.yaml" if folder and re.fullmatch(r"[\w.-]+", name) else None
    if own is not None and own.is_file():
        return _own(own, labels_only=labels_only)
    pack = shipped().get(name)
    if pack is None:
        known = ", ".join(n for n, p in shipped().items() if p.refused is None)
        raise GuardUnavailable(f"no pack {name!r}; there are {known}, or the path of a YAML file")
    return worded(_usable(pack, name, labels_only), folder)


def choose(model: str, folder: Path | None = None, *, labels_only: bool = False) -> Pack:
    """Returns the pack made for a served model's name, the generic one where none was.

    Raises:
        GuardUnavailable: when the model is known to be unable to judge, with the reason.
    """
    found = [pack for pack in shipped().values() if fits(pack, model)]
    if len(found) > 1:
        raise GuardUnavailable(f"packs {', '.join(p.name for p in found)} all fit {model!r}; add ?pack=NAME")
    return worded(_usable(found[0], model, labels_only), folder) if found else shipped()[GENERIC]


def known(folder: Path | None = None) -> list[Pack]:
    """Returns every pack that can be named: shipped ones in the wording in use, then those of the user's folder."""
    own = sorted(folder.glob("*.yaml")) if folder else []
    return [*(worded(pack, folder) for pack in shipped().values()), *(_own(path, labels_only=True) for path in own)]


def fits(pack: Pack, model: str) -> bool:
    """Tells whether a pack was made for a served model, by its name."""
    return any(re.search(pattern, model, re.IGNORECASE) for pattern in pack.models)


def fitting_pack(*names: str) -> str | None:
    """Returns the name of the pack that was made for a model known by any of these names; ``None`` where none was."""
    return next((pack.name for name in names for pack in shipped().values() if fits(pack, name)), None)


def _usable(pack: Pack, asked: str, labels_only: bool) -> Pack:
    if pack.family == "labels_only" and not labels_only:
        why = "it names labels of what is known to be unsafe and gives no verdict"
        raise GuardUnavailable(f"{asked} cannot judge: {why}; put it behind one that does, cascade:GUARD>THIS")
    if pack.refused is not None:
        raise GuardUnavailable(f"{asked} cannot judge: {pack.refused}")
    return pack


def _own(path: Path, *, labels_only: bool) -> Pack:
    try:
        pack = _decoded(path.read_bytes(), shipped())
        return _usable(msgspec.structs.replace(pack, wording=path.name), str(path), labels_only)
    except OSError as error:
        raise GuardUnavailable(f"pack {path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise GuardUnavailable(f"pack {path}: {error}") from error
