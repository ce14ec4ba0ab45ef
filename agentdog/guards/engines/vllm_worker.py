"""vLLM's engine in a process of its own: one JSON object a line on standard input, one on standard output.

Run by any interpreter that has vLLM, ``python vllm_worker.py ENGINE-ARGUMENTS-AS-JSON``; uses nothing of ours. Requests
that came while the engine computed join its next batch. Invariant: every request ends in one last line, ``end`` or
``error``, unless it was cancelled; the process ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from typing import Any, TextIO

_CACHE = 4 * 2**30  # bytes of key-value cache on a CPU, at most


class Worker:
    """Serves one engine until its input ends."""

    def __init__(self, engine: Any, out: TextIO) -> None:  # noqa: ANN401 - vLLM's LLMEngine
        self._engine = engine
        self._tokenizer = engine.get_tokenizer()
        self._out = out

    def run(self, lines: queue.SimpleQueue[str | None]) -> None:
        """Takes requests and computes, by turns."""
        context = self._engine.model_config.max_model_len
        self._say({"ready": {"context": context, "exact": "logprob_token_ids" in _sampling().__struct_fields__}})
        while True:
            waiting = self._engine.has_unfinished_requests()
            try:
                line = lines.get(block=not waiting)
            except queue.Empty:
                self._step()
                continue
            if line is None:
                return
            self._take(json.loads(line))

    def _take(self, request: dict[str, Any]) -> None:
        try:
            if "cancel" in request:
                self._engine.abort_request([str(request["cancel"])])
            elif "text" in request:
                self._answer(request, self._tokenizer.encode(request["text"], add_special_tokens=False))
            elif "messages" in request:
                shaped = self._tokenizer.apply_chat_template(request["messages"], tokenize=False, **request["shape"])
                self._answer(request, self._tokenizer.encode(shaped, add_special_tokens=False))
            else:
                prompt = {"prompt_token_ids": request["prompt"]}
                self._engine.add_request(str(request["id"]), prompt, _parameters(request))
        except Exception as error:
            self._say({"id": request.get("id"), "error": f"{type(error).__name__}: {error}"[:300]})

    def _answer(self, request: dict[str, Any], tokens: list[int]) -> None:
        self._say({"id": request["id"], "end": True, "tokens": list(tokens)})

    def _step(self) -> None:
        for output in self._engine.step():
            completion = output.outputs[0]
            self._say(
                {
                    "id": int(output.request_id),
                    "text": completion.text,
                    "written": _written(list(completion.token_ids), completion.logprobs),
                    "prompt": len(output.prompt_token_ids or ()),
                    "cached": output.num_cached_tokens,
                    "finish": completion.finish_reason,
                    "end": output.finished,
                }
            )

    def _say(self, message: dict[str, Any]) -> None:
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()


def _written(tokens: list[int], logprobs: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Lists each token with those listed in its place, ``[id, text, log-probability]``."""
    listed = logprobs or [{}] * len(tokens)
    return [
        {"token": token, "listed": [[id_, entry.decoded_token, entry.logprob] for id_, entry in place.items()]}
        for token, place in zip(tokens, listed, strict=False)
    ]


def _sampling() -> Any:  # noqa: ANN401
    from vllm import SamplingParams

    return SamplingParams


def _parameters(request: dict[str, Any]) -> Any:  # noqa: ANN401
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    given: dict[str, Any] = {"temperature": 0.0, "max_tokens": request["max_tokens"]}
    given["output_kind"] = RequestOutputKind.DELTA if request["stream"] else RequestOutputKind.FINAL_ONLY
    if request["listed"] and "logprob_token_ids" in _sampling().__struct_fields__:
        given |= {"logprobs": len(request["listed"]), "logprob_token_ids": request["listed"]}
    elif request["listed"] or request["top"]:
        given["logprobs"] = request["top"] or 20
    if request["regex"] is not None:
        given["structured_outputs"] = StructuredOutputsParams(regex=request["regex"])
    return _sampling()(**given)


def _with_cache(arguments: dict[str, Any]) -> dict[str, Any]:
    """Bounds the cache on a CPU, where vLLM would take nearly all of the memory: a quarter of what is free."""
    from vllm.platforms import current_platform

    if not current_platform.is_cpu() or {"kv_cache_memory_bytes", "gpu_memory_utilization"} & set(arguments):
        return arguments
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {**arguments, "kv_cache_memory_bytes": min(free // 4, _CACHE)}


def _read(lines: queue.SimpleQueue[str | None]) -> None:
    for line in sys.stdin:
        lines.put(line)
    lines.put(None)


def main() -> None:
    """Starts the engine; its own words go to standard error."""
    del sys.path[0]  # this file's folder, whose modules are not those that vLLM imports
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # In one process, nothing sent out, nothing fetched.
    fixed = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    os.environ.update(fixed)
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    from vllm import EngineArgs, LLMEngine

    arguments = _with_cache(json.loads(sys.argv[1]))
    Worker(LLMEngine.from_engine_args(EngineArgs(**arguments)), out).run(lines)
    out.flush()
    os._exit(0)  # the engine's own threads and processes need no farewell


if __name__ == "__main__":
    main()
