"""One OpenAI-compatible server over HTTP: asks, and says exactly why there is no answer.

Everything that can go wrong is a `ChatFailure` with the reason that a verdict will carry; it never leaves the guard
room. What vLLM and llama.cpp answer was recorded from vLLM 0.32.0 and llama.cpp's server.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from agentdog.guards.verdict import Reason

_DETAIL_LIMIT = 300  # characters of a server's own words that are kept in a verdict
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class ChatFailure(Exception):  # noqa: N818 - what happened, not an error of ours
    """There is no answer, for one of the known reasons.

    `again` tells that the request was never worked on (no connection, or turned away at the door), so that asking again
    costs the server nothing twice. `servers` tells that the server itself failed, whatever was asked. `raw` is the
    answer that could not be read.
    """

    def __init__(
        self, reason: Reason, detail: str, *, again: bool = False, servers: bool = False, raw: str | None = None
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.again = again
        self.servers = servers
        self.raw = raw


class Candidate(msgspec.Struct, frozen=True):
    """One token that the model might have written: its text, its log-probability, its id where the server says."""

    token: str
    logprob: float
    id: int | None = None


class Position(msgspec.Struct, frozen=True):
    """One written token and the likeliest ones in its place."""

    written: Candidate
    candidates: tuple[Candidate, ...]


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one or more requests; ``None`` where the server does not say."""

    prompt: int | None = None
    cached: int | None = None
    completion: int | None = None

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            _sum(self.prompt, other.prompt),
            _sum(self.cached, other.cached),
            _sum(self.completion, other.completion),
        )


class Answer(msgspec.Struct, frozen=True):
    """What the model wrote, why it stopped, and its tokens where log-probabilities came along."""

    text: str
    finish: str | None
    positions: tuple[Position, ...]
    usage: Usage


