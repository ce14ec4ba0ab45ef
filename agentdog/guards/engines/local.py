"""``local:PATH``: a model in this process, by transformers. One thread computes; whoever waits may leave.

Invariant: nothing of torch is imported before the first question, so that building, listing and health cost nothing.
"""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from agentdog.base.errors import GuardUnavailable
from agentdog.guards.chat_api import Answer, ChatFailure
from agentdog.guards.engines.engine import Ask, Ending, Enough, Messages, Shape, check_room
from agentdog.guards.engines.folder import ModelFolder
from agentdog.guards.verdict import Reason

if TYPE_CHECKING:
    from agentdog.guards.engines.torch_model import TorchModel

T = TypeVar("T")
_REST_S = 60.0  # before loading is tried again
_DETAIL_LIMIT = 300  # characters


def demand_packages() -> None:
    """Raises `GuardUnavailable` with the remedy where the extra is not installed."""
    missing = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
    if missing:
        raise GuardUnavailable(
            f"a local guard needs {' and '.join(missing)}, not installed here: pip install 'agentdog-sidecar[local]', "
            "or serve the model and use server:http://HOST:PORT/v1"
        )


class LocalEngine:
    """A model in this process; loaded with the first question."""

    def __init__(self, folder: ModelFolder, context: int, **how: Any) -> None:  # noqa: ANN401 - of `Loading`
        self.folder = folder
        self._context = context
        self._how = how
        self._model: TorchModel | None = None
        self._failed: tuple[float, str] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="local-guard")

    @property
    def name(self) -> str:
        """The model's name."""
        return self.folder.name

    @property
    def state(self) -> str:
        """Says whether it is loaded."""
        if self._model is None:
            return "not loaded yet"
        kept = "reads on from what it kept" if self._model.keeps_its_place else "reads every prefix anew"
        return f"loaded, {kept}"

    async def start(self) -> int:
        """Loads the model; returns its context in tokens."""
        await self._run(lambda _model: None)
        return self._context

    async def tokens(self, text: str) -> list[int]:
        """Tokenises a text by itself."""
        return await self._run(lambda model: model.tokens(text))

    async def conversation(self, messages: Messages, shape: Shape) -> list[int]:
        """Returns the tokens of a conversation in the model's own template."""
        return await self._run(lambda model: model.conversation(messages, shape))

    async def write(self, prompt: Sequence[int], ask: Ask, enough: Enough | None = None) -> Answer:
        """Writes behind a prompt; stops within a piece of reading or a token when its caller leaves."""
        check_room(prompt, ask, self._context)
        if ask.regex is not None:
            raise ChatFailure(Reason.GUARD_ERROR, "a local model is held to labels by their trie, not by an expression")
        ending = Ending()
        try:
            return await self._run(lambda model: model.write(prompt, ask, enough, ending), ending)
        except asyncio.CancelledError:
            ending.set()
            raise

    async def close(self) -> None:
        """Frees the model."""
        self._model = None
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="local-guard")

    async def _run(self, work: Callable[[TorchModel], T], ending: Ending | None = None) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, work, ending)

    def _work(self, work: Callable[[TorchModel], T], ending: Ending | None) -> T:
        """Runs on the one thread; whatever goes wrong there becomes a `ChatFailure`."""
        model = self._loaded()
        try:
            if ending is not None:
                ending.check()
            return work(model)
        except ChatFailure:
            raise
        except Exception as error:
            # Memory that ran out (torch.OutOfMemoryError is a RuntimeError) may be what other texts hold.
            model.forget()
            raise ChatFailure(Reason.GUARD_ERROR, _told(error), servers=True) from error

    def _loaded(self) -> TorchModel:
        if self._model is not None:
            return self._model
        if self._failed is not None and time.monotonic() - self._failed[0] < _REST_S:
            raise ChatFailure(Reason.GUARD_ERROR, self._failed[1], servers=True)
        from agentdog.guards.engines.torch_model import Loading, TorchModel

        try:
            self._model = TorchModel(self.folder, Loading(**self._how))
        except Exception as error:
            detail = f"the model cannot be loaded: {_told(error)}"
            self._failed = (time.monotonic(), detail)
            raise ChatFailure(Reason.GUARD_ERROR, detail, servers=True) from error
        return self._model


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:_DETAIL_LIMIT]
