"""Which pack a model is asked in, and what of a trajectory it is shown: by its name, and as the guard's URI says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec

from agentdog.guards import packs
from agentdog.guards.chat_api import is_elsewhere, trust
from agentdog.guards.modelled import JudgeOptions
from agentdog.guards.packs import Pack
from agentdog.guards.packs.pairing import demand_fit

_ASK_S = 2.0  # a server that is slower is asked again once there is something to judge


def pack_for(options: JudgeOptions, model: str, folder: Path | None, *, labels_only: bool) -> Pack:
    """Returns the pack that a URI names, else the one made for the model.

    Args:
        options: with `pack`, `profile` and `tools`.
        model: its name; empty where it is not known yet.
        folder: the user's packs and official wording.
        labels_only: a pack that gives no verdict will do.

    Raises:
        GuardUnavailable: no such pack, one that cannot judge, or a pairing that is known not to work.
    """
    choice = packs.find if options.pack else packs.choose
    pack = choice(options.pack or model, folder, labels_only=labels_only)
    demand_fit(pack, model)
    wanted: dict[str, Any] = {"profile": options.profile, "tools": options.tools}
    render = msgspec.structs.replace(pack.render, **{name: value for name, value in wanted.items() if value})
    if render == pack.render:
        return pack
    if render.tools == "none":
        blind = "Tools are not shown to it, so that an attack in a tool's description cannot be seen."
        pack = msgspec.structs.replace(pack, note=" ".join(filter(None, (pack.note, blind))))
    return msgspec.structs.replace(pack, render=render)


def served_name(urls: Sequence[str], key: str | None, ca: str | None) -> str | None:
    """Asks the servers for the name of what they serve first; ``None`` where none says at once."""
    for url in urls:
        try:
            headers = {"Authorization": f"Bearer {key}"} if key else None
            with httpx.Client(headers=headers, timeout=_ASK_S, verify=trust(ca), trust_env=is_elsewhere(url)) as client:
                answer = client.get(f"{url}/models")
            name = answer.json()["data"][0]["id"] if answer.status_code == httpx.codes.OK else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, IndexError, TypeError, RecursionError):
            continue
        if isinstance(name, str) and name:
            return name
    return None
