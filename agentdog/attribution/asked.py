"""An attribution that was asked for: as it stands, kept beside its run under what it depends on.

Invariant: `key` names the text, who is asked and how; as long as it is the same, the same answer holds.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from agentdog.attribution.result import Attribution, Mode, Target
from agentdog.base.ids import digest

State = Literal["pending", "done", "failed"]


class Way(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How the answer is found.

    Attributes:
        mode: the definitions followed; a verdict's are always the same.
        top_k: leading steps that are cut into sentences.
        attention: whether a model's attention is added.
    """

    mode: Mode = "paper"
    top_k: int = 3
    attention: bool = False


class Asked(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One question "why" about one step of a run, and its answer.

    Attributes:
        step_id: of the explained step; `index` is where it stood when it was asked for.
        target: the agent's action, or the guard's verdict.
        key: of all that the answer depends on.
        name: who is asked: a guard's name, or a model's.
        way: how.
        state: ``pending`` until a worker has computed it; ``failed`` says why in `error`, and may be asked for again.
        result: the answer; its texts are untrusted.
        asked_at: RFC 3339, like `done_at`.
    """

    project: str
    trajectory_id: str
    step_id: str
    index: int
    target: Target
    key: str
    name: str
    way: Way = Way()
    state: State = "pending"
    result: Attribution | None = None
    error: str | None = None
    asked_at: str
    done_at: str | None = None


def key_of(prefix: str, target: Target, who: str, way: Way) -> str:
    """Returns the key of an answer.

    Args:
        prefix: hash of the text up to the explained step (`agentdog.trajectory.prefix_keys`).
        target: what is explained.
        who: a guard's fingerprint, or a model's folder or address.
        way: how.
    """
    return digest(prefix, target, who, way.mode, str(way.top_k), str(way.attention))
