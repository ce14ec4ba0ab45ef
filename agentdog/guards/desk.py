"""Who is asked, with what pack, and how the answer is decided: what every question about a prefix has in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from agentdog.guards.api import Api
from agentdog.guards.deciding import Rule
from agentdog.guards.packs import Pack
from agentdog.guards.served import Served, continuing, prefilled


class Desk(NamedTuple):
    """Who is asked, with what pack, how the answer is decided, and fields that go with every request."""

    api: Api
    served: Served
    pack: Pack
    rule: Rule
    extra: Mapping[str, Any]

    def messages(self, prompt: str) -> list[dict[str, str]]:
        """The conversation that asks for the verdict."""
        return [{"role": "user", "content": prompt}, *prefilled(self.pack.prefill)]

    def options(self, max_tokens: int) -> dict[str, Any]:
        """The fields of every request."""
        fixed = {"model": self.served.model, "max_tokens": max_tokens, "temperature": 0}
        return {**fixed, **continuing(self.pack), **self.extra}


def join(*notes: str | None) -> str | None:
    """Puts notes behind each other; ``None`` when there is none."""
    return "; ".join(note for note in notes if note) or None
