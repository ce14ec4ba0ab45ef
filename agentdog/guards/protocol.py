"""The seam every guard fits: `open` a session on a header, `extend` it by steps, ask for the prefix's `verdict`.

A session only grows, so a guard may keep its place (a KV cache, a provenance index): a step costs the same however long
the trajectory is. It can be rebuilt from the prefix at any time.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import msgspec

from agentdog.guards.verdict import Verdict
from agentdog.trajectory import Header, Step


class GuardInfo(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Who is asked: shown beside every verdict.

    Attributes:
        name: for people (``embedded``, ``AgentDoG-Qwen3-4B``).
        uri: how it was chosen, without secrets.
        fingerprint: changes whenever the same prefix might be answered otherwise.
        pack: the pack (prompt, parser, decoding) in use.
        wording: whose words its prompt is in: ``own``, ``official``, or a user's.
        layout: how a trajectory is shown to it: name, what of profile and tools, fingerprint.
        note: what people must know before trusting it.
        served: it asks a server that caches prefixes, so that the newest prefix is best asked for first.
        labels_only: it names the labels of what is known to be unsafe, and gives no verdict of its own.
    """

    name: str
    uri: str
    fingerprint: str
    pack: str | None = None
    wording: str | None = None
    layout: str | None = None
    note: str | None = None
    served: bool = False
    labels_only: bool = False


class Health(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Whether a guard would answer now, and what mends it when not."""

    ok: bool
    detail: str
    mend: str | None = None


class GuardSession(Protocol):
    """One trajectory in front of one guard."""

    def extend(self, step: Step) -> None:
        """Appends one step; asks nothing."""
        ...

    async def verdict(self) -> Verdict:
        """Judges the prefix that ends in the last step; a guard that fails is a verdict, never an exception."""
        ...


@runtime_checkable
class Forks(Protocol):
    """A session that can be copied for little, so that several prefixes of a trajectory are asked for at once."""

    def fork(self) -> GuardSession:
        """Returns a session over the same prefix; extending one leaves the other as it is."""
        ...


@runtime_checkable
class LabelsApart(Protocol):
    """A session whose verdict and labels are two questions, so that labels may be left out or asked for later."""

    async def verdict_only(self) -> Verdict:
        """Judges as `GuardSession.verdict` does, without labels."""
        ...

    async def label(self, verdict: Verdict) -> Verdict:
        """Adds labels to a verdict of the same prefix; what goes wrong is said in its detail."""
        ...


class Written(NamedTuple):
    """Why a prefix was judged so, in the guard's own words (untrusted text), and the tokens that it took."""

    text: str
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None


@runtime_checkable
class Analyses(Protocol):
    """A session that can put its judgement into words."""

    async def analysis(self, verdict: Verdict) -> Written:
        """Writes why the prefix was judged so, for people; raises `GuardUnavailable` when there is no answer."""
        ...


class Guard(Protocol):
    """Something that judges prefixes."""

    @property
    def info(self) -> GuardInfo:
        """Who it is."""
        ...

    def open(self, header: Header) -> GuardSession:
        """Starts a session for one trajectory."""
        ...

    async def health(self) -> Health:
        """Asks whether it would answer now."""
        ...

    async def close(self) -> None:
        """Frees connections and memory."""
        ...
