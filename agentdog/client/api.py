"""The sidecar's HTTP API as Python calls.

Invariant: one method per endpoint, and a method returns the API's JSON unchanged (see `agentdog.client.shapes`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Literal, cast
from urllib.parse import quote

from agentdog.client import inline
from agentdog.client.calls import DEFAULT_URL
from agentdog.client.shapes import (
    Analysis,
    AskedAttribution,
    AttributionMode,
    Attributions,
    AttributionTarget,
    CheckAnswer,
    Decision,
    DisplayVerdict,
    Evaluations,
    FeedPage,
    Flows,
    Found,
    Labels,
    Like,
    Names,
    Order,
    Page,
    Patterns,
    Played,
    Records,
    Remedies,
    Review,
    ReviewAction,
    ReviewList,
    ReviewOutcome,
    SavedView,
    Sort,
    Stored,
    Suppression,
    Suppressions,
    Taxonomy,
    View,
    ViewFilters,
)
from agentdog.client.tending import Tending

__all__ = ["DEFAULT_URL", "Client"]

_REPORTING_S = 330.0  # intervals are drawn by resampling
_PLAYING_S = 90.0  # a guard model takes its time


class Client(Tending):
    """Talks to one sidecar; holds no connection, so it may be shared between threads.

    Every method raises the errors of `agentdog.client.errors`.
    """

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
        reviewed: Literal["yes", "no"] | None = None,
        open: Literal["yes"] | None = None,
        since: str | None = None,
        until: str | None = None,
        sort: Sort | None = None,
        order: Order | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page:
        """Lists trajectories, newest first unless told otherwise; all given filters must match, times are RFC 3339.

        `sort` by something else than the start comes highest first; `order` turns it round.
        """
        answer = self._get(
            "trajectories",
            project=project,
            verdict=verdict,
            risk_source=risk_source,
            failure_mode=failure_mode,
            real_world_harm=real_world_harm,
            agent=agent,
            tool=tool,
            reviewed=reviewed,
            open=open,
            since=since,
            until=until,
            sort=sort,
            order=order,
            limit=limit,
            cursor=cursor,
        )
        return cast("Page", answer)

    def saved_views(self, *, project: str | None = None) -> list[SavedView]:
        """Returns saved views of the list, of one project or of all that you may see."""
        return cast("list[SavedView]", self._get("saved-views", project=project)["items"])

    def save_view(self, name: str, filters: ViewFilters, *, author: str, replace: bool = False) -> SavedView:
        """Saves filters of the list under a name; one of that name stays unless `replace` says that it may go."""
        body = {"name": name, "filters": filters, "author": author, "replace": replace}
        return cast("SavedView", self._send("POST", "saved-views", body))

    def delete_view(self, name: str, *, project: str | None = None) -> None:
        """Deletes a saved view of a project, or of all."""
        self._ask("DELETE", "saved-views", {"name": name, "project": project})

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

    def remedies(self, any_id: str, *, last: int | None = None, project: str | None = None) -> Remedies:
        """Says what to change: where a check would have stopped each incident, the rule, what it would have denied.

        Args:
            any_id: any id of the run.
            last: newest runs of the project that the rules are tried on; 50 when not given.
            project: where to look.
        """
        return cast("Remedies", self._get(f"remedies/{quote(any_id, safe='')}", last=last, project=project))

    def export(self, any_id: str, schema: str = "atbench") -> dict[str, Any]:
        """Returns one run as a row of ATBench's schema, or as a ``regression`` case for `agentdog judge`."""
        return cast("dict[str, Any]", self._get(f"exports/{quote(any_id, safe='')}", format=schema))

    def patterns(
        self, *, project: str | None = None, since: str | None = None, until: str | None = None, buckets: int = 24
    ) -> Patterns:
        """Says what repeats in a span of time, cut into `buckets` equal parts."""
        return cast("Patterns", self._get("patterns", project=project, since=since, until=until, buckets=buckets))

    def names(self, *, project: str | None = None) -> Names:
        """Returns the agents and tools that occur, with how many runs have each."""
        return cast("Names", self._get("names", project=project))

    def review(  # noqa: PLR0913 - the fields of the endpoint, by keyword only
        self,
        trajectory_id: str,
        action: ReviewAction,
        *,
        author: str,
        incident_id: str | None = None,
        step: int | None = None,
        labels: Labels | None = None,
        note: str | None = None,
        project: str | None = None,
        suppress: dict[str, Any] | None = None,
    ) -> ReviewOutcome:
        """Says something of a run.

        Args:
            trajectory_id: any id of the run.
            action: confirm, correct, dismiss or reopen an incident; mark or unmark a step; approve or doubt the run.
            author: who says it.
            incident_id: which incident; may be left out where there is only one.
            step: index of the step, from 0: the one that is marked, or the onset as corrected.
            labels: the axes as corrected; ``""`` says that an axis has none.
            note: why.
            project: where to look.
            suppress: with a dismissal, ``{"reason"?, "days"?, "like"?}``: dismiss all like this until that many days.
        """
        given = {
            "trajectory_id": trajectory_id,
            "action": action,
            "author": author,
            "incident_id": incident_id,
            "step": step,
            "labels": labels,
            "note": note,
            "project": project,
            "suppress": suppress,
        }
        body = {key: value for key, value in given.items() if value is not None}
        return cast("ReviewOutcome", self._send("POST", "reviews", body))

    def reviews(
        self, trajectory_id: str | None = None, *, project: str | None = None, offset: int | None = None
    ) -> ReviewList:
        """Returns what was said: of one run with every version, or of a project run by run."""
        return cast("ReviewList", self._get("reviews", trajectory_id=trajectory_id, project=project, offset=offset))

    def import_reviews(self, reviews: list[Review], suppressions: list[Suppression]) -> dict[str, int]:
        """Takes exported reviews and rules back; counts what was new and what was there already."""
        body = {"reviews": reviews, "suppressions": suppressions}
        return cast("dict[str, int]", self._send("POST", "reviews/import", body))

    def suppressions(self, *, project: str | None = None) -> Suppressions:
        """Returns the rules that dismiss incidents which are alike, with how often each applied."""
        return cast("Suppressions", self._get("suppressions", project=project))

    def suppress(self, project: str, like: Like, *, author: str, reason: str, days: float) -> Suppression:
        """Dismisses all incidents that are alike, from now until the rule expires."""
        body = {"project": project, "like": like, "author": author, "reason": reason, "days": days}
        return cast("Suppression", self._send("POST", "suppressions", body))

    def revoke(self, rule_id: str) -> Suppression:
        """Ends a suppression rule now."""
        return cast("Suppression", self._send("DELETE", f"suppressions/{quote(rule_id, safe='')}"))

    def dataset(self, project: str, *, format: str | None = None) -> Iterator[dict[str, Any]]:
        """Yields reviewed runs as labelled rows: ``atbench``, ``native`` or ``chat``."""
        offset: str | None = None
        while True:
            rows, headers = self._lines("dataset", project=project, format=format, offset=offset)
            yield from rows
            offset = headers.get("X-Next-Offset")
            if offset is None:
                return

    def events(self, since: str | None = None, *, limit: int | None = None) -> FeedPage:
        """Returns what happened after a cursor; without one, where the feed stands now."""
        return cast("FeedPage", self._get("events", since=since, limit=limit))

    def taxonomy(self, overlay: str | None = None) -> Taxonomy:
        """Returns the three axes with names and definitions; overlay ``all`` holds every label there is."""
        return cast("Taxonomy", self._get("taxonomy", overlay=overlay))

    def ask_analysis(
        self, trajectory_id: str, *, step: int | None = None, project: str | None = None, again: bool = False
    ) -> Analysis:
        """Asks for the written analysis of a judged step (index from 0), by default where the run goes wrong.

        Answers at once; a worker has it written. Without ``state`` it is pending: ask for `analyses` later.
        """
        asked = {"trajectory_id": trajectory_id, "step": step, "project": project, "again": again}
        body = {name: value for name, value in asked.items() if value is not None}
        return cast("Analysis", self._send("POST", "analyses", body))

    def analyses(self, any_id: str, *, project: str | None = None) -> list[Analysis]:
        """Returns what guards wrote about a run's steps, or are to write."""
        return cast("list[Analysis]", self._get(f"analyses/{quote(any_id, safe='')}", project=project)["items"])

    def ask_attribution(
        self,
        trajectory_id: str,
        *,
        target: AttributionTarget = "verdict",
        step: int | None = None,
        mode: AttributionMode | None = None,
        top_k: int | None = None,
        attention: bool = False,
        project: str | None = None,
        again: bool = False,
    ) -> AskedAttribution:
        """Asks which text moved the verdict on a step (index from 0), or the agent's action there.

        Answers at once; a worker computes it. Without ``state`` it is pending: ask for `attributions` later.
        """
        asked = {"target": target, "step": step, "mode": mode, "top_k": top_k, "attention": attention, "again": again}
        body = {"trajectory_id": trajectory_id, "project": project} | asked
        given = {name: value for name, value in body.items() if value is not None}
        return cast("AskedAttribution", self._send("POST", "attributions", given))

    def attributions(self, any_id: str, *, project: str | None = None) -> Attributions:
        """Returns which text moved a run's verdicts and actions, as far as somebody asked."""
        return cast("Attributions", self._get(f"attributions/{quote(any_id, safe='')}", project=project))

    def play(self, document: str | bytes) -> Played:
        """Has a document judged step by step, and kept nowhere: a chat, OTLP, a transcript, an ATBench row."""
        if isinstance(document, bytes):
            body = {"content": base64.b64encode(document).decode(), "encoding": "base64"}
        else:
            body = {"content": document, "encoding": "text"}
        return cast("Played", self._send("POST", "playground", body, _PLAYING_S))

    def evaluations(self) -> Evaluations:
        """Lists the run folders of ``atbench`` that the sidecar is told of."""
        return cast("Evaluations", self._get("evaluations"))

    def evaluation(self, name: str) -> dict[str, Any]:
        """Returns a run's report; the first time it is computed, which may take a while."""
        url = f"evaluations/{quote(name, safe='')}"
        return cast("dict[str, Any]", self._send("GET", url, None, _REPORTING_S)["report"])

    def evaluation_row(self, name: str, row_id: str) -> dict[str, Any]:
        """Returns one row of a run as it was kept, with every verdict."""
        path = f"evaluations/{quote(name, safe='')}/rows/{quote(row_id, safe='')}"
        return cast("dict[str, Any]", self._get(path)["row"])

    def looks(self, any_id: str, step: int, *, project: str | None = None) -> dict[str, Any]:
        """Says what each detector of the embedded guard looked at in an agent's step (from 0), the quiet ones too."""
        return cast("dict[str, Any]", self._get(f"looks/{quote(any_id, safe='')}", step=step, project=project))
