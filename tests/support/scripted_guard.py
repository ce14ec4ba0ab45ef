"""A small OpenAI-compatible server that answers what a test tells it to: for errors that real servers rarely make."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from agentdog.guards.served import PROBE
from tests.support.listening import Quiet, listening

#: Status and JSON body (or raw text) for a path below the root and a decoded request body.
Reply = tuple[int, Any]
Script = Callable[[str, dict[str, Any]], Reply]


class Recorder:
    """What was asked: (path, body, headers), in order of arrival; and over which connections."""

    def __init__(self) -> None:
        self.url = ""
        self.peers: set[tuple[str, int]] = set()
        self.requests: list[tuple[str, dict[str, Any], dict[str, str]]] = []

    def chats(self) -> list[dict[str, Any]]:
        """Bodies of the chat completions asked for, without those that find out what the server can do."""
        chats = [body for path, body, _ in self.requests if path.endswith("/chat/completions")]
        return [body for body in chats if not _is_probe(body)]


#: Fields that the scripted server knows, by whose server it pretends to be.
KNOWN = {"vllm": ("logprob_token_ids", "allowed_token_ids", "structured_outputs", "response_format", "top_logprobs")}
_PLAIN = ("response_format", "top_logprobs")


def _is_probe(body: dict[str, Any]) -> bool:
    return bool(body.get("messages")) and body["messages"][0].get("content") == PROBE


def _probed(body: dict[str, Any], knows: Sequence[str]) -> Reply:
    """Answers as a server that knows these fields and ignores all others without a word."""
    if "structured_outputs" in body and "structured_outputs" in knows:
        return 200, completion(body["structured_outputs"]["regex"])
    if "response_format" in body and "response_format" in knows:
        [word] = body["response_format"]["json_schema"]["schema"]["properties"]["word"]["enum"]
        return 200, completion(json.dumps({"word": word}))
    if "logprob_token_ids" in body and "logprob_token_ids" in knows:
        return 200, completion(
            "The", {"token_id:9": -0.5, **{f"token_id:{i}": -3.0 for i in body["logprob_token_ids"]}}
        )
    if "allowed_token_ids" in body and "allowed_token_ids" in knows:
        return 200, completion("x", {f"token_id:{body['allowed_token_ids'][0]}": -3.0})
    if "allowed_token_ids" in body and "masked" in knows:  # log-probabilities renormalised over what is allowed
        return 200, completion("x", {f"token_id:{body['allowed_token_ids'][0]}": 0.0})
    return 200, completion("The", {"The": -0.5} if body.get("top_logprobs") and "top_logprobs" in knows else None)


@contextmanager
def scripted_guard(
    chat: Script,
    *,
    owner: str = "scripted",
    model: str = "guard",
    hang: threading.Event | None = None,
    knows: Sequence[str] | None = None,
    context: int = 8192,
    root: str | None = None,
    refuses: Sequence[str] = (),
    tls: ssl.SSLContext | None = None,
) -> Iterator[Recorder]:
    """Serves ``/v1/models``, ``/tokenize`` and what `chat` answers; with `hang`, chats wait until the event is set.

    A token is a byte. `knows` are the fields that it honours when it is asked what it can do, `refuses` those that it
    does not let pass.
    """
    recorder = Recorder()
    honoured = KNOWN.get(owner, _PLAIN) if knows is None else knows

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply({})

        def do_POST(self) -> None:
            self._reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _reply(self, body: dict[str, Any]) -> None:
            recorder.requests.append((self.path, body, dict(self.headers)))
            recorder.peers.add(self.client_address)
            status, answer = self._answer(body)
            if body.get("stream") and status == 200 and isinstance(answer, dict):
                answer = streamed(answer)
            raw = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client gave up, which is what some tests want

        def _answer(self, body: dict[str, Any]) -> Reply:
            if self.path == "/v1/models":
                entry = {"id": model, "owned_by": owner, "max_model_len": context, "root": root or model}
                return 200, {"data": [entry]}
            if self.path == "/tokenize":
                return 200, _tokenized(body)
            if any(field in body for field in refuses):
                return 400, {"error": {"message": f"none of {', '.join(refuses)} here"}}
            if _is_probe(body):
                return _probed(body, honoured)
            if hang is not None:
                hang.wait(30)
            return chat(self.path, body)

    with listening(Handler, tls) as base:
        recorder.url = f"{base}/v1"
        try:
            yield recorder
        finally:
            if hang is not None:
                hang.set()


def _tokenized(body: dict[str, Any]) -> dict[str, Any]:
    if "messages" in body:
        closing = 0 if body.get("continue_final_message") else 10
        count = sum(len(m["content"].encode()) for m in body["messages"]) + closing
        return {"count": count, "tokens": [9] * count}
    text = str(body.get("prompt", body.get("content")))
    return {"tokens": {"safe": [1], "unsafe": [2, 3]}.get(text, [1000 + byte for byte in text.encode()])}


def streamed(answer: dict[str, Any]) -> str:
    """A completion as the event stream in which it would come, one event per token."""
    [choice] = answer["choices"]
    content = (choice["logprobs"] or {}).get("content") or [{"token": choice["message"]["content"]}]
    events: list[dict[str, Any]] = [
        {
            "choices": [
                {
                    "delta": {"content": entry["token"]},
                    "logprobs": {"content": [entry]} if choice["logprobs"] else None,
                    "finish_reason": choice["finish_reason"] if entry is content[-1] else None,
                }
            ]
        }
        for entry in content
    ]
    lines = [json.dumps(event) for event in (*events, {"choices": [], "usage": answer["usage"]})]
    return "".join(f"data: {line}\n\n" for line in (*lines, "[DONE]"))


def completion(
    text: str,
    logprobs: dict[str, float] | list[dict[str, float]] | None = None,
    *,
    finish: str = "stop",
    prompt: int = 100,
    cached: int | None = None,
) -> dict[str, Any]:
    """A chat completion; `logprobs` lists tokens per position, the written one first."""
    positions = [logprobs] if isinstance(logprobs, dict) else logprobs
    content = [
        {
            **_token(*next(iter(position.items()))),
            "top_logprobs": [_token(token, logprob) for token, logprob in position.items()],
        }
        for position in positions or ()
    ]
    return {
        "choices": [
            {
                "message": {"role": "assistant", "content": text},
                "finish_reason": finish,
                "logprobs": {"content": content} if positions is not None else None,
            }
        ],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": len(content) or 1,
            "prompt_tokens_details": None if cached is None else {"cached_tokens": cached},
        },
    }


def _token(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob}
