"""The sidecar's HTTP API as Python calls.

Invariant: one method per endpoint, and a method returns the API's JSON unchanged (see `agentdog.client.shapes`).
"""

from __future__ import annotations

from typing import Any, Literal, cast
from urllib.parse import quote, urlencode

from agentdog.client import inline, transport
from agentdog.client.shapes import (
    CheckAnswer,
    Counts,
    Decision,
    DisplayVerdict,
    FeedPage,
    Flows,
    Found,
    GuardStatus,
    Names,
    Page,
    Patterns,
    Records,
    Scopes,
    Stored,
    Taxonomy,
    View,
)

DEFAULT_URL = "http://127.0.0.1:8080"


class Client:
    """Talks to one sidecar; holds no connection, so it may be shared between threads.

    Every method raises the errors of `agentdog.client.errors`.
    """

    def __init__(self, base_url: str = DEFAULT_URL, token: str | None = None, timeout: float = 10.0) -> None:
        """Points at an address.

        Args:
            base_url: such as ``http://127.0.0.1:8080``; raises `ValueError` when it is none.
            token: sent as a bearer token, to this address only.
            timeout: seconds to connect, and for each read.
        """
        self.base_url = base_url.rstrip("/")
        self._opener = transport.opener_for(self.base_url)
        self._headers = {"Accept": "application/json", "User-Agent": "agentdog-client"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._timeout = timeout

    def _get(self, path: str, **query: str | int | None) -> Any:  # noqa: ANN401 - JSON, typed by each method
        given = {key: value for key, value in query.items() if value is not None}
        url = f"{self.base_url}/api/v1/{path}" + (f"?{urlencode(given)}" if given else "")
        return transport.get(self._opener, url, self._headers, self._timeout)

    def _send(self, method: str, path: str, body: object = None, timeout: float | None = None) -> Any:  # noqa: ANN401
        url = f"{self.base_url}/api/v1/{path}"
        return transport.send(self._opener, method, url, self._headers, timeout or self._timeout, body)

    def check(  # noqa: PLR0913 - the fields of the endpoint, by keyword only
        self,
        tool: str,
        arguments: dict[str, Any] | str,
        *,
        deadline: float,
        on_not_evaluated: Decision,
        trajectory_id: str | None = None,
        messages: list[dict[str, Any]] | None = None,
        tools: list[dict[str, Any]] | None = None,
        call_id: str | None = None,
        thought: str | None = None,
        agent: str | None = None,
        project: str | None = None,
    ) -> CheckAnswer:
        """Asks whether a call may be made; answers within the deadline and never raises an error of this client.

        Args:
            tool: the call's tool.
            arguments: the decoded object, or the text as the model wrote it.
            deadline: seconds from now to the answer, whatever hangs or fails on the way.
            on_not_evaluated: the decision when the sidecar cannot say, or cannot be reached: your choice, always.
            trajectory_id: what was before, by any id of a run whose telemetry the sidecar receives.
            messages: what was before, as chat messages; wins over `trajectory_id`.
            tools: specifications of the tools offered, with `messages`.
            call_id: the model's id of the call.
            thought: the agent's text beside the call.
            agent: who calls.
            project: of the run.

        Raises:
            ValueError: the deadline is no positive number, or `on_not_evaluated` none of the three decisions.
        """
        asked = inline.body(
            action={"tool": tool, "arguments": arguments, "id": call_id},
            deadline=deadline,
            on_not_evaluated=on_not_evaluated,
            trajectory_id=trajectory_id,
            messages=messages,
            tools=tools,
            thought=thought,
            agent=agent,
            project=project,
        )
        return inline.within(deadline, on_not_evaluated, lambda: self.post_check(asked, deadline))

    def post_check(self, asked: dict[str, Any], timeout: float) -> CheckAnswer:
        """Sends one check as it is; unlike `check`, raises what fails."""
        return cast("CheckAnswer", self._send("POST", "check", asked, timeout))

    def trajectories(  # noqa: PLR0913 - the endpoint's filters
        self,
        *,
        project: str | None = None,
        verdict: DisplayVerdict | None = None,
        risk_source: str | None = None,
        failure_mode: str | None = None,
        real_world_harm: str | None = None,
        agent: str | None = None,
        tool: str | None = None,
        since: str | None = None,
        until: str | None = None,
        order: Literal["newest", "oldest"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page:
        """Lists trajectories, newest first unless told otherwise; all given filters must match, times are RFC 3339."""
        answer = self._get(
            "trajectories",
            project=project,
            verdict=verdict,
            risk_source=risk_source,
            failure_mode=failure_mode,
            real_world_harm=real_world_harm,
            agent=agent,
            tool=tool,
            since=since,
            until=until,
            order=order,
            limit=limit,
            cursor=cursor,
        )
        return cast("Page", answer)

    def trajectory(self, any_id: str, *, project: str | None = None) -> Stored:
        """Finds one trajectory by its id, or by any trace, span, session or tool-call id in it."""
        return cast("Stored", self._get(f"trajectories/{quote(any_id, safe='')}", project=project))

    def search(self, q: str, *, project: str | None = None, limit: int | None = None) -> Found:
        """Finds runs by any id in them, or by words of their title, user texts and evidence, newest first."""
        return cast("Found", self._get("search", q=q, project=project, limit=limit))

    def view(self, any_id: str, *, first: int | None = None, count: int | None = None, clip: int | None = None) -> View:
        """Returns one run in pieces: outline, incidents, and `count` steps from `first` with texts cut at `clip`."""
        return cast("View", self._get(f"view/{quote(any_id, safe='')}", first=first, count=count, clip=clip))

    def text(self, any_id: str, step: int, field: str) -> str:
        """Returns one text of a step whole, by the name that a cut gives it."""
        return str(self._get(f"text/{quote(any_id, safe='')}", step=step, field=field)["text"])

    def records(self, any_id: str, *, step: int | None = None, limit: int | None = None) -> Records:
        """Returns the spans and log records that told one step, or the whole run."""
        return cast("Records", self._get(f"records/{quote(any_id, safe='')}", step=step, limit=limit))

    def flows(self, any_id: str, step: int) -> Flows:
        """Says where each value in a step's calls was seen before."""
        return cast("Flows", self._get(f"flows/{quote(any_id, safe='')}", step=step))

    def export(self, any_id: str, schema: str = "atbench") -> dict[str, Any]:
        """Returns one run as a row of another schema: ``atbench``."""
        return cast("dict[str, Any]", self._get(f"exports/{quote(any_id, safe='')}", format=schema))

    def patterns(
        self, *, project: str | None = None, since: str | None = None, until: str | None = None, buckets: int = 24
    ) -> Patterns:
        """Says what repeats in a span of time, cut into `buckets` equal parts."""
        return cast("Patterns", self._get("patterns", project=project, since=since, until=until, buckets=buckets))

    def names(self, *, project: str | None = None) -> Names:
        """Returns the agents and tools that occur, with how many runs have each."""
        return cast("Names", self._get("names", project=project))

    def events(self, since: str | None = None, *, limit: int | None = None) -> FeedPage:
        """Returns what happened after a cursor; without one, where the feed stands now."""
        return cast("FeedPage", self._get("events", since=since, limit=limit))

    def taxonomy(self, overlay: str | None = None) -> Taxonomy:
        """Returns the three axes with names and definitions; overlay ``all`` holds every label there is."""
        return cast("Taxonomy", self._get("taxonomy", overlay=overlay))

    def projects(self) -> Counts:
        """Counts trajectories by project and verdict."""
        return cast("Counts", self._get("projects"))

    def accounting(self) -> Counts:
        """Counts records by project: received, stored, duplicate, rejected, pending."""
        return cast("Counts", self._get("accounting"))

    def scopes(self) -> Scopes:
        """Counts records by instrumentation, with what is lacking and what mends it."""
        return cast("Scopes", self._get("scopes"))

    def guard(self) -> GuardStatus:
        """Says which guard judges, and whether it would answer now."""
        return cast("GuardStatus", self._get("guard"))
