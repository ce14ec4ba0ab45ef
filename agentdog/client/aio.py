"""`AsyncClient`: the same calls for programs that live in an event loop.

Invariant: every method of `Client` is here under the same name with the same arguments; none holds up the loop.
Requests run in threads: the standard library has no asynchronous HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from agentdog.client import inline
from agentdog.client.api import DEFAULT_URL, Client
from agentdog.client.shapes import CheckAnswer, Decision

P = ParamSpec("P")
R = TypeVar("R")


def _in_thread(
    method: Callable[Concatenate[Client, P], R],
) -> Callable[Concatenate[AsyncClient, P], Awaitable[R]]:
    async def call(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.to_thread(method, self.sync, *args, **kwargs)

    call.__name__, call.__doc__ = method.__name__, method.__doc__
    return call


class AsyncClient:
    """Talks to one sidecar without blocking; see `Client` for arguments, answers and errors."""

    def __init__(self, base_url: str = DEFAULT_URL, token: str | None = None, timeout: float = 10.0) -> None:
        self.sync = Client(base_url, token, timeout)

    async def check(self, tool: str, arguments: dict[str, Any] | str, **fields: Any) -> CheckAnswer:  # noqa: ANN401
        """Asks whether a call may be made; see `Client.check`. Answers within the deadline, raises no client error."""
        deadline: float = fields["deadline"]
        decision: Decision = fields["on_not_evaluated"]
        action = {"tool": tool, "arguments": arguments, "id": fields.pop("call_id", None)}
        asked = inline.body(action=action, **fields)
        return await inline.within_async(deadline, decision, lambda: self.sync.post_check(asked, deadline))

    trajectories = _in_thread(Client.trajectories)
    trajectory = _in_thread(Client.trajectory)
    search = _in_thread(Client.search)
    saved_views = _in_thread(Client.saved_views)
    save_view = _in_thread(Client.save_view)
    delete_view = _in_thread(Client.delete_view)
    view = _in_thread(Client.view)
    text = _in_thread(Client.text)
    records = _in_thread(Client.records)
    flows = _in_thread(Client.flows)
    remedies = _in_thread(Client.remedies)
    export = _in_thread(Client.export)
    learned = _in_thread(Client.learned)
    keep_learned = _in_thread(Client.keep_learned)
    decide_learned = _in_thread(Client.decide_learned)
    looks = _in_thread(Client.looks)
    patterns = _in_thread(Client.patterns)
    names = _in_thread(Client.names)
    review = _in_thread(Client.review)
    reviews = _in_thread(Client.reviews)
    import_reviews = _in_thread(Client.import_reviews)
    suppressions = _in_thread(Client.suppressions)
    suppress = _in_thread(Client.suppress)
    revoke = _in_thread(Client.revoke)
    events = _in_thread(Client.events)
    taxonomy = _in_thread(Client.taxonomy)
    projects = _in_thread(Client.projects)
    accounting = _in_thread(Client.accounting)
    scopes = _in_thread(Client.scopes)
    guard = _in_thread(Client.guard)
    rejections = _in_thread(Client.rejections)
    dead_letters = _in_thread(Client.dead_letters)
    replay = _in_thread(Client.replay)
    deliveries = _in_thread(Client.deliveries)
    retry_deliveries = _in_thread(Client.retry_deliveries)
    forget = _in_thread(Client.forget)
    redactions = _in_thread(Client.redactions)
    audit = _in_thread(Client.audit)
    ask_analysis = _in_thread(Client.ask_analysis)
    analyses = _in_thread(Client.analyses)
    ask_attribution = _in_thread(Client.ask_attribution)
    attributions = _in_thread(Client.attributions)
    tuning = _in_thread(Client.tuning)
    replay_alerts = _in_thread(Client.replay_alerts)
    tune = _in_thread(Client.tune)
    budgets = _in_thread(Client.budgets)
    play = _in_thread(Client.play)
    evaluations = _in_thread(Client.evaluations)
    evaluation = _in_thread(Client.evaluation)
    evaluation_row = _in_thread(Client.evaluation_row)
    figures = _in_thread(Client.figures)
    packs = _in_thread(Client.packs)
    calibrations = _in_thread(Client.calibrations)
    calibrate = _in_thread(Client.calibrate)

    async def dataset(self, project: str, *, format: str | None = None) -> AsyncIterator[dict[str, Any]]:
        """Yields reviewed runs as labelled rows; see `Client.dataset`."""
        rows = self.sync.dataset(project, format=format)
        while (row := await asyncio.to_thread(next, rows, None)) is not None:
            yield row
