"""The caller's side of an inline check: what is sent, and what holds when no answer comes.

Invariant: `within` and `within_async` return by the deadline and raise nothing of this client's errors; every failure
is the decision that the caller named, with what failed.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from agentdog.client.errors import ApiError, BadAnswer, ClientError, Unreachable
from agentdog.client.shapes import CheckAnswer, Decision

DECISIONS = ("allow", "deny", "review")
#: Seconds that the way there and back may take; the sidecar is told to answer that much earlier, where there is room.
_WAY = 0.03
_SHARE = 0.8

Outcome = CheckAnswer | Exception


def body(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Builds the request; raises `ValueError` for a deadline or a decision that is none."""
    deadline = fields.pop("deadline")
    if not deadline > 0:
        raise ValueError(f"deadline: {deadline!r} is no positive number of seconds")
    if fields["on_not_evaluated"] not in DECISIONS:
        given = fields["on_not_evaluated"]
        raise ValueError(
            f"on_not_evaluated: {given!r}; say {', '.join(DECISIONS)}: it is your choice, and has no default"
        )
    action = {key: value for key, value in fields.pop("action").items() if value is not None}
    given = {key: value for key, value in fields.items() if value is not None}
    return {"action": action, "deadline_ms": round(max(deadline - _WAY, deadline * _SHARE) * 1000, 3), **given}


def within(deadline: float, on_not_evaluated: Decision, ask: Callable[[], CheckAnswer]) -> CheckAnswer:
    """Asks in a thread of its own and waits until the deadline."""
    began = time.monotonic()
    box: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    _start(ask, box.put)
    try:
        outcome: Outcome = box.get(timeout=deadline)
    except queue.Empty:
        outcome = TimeoutError()
    return _answer(outcome, on_not_evaluated, began)


async def within_async(deadline: float, on_not_evaluated: Decision, ask: Callable[[], CheckAnswer]) -> CheckAnswer:
    """The same, without holding up the event loop."""
    began, loop = time.monotonic(), asyncio.get_running_loop()
    future: asyncio.Future[Outcome] = loop.create_future()

    def tell(outcome: Outcome) -> None:
        if not future.done():
            future.set_result(outcome)

    def put(outcome: Outcome) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, outcome)

    _start(ask, put)
    try:
        outcome = await asyncio.wait_for(future, deadline)
    except TimeoutError:
        outcome = TimeoutError()
    return _answer(outcome, on_not_evaluated, began)


def _start(ask: Callable[[], CheckAnswer], put: Callable[[Outcome], None]) -> None:
    """Runs `ask` in a thread that nothing waits for; its sockets have timeouts, so it ends by itself."""

    def run() -> None:
        try:
            put(ask())
        except Exception as error:  # whatever it is, the caller's decision holds
            put(error)

    threading.Thread(target=run, name="agentdog-check", daemon=True).start()


def _answer(outcome: Outcome, on_not_evaluated: Decision, began: float) -> CheckAnswer:
    if isinstance(outcome, dict) and outcome.get("decision") in DECISIONS:
        return outcome
    error = outcome if isinstance(outcome, Exception) else BadAnswer("the answer holds no decision")
    if isinstance(error, TimeoutError):
        why, detail = "timed_out", "no answer from the sidecar within the deadline"
    elif isinstance(error, Unreachable):
        why, detail = "sidecar_unreachable", str(error)
    elif isinstance(error, ApiError):
        why, detail = "sidecar_refused", str(error)
    elif isinstance(error, ClientError):
        why, detail = "bad_answer", str(error)
    else:
        why, detail = "client_error", f"{type(error).__name__}: {error}"
    return {
        "decision": on_not_evaluated,
        "reason": f"Not evaluated ({why.replace('_', ' ')}); the caller says {on_not_evaluated} then.",
        "by": "on_not_evaluated",
        "not_evaluated": why,
        "detail": detail,
        "elapsed_ms": round((time.monotonic() - began) * 1000, 3),
    }
