"""The likelihoods of a served model: vLLM's prompt log-probabilities, each variant read whole.

vLLM answers such requests without its prefix cache, so that this costs what the reference costs; a model in this
process is many times faster. Only vLLM offers them for given tokens; another server is told apart at once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import httpx

from agentdog.attribution.likelihood import Likelihood
from agentdog.attribution.messages import Message
from agentdog.attribution.trie import Span, common
from agentdog.base.errors import OutsideError, UsageError
from agentdog.guards.options import KEY_VARIABLE

_TIMEOUT_S = 300.0
NOTE = "The server reads every variant whole: its prefix cache does not serve prompt log-probabilities."


class ServedModel:
    """A model behind vLLM's HTTP API; also makes conversations into tokens, by the server's own template."""

    apart = True

    def __init__(self, uri: str) -> None:
        """Takes ``server:http://HOST:PORT/v1?model=NAME``; raises `UsageError` when it is none."""
        address, _, options = uri.removeprefix("server:").partition("?")
        given = dict(parse_qsl(options))
        if not address.startswith(("http://", "https://")) or "model" not in given:
            raise UsageError(f"--model {uri!r}: write server:http://HOST:PORT/v1?model=NAME")
        self.name = given["model"]
        self.computed = self.plain = 0
        key = os.environ.get(KEY_VARIABLE)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._base = address.rstrip("/")
        self._http = httpx.Client(headers=headers, timeout=_TIMEOUT_S)
        self._known: dict[Span, Likelihood] = {}

    def score(self, spans: Sequence[Span]) -> list[Likelihood]:
        """Scores variants one by one; what was scored before is not asked again.

        Raises:
            OutsideError: the server does not answer, or not with prompt log-probabilities.
        """
        for span in spans:
            if span not in self._known:
                self._known[span] = self._scored(span)
        self.plain += sum(len(span.tokens) for span in spans)
        return [self._known[span] for span in spans]

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def content_span(self, context: Sequence[Message], target: Message) -> Span:
        """Returns the conversation up to the target's last word; the span begins behind the context's own tokens."""
        begun = self._tokens(context, {"add_generation_prompt": True}) if context else self._opening(target)
        whole = self._tokens([*context, target], {"add_generation_prompt": False, "continue_final_message": True})
        return Span(tuple(whole), common(begun, whole), len(whole))

    def reference_span(self, context: Sequence[Message], target: Message) -> Span:
        """Returns what AgentDoG's scripts score: all tokens behind the context's own, the end of the turn included."""
        taken = len(self._tokens(context, {"add_generation_prompt": True})) if context else 0
        whole = self._tokens([*context, target], {"add_generation_prompt": False})
        return Span(tuple(whole), min(taken, len(whole)), len(whole))

    def _opening(self, target: Message) -> list[int]:
        """Tokens in front of a target that nothing precedes: what two targets without a common word share."""
        others = [target._replace(content=text) for text in ("0", "A")]
        one, two = (self._tokens([other], {"continue_final_message": True}) for other in others)
        return one[: common(one, two)]

    def _tokens(self, messages: Sequence[Message], how: dict[str, bool]) -> list[int]:
        given = [{"role": message.role, "content": message.content} for message in messages]
        options = {"add_generation_prompt": False, **how}
        found = self._post(self._base.removesuffix("/v1") + "/tokenize", {"messages": given, **options})
        tokens = found.get("tokens")
        if not isinstance(tokens, list):
            raise OutsideError(f"{self._base}: /tokenize gave no tokens; attribution over HTTP needs vLLM")
        return tokens

    def _scored(self, span: Span) -> Likelihood:
        body = {"prompt": list(span.tokens), "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}
        found = self._post(f"{self._base}/completions", body)
        listed = (found.get("choices") or [{}])[0].get("prompt_logprobs")
        if not isinstance(listed, list) or len(listed) != len(span.tokens):
            raise OutsideError(f"{self._base} gave no prompt log-probabilities; attribution over HTTP needs vLLM")
        start = max(span.start, 1)
        shares = [listed[at][str(span.tokens[at])]["logprob"] for at in range(start, span.end)]
        self.computed += len(span.tokens)
        return Likelihood(float(sum(shares)), len(shares))

    def _post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self._http.post(url, json={"model": self.name, **body})
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise OutsideError(f"{url}: {type(error).__name__}: {error}") from error
        if answer.status_code >= 400 or not isinstance(found, dict):
            told = found.get("error", found) if isinstance(found, dict) else found
            raise OutsideError(f"{url}: HTTP {answer.status_code}: {str(told)[:300]}")
        return found