class ChatApi:
    """A client of one server that keeps its connections, with a bound on requests in flight."""

    def __init__(
        self, base_url: str, *, key: str | None, timeout_s: float, concurrency: int, ca: str | None = None
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._key = key
        self._ca = ca
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(concurrency)
        # One client per connection: a pool of many looks at each of them whenever a request begins and ends.
        self._idle: list[httpx.AsyncClient] = []
        self._closings = 0

    async def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """Returns the JSON of a GET below the API root, such as ``/models``."""
        return await self._send("GET", self.base_url + path)

    async def post_root(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """Posts to the server's root, where ``/tokenize`` lives on vLLM and on llama.cpp alike."""
        return await self._send("POST", self.base_url.removesuffix("/v1") + path, body)

    async def chat(self, messages: Sequence[Mapping[str, str]], **options: object) -> Answer:
        """Asks for one completion; raises `ChatFailure`."""
        body = {"messages": list(messages), **{k: v for k, v in options.items() if v is not None}}
        return read_answer(await self._send("POST", f"{self.base_url}/chat/completions", body))

    async def next_token(self, prompt: Sequence[int], candidates: Sequence[int], **options: object) -> dict[int, float]:
        """Returns the log-probabilities of exactly these tokens behind a prompt given as tokens (vLLM only)."""
        asked = {"logprobs": 1, "logprob_token_ids": list(candidates), "return_tokens_as_token_ids": True}
        body = {"prompt": list(prompt), "max_tokens": 1, "temperature": 0, **asked, **options}
        answer = await self._send("POST", f"{self.base_url}/completions", body)
        try:
            listed = answer["choices"][0]["logprobs"]["top_logprobs"][0]
            by_id = {int(token.removeprefix("token_id:")): float(value) for token, value in listed.items()}
            return {token: by_id[token] for token in candidates}
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            raise ChatFailure(Reason.UNPARSABLE, f"the answer lists not the tokens asked for ({error!r})") from error

    async def stream(
        self, messages: Sequence[Mapping[str, str]], enough: Callable[[str], bool], **options: object
    ) -> Answer:
        """Asks for one completion token by token and hangs up once what was written is enough; raises `ChatFailure`.

        The server stops writing when its client goes, so the rest of the budget is not spent.
        """
        asked = {k: v for k, v in options.items() if v is not None}
        body = {"messages": list(messages), "stream": True, "stream_options": {"include_usage": True}, **asked}
        written = Written()
        async with (
            self._trouble(),
            self._connection() as connection,
            connection.stream("POST", f"{self.base_url}/chat/completions", json=body) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise failure_of(response.status_code, (await response.aread()).decode(errors="replace"))
            async for line in response.aiter_lines():
                written.add(line)
                if written.finish is None and enough(written.text):
                    written.finish = "enough"
                    break
        return written.answer()

    async def close(self) -> None:
        """Closes the connections that rest, and the others as they come back; the next request would open a new one."""
        self._closings += 1
        while self._idle:
            await self._idle.pop().aclose()

    async def _send(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
        async with self._trouble(), self._connection() as connection:
            response = await connection.request(method, url, json=body)
        if response.status_code != httpx.codes.OK:
            raise failure_of(response.status_code, response.text)
        try:
            return response.json()
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ChatFailure(Reason.UNPARSABLE, "the server answered 200 with something that is no JSON") from error

    @asynccontextmanager
    async def _trouble(self) -> AsyncIterator[None]:
        """Bounds a request by the deadline, waiting for a free slot included; says what went wrong as `ChatFailure`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                yield
        except httpx.ConnectTimeout as error:
            why = f"no connection to {self.base_url} in time"
            raise ChatFailure(Reason.GUARD_UNREACHABLE, why, again=True, servers=True) from error
        except (httpx.TimeoutException, TimeoutError) as error:
            raise ChatFailure(Reason.TIMED_OUT, f"no answer within {self._timeout_s:g} s", servers=True) from error
        except httpx.ConnectError as error:
            why = f"{self.base_url} does not answer ({error})"
            raise ChatFailure(Reason.GUARD_UNREACHABLE, why, again=True, servers=True) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            why = f"the connection broke off ({type(error).__name__})"
            raise ChatFailure(Reason.GUARD_ERROR, why, servers=True) from error

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[httpx.AsyncClient]:
        """A slot, and a connection for it: the one that rested last, so that few are held where few are needed."""
        async with self._slots:
            # Made on first use: a connection belongs to the event loop that opened it.
            connection, closings = self._idle.pop() if self._idle else self._opened(), self._closings
            try:
                yield connection
            finally:
                if closings == self._closings:
                    self._idle.append(connection)
                else:
                    await connection.aclose()

    def _opened(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else None,
            timeout=httpx.Timeout(self._timeout_s),
            limits=httpx.Limits(max_connections=1),
            verify=trust(self._ca),
            trust_env=is_elsewhere(self.base_url),
        )


def is_elsewhere(url: str) -> bool:
    """Tells a server's machine from this one: a proxy from the environment is meant for the outside only."""
    return urlsplit(url).hostname not in _LOOPBACK


@cache
def trust(ca: str | None) -> ssl.SSLContext:
    """Reads the certificates to trust; once, since that takes longer than a verdict.

    Raises `OSError` (of which `ssl.SSLError` is one) when the file cannot be read or holds none.
    """
    return ssl.create_default_context(cafile=ca)


def failure_of(status: int, body: str) -> ChatFailure:
    """Reads an error answer into the reason it stands for."""
    try:
        error = json.loads(body)
    except (ValueError, RecursionError):
        error = {}
    fields = error.get("error", error) if isinstance(error, dict) else {}
    if not isinstance(fields, dict):
        fields = {"message": str(fields)}
    message = str(fields.get("message") or body or "no explanation")[:_DETAIL_LIMIT]
    detail = f"HTTP {status}: {message}"
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return ChatFailure(Reason.GUARD_REFUSED, detail)
    if 400 <= status < 500 and _is_too_long(fields, message):
        return ChatFailure(Reason.TOO_LONG, detail)
    turned_away = status in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)
    return ChatFailure(Reason.GUARD_ERROR, detail, again=turned_away, servers=status >= 500)


def _is_too_long(fields: Mapping[str, Any], message: str) -> bool:
    """The shapes of llama.cpp, OpenAI and vLLM, in this order; the last names the parameter and says why in words."""
    return (
        fields.get("type") == "exceed_context_size_error"
        or fields.get("code") == "context_length_exceeded"
        or (fields.get("param") in (None, "input_tokens", "max_tokens") and "maximum context length" in message)
    )


def read_answer(body: Any) -> Answer:  # noqa: ANN401 - whatever the server sent
    """Reads a chat completion; raises `ChatFailure` (unparsable) when it is none."""
    try:
        choice = body["choices"][0]
        text = choice["message"].get("content") or ""
        logprobs = (choice.get("logprobs") or {}).get("content") or ()
        positions = tuple(
            Position(_candidate(entry), tuple(_candidate(c) for c in entry.get("top_logprobs") or ()))
            for entry in logprobs
        )
        if not isinstance(text, str):
            raise TypeError("content is no text")
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ChatFailure(Reason.UNPARSABLE, f"the answer is no chat completion ({error!r})") from error
    return Answer(text=text, finish=choice.get("finish_reason"), positions=positions, usage=_usage(body))


class Written:
    """A streamed answer as far as it has come; lines that are no event of a completion are refused as unparsable."""

    def __init__(self) -> None:
        self.text = ""
        self.finish: str | None = None
        self._positions: list[Position] = []
        self._usage = Usage()

    def add(self, line: str) -> None:
        """Takes one line of the event stream; raises `ChatFailure` when it is none."""
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or data == "[DONE]":
            return
        try:
            event = json.loads(data)
            if isinstance(event, dict) and "error" in event:
                raise ChatFailure(Reason.GUARD_ERROR, str(event["error"])[:_DETAIL_LIMIT], servers=True)
            self._usage = _usage(event) if event.get("usage") else self._usage
            for choice in event.get("choices") or ():
                self.text += (choice.get("delta") or {}).get("content") or ""
                listed = (choice.get("logprobs") or {}).get("content") or ()
                self._positions += [
                    Position(_candidate(entry), tuple(_candidate(c) for c in entry.get("top_logprobs") or ()))
                    for entry in listed
                ]
                self.finish = choice.get("finish_reason") or self.finish
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ChatFailure(Reason.UNPARSABLE, f"the stream holds no chat completion ({error!r})") from error

    def answer(self) -> Answer:
        """Returns what came; usage is known only when the stream came to its end."""
        return Answer(text=self.text, finish=self.finish, positions=tuple(self._positions), usage=self._usage)


def _candidate(entry: Mapping[str, Any]) -> Candidate:
    token, given = entry["token"], entry.get("id")
    if isinstance(token, str) and token.startswith("token_id:"):  # vLLM, with return_tokens_as_token_ids
        given = int(token.removeprefix("token_id:"))
    return Candidate(str(token), float(entry["logprob"]), given if isinstance(given, int) else None)


def _usage(body: Mapping[str, Any]) -> Usage:
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return Usage()
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Usage(usage.get("prompt_tokens"), cached, usage.get("completion_tokens"))


def _sum(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else a + b
