"""Attribution of an action by whichever model is named: a folder, or a server."""

from __future__ import annotations

import importlib.util
import itertools
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from agentdog.attribution import attention as looking
from agentdog.attribution import likelihood
from agentdog.attribution.messages import Message
from agentdog.attribution.result import Attribution, Cost, Mode, SentenceScore
from agentdog.base.errors import OutsideError

if TYPE_CHECKING:
    from agentdog.attribution.causal import CausalModel
    from agentdog.attribution.chats import Chats, Layout


class Explainer:
    """A model that explains actions; loaded once, asked one at a time."""

    def __init__(self, model: str, *, dtype: str = "auto", device: str | None = None) -> None:
        """Loads a model's folder, or finds a server.

        Raises:
            OutsideError: packages or the model are missing.
            UsageError: the server's address is none.
        """
        self._here: tuple[CausalModel, Chats] | None = None
        self._notes: tuple[str, ...] = ()
        if model.startswith("server:"):
            from agentdog.attribution import served

            self._served: Any = served.ServedModel(model)
            self._notes = (served.NOTE,)
            return
        missing = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
        if missing:
            raise OutsideError(
                f"attribution in this process needs {' and '.join(missing)}, not installed here: "
                "pip install 'agentdog-sidecar[local]', or name a server with --model 'server:http://HOST/v1?model=NAME'"
            )
        from agentdog.attribution.causal import CausalModel
        from agentdog.attribution.chats import Chats
        from agentdog.guards.engines.folder import read

        try:
            causal = CausalModel(read(model), dtype=dtype, device=device)
        except (OSError, ValueError, RuntimeError) as error:
            raise OutsideError(f"{model}: the model cannot be loaded: {error}") from error
        self._here = (causal, Chats(causal.tokenizer, causal.name))
        if causal.unfit is not None:
            self._notes = (f"This model cannot read variants as a tree ({causal.unfit}); each was read whole.",)

    def explain(
        self,
        messages: Sequence[Message],
        place: int,
        *,
        mode: Mode = "paper",
        top_k: int = 3,
        attention: bool = False,
    ) -> Attribution:
        """Attributes the message at `place`; see `agentdog.attribution.likelihood.explain`, whose errors it raises."""
        began = time.perf_counter()
        if self._here is None:
            found = likelihood.explain(self._served, self._served, messages, place, mode=mode, top_k=top_k)
        else:
            causal, chats = self._here
            causal.forget()
            found = likelihood.explain(causal, chats, messages, place, mode=mode, top_k=top_k)
            if attention:
                found = _with_attention(found, causal, chats, messages, place)
            causal.forget()
        cost = Cost(computed=found.cost.computed, plain=found.cost.plain, seconds=time.perf_counter() - began)
        return msgspec.structs.replace(found, cost=cost, notes=(*found.notes, *self._notes))

    def close(self) -> None:
        """Closes what connects to a server; a model in this process goes with the object."""
        if self._here is None:
            self._served.close()


def _with_attention(
    found: Attribution, causal: CausalModel, chats: Chats, messages: Sequence[Message], place: int
) -> Attribution:
    laid = chats.laid_out(messages[:place], messages[place])
    reach = looking.rollout(causal.model, laid.span.tokens, (laid.span.start, laid.span.end))
    if reach is None:
        told = f"No attention: the text is longer than {looking.LIMIT} tokens, or the model does not show it."
        return msgspec.structs.replace(found, notes=(*found.notes, told))
    by_step = looking.shares(reach, [laid.tokens_of(at) for at in range(place)])
    steps = tuple(
        msgspec.structs.replace(step, attention=share, sentences=_looked_at(step.sentences, at, laid, reach))
        for at, (step, share) in enumerate(zip(found.steps, by_step, strict=True))
    )
    return msgspec.structs.replace(found, steps=steps)


def _looked_at(
    sentences: tuple[SentenceScore, ...] | None, message: int, laid: Layout, reach: Sequence[float]
) -> tuple[SentenceScore, ...] | None:
    """Adds each sentence's share of the attention that reaches its step."""
    if sentences is None:
        return None
    ends = list(itertools.accumulate(len(sentence.text) for sentence in sentences))
    places = [laid.tokens_of(message, begin, end) for begin, end in zip([0, *ends], ends, strict=False)]
    shares = looking.shares(reach, places)
    return tuple(
        msgspec.structs.replace(sentence, attention=share) for sentence, share in zip(sentences, shares, strict=True)
    )
