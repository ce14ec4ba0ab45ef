"""A language model that follows a script, behind OpenAI's two interfaces: chat completions and Responses.

Real HTTP on loopback, so that frameworks use their ordinary clients. Invariant: the answer is a function of the
conversation that was sent (the last user text and the number of model turns since it); only its ids are random, since
two runs of a real model never share one either.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.listening import Quiet, listening

MODEL = "scripted-model"
_USAGE = (120, 30)  # tokens in and out; clients want to see some


@dataclass(frozen=True, slots=True)
class Say:
    """One turn of the model: visible text, calls, or both."""

    text: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()


#: What the model says, turn by turn, after each user text.
Script = Mapping[str, Sequence[Say]]


class OffScriptError(ValueError):
    """The script has no answer for this conversation."""


def next_turn(script: Script, conversation: Sequence[Mapping[str, Any]]) -> Say:
    """Picks the model's next turn.

    Args:
        script: what to say.
        conversation: chat messages, or input items of the Responses interface.

    Raises:
        OffScriptError: the last user text is not in the script, or all its turns were said.
    """
    asked, turns, model_spoke = "", 0, False
    for item in conversation:
        role = _role(item)
        if role == "user":
            asked, turns = _text(item.get("content")), 0
        elif role == "assistant" and not model_spoke:  # Responses has text and calls of one turn as separate items
            turns += 1
        model_spoke = role == "assistant"
    if asked not in script:
        raise OffScriptError(f"no script for the user text {asked!r}")
    if turns >= len(script[asked]):
        raise OffScriptError(f"the script for {asked!r} has only {len(script[asked])} turns")
    return script[asked][turns]


def _role(item: Mapping[str, Any]) -> str:
    kinds = {"function_call": "assistant", "reasoning": "assistant", "function_call_output": "tool"}
    return kinds.get(str(item.get("type")), str(item.get("role")))


def _text(content: object) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return str(content)


def _id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def chat_completion(say: Say) -> dict[str, Any]:
    """A whole chat completion."""
    calls = [
        {"id": _id("call"), "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for name, arguments in say.calls
    ]
    message: dict[str, Any] = {"role": "assistant", "content": say.text or None, "refusal": None}
    choice = {
        "index": 0,
        "message": message | ({"tool_calls": calls} if calls else {}),
        "logprobs": None,
        "finish_reason": "tool_calls" if calls else "stop",
    }
    tokens_in, tokens_out = _USAGE
    return {
        "id": _id("chatcmpl"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL,
        "choices": [choice],
        "usage": {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        },
    }


def chat_chunks(say: Say) -> Iterator[dict[str, Any]]:
    """The same completion as the stream's chunks: text and arguments in two pieces each, usage last."""
    whole = chat_completion(say)
    choice = whole["choices"][0]
    head = {key: whole[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in _halves(say.text):
        yield chunk({"content": piece})
    for index, call in enumerate(choice["message"].get("tool_calls", ())):
        function = call["function"]
        yield chunk({"tool_calls": [call | {"index": index, "function": {"name": function["name"], "arguments": ""}}]})
        for piece in _halves(function["arguments"]):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, choice["finish_reason"])
    yield head | {"choices": [], "usage": whole["usage"]}


def _halves(text: str) -> list[str]:
    middle = len(text) // 2
    return [piece for piece in (text[:middle], text[middle:]) if piece]


def response(say: Say, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A whole answer of the Responses interface, which repeats what it was asked with."""
    output: list[dict[str, Any]] = []
    if say.text:
        content = [{"type": "output_text", "text": say.text, "annotations": [], "logprobs": []}]
        output.append({"type": "message", "id": _id("msg"), "role": "assistant", "content": content})
    for name, arguments in say.calls:
        call = {"call_id": _id("call"), "name": name, "arguments": json.dumps(arguments)}
        output.append({"type": "function_call", "id": _id("fc")} | call)
    tokens_in, tokens_out = _USAGE
    return {
        "id": _id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "model": MODEL,
        "output": [item | {"status": "completed"} for item in output],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "instructions": asked.get("instructions"),
        "tools": asked.get("tools", []),
        "usage": {
            "input_tokens": tokens_in,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": tokens_out,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": tokens_in + tokens_out,
        },
    }


@contextmanager
def scripted_model(script: Script) -> Iterator[str]:
    """Serves the script on a free port of loopback; yields what ``OPENAI_BASE_URL`` is set to.

    What is off the script, or not spoken here (a streamed response), gets 400 and the reason.
    """

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                self._answer(body)
            except OffScriptError as error:
                self._send(400, "application/json", json.dumps({"error": {"message": str(error)}}))

        def _answer(self, body: dict[str, Any]) -> None:
            streamed = bool(body.get("stream"))
            if self.path == "/v1/chat/completions":
                say = next_turn(script, body["messages"])
                if streamed:
                    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chat_chunks(say)]
                    self._send(200, "text/event-stream", "".join([*lines, "data: [DONE]\n\n"]))
                else:
                    self._send(200, "application/json", json.dumps(chat_completion(say)))
            elif self.path == "/v1/responses" and not streamed:
                given = body["input"]
                items = [{"role": "user", "content": given}] if isinstance(given, str) else given
                self._send(200, "application/json", json.dumps(response(next_turn(script, items), body)))
            else:
                raise OffScriptError(f"{self.path} with stream={streamed} is not served")

        def _send(self, status: int, media_type: str, text: str) -> None:
            raw = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

    with listening(Handler) as base:
        yield f"{base}/v1"
