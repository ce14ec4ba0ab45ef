"""The seam behind which a model answers: a server of somebody else's, or an engine of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from agentdog.guards.chat_api import Answer


class Api(Protocol):
    """Whoever answers as vLLM's server does: a server over HTTP (`ChatApi`), or an engine of ours (`EngineApi`).

    Every method raises `agentdog.guards.chat_api.ChatFailure` with the reason why there is no answer.
    """

    base_url: str

    async def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """Returns what stands below the API root, such as ``/models``."""
        ...

    async def post_root(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """Posts to the root, where ``/tokenize`` is."""
        ...

    async def chat(self, messages: Sequence[Mapping[str, str]], **options: object) -> Answer:
        """Asks for one completion."""
        ...

    async def next_token(self, prompt: Sequence[int], candidates: Sequence[int], **options: object) -> dict[int, float]:
        """Returns the log-probabilities of exactly these tokens behind a prompt given as tokens."""
        ...

    async def stream(
        self, messages: Sequence[Mapping[str, str]], enough: Callable[[str], bool], **options: object
    ) -> Answer:
        """Asks for one completion and stops it once what was written is enough."""
        ...

    async def close(self) -> None:
        """Frees what is held."""
        ...
