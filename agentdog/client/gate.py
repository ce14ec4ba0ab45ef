"""`Gate`: one decision in front of every tool call of an agent, for the hooks and for code of one's own.

Invariant: a call goes through only if the answer says so; an answer always comes by the deadline, and where nobody
could say it is what the caller named (`on_not_evaluated`), never a guess of ours.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from agentdog.client.aio import AsyncClient
from agentdog.client.api import DEFAULT_URL, Client
from agentdog.client.inline import DECISIONS
from agentdog.client.shapes import CheckAnswer, Decision

OnReview = Literal["allow", "deny"]


class Gate:
    """Asks the sidecar before a call is made.

    >>> gate = Gate(deadline=0.5, on_not_evaluated="deny")
    >>> gate.lets_through({"decision": "review", "reason": "", "by": "policy"})
    False
    """

    def __init__(
        self,
        *,
        deadline: float,
        on_not_evaluated: Decision,
        on_review: OnReview = "deny",
        url: str | None = None,
        token: str | None = None,
        project: str | None = None,
        agent: str | None = None,
    ) -> None:
        """Sets what holds for every call.

        Args:
            deadline: seconds that one call may wait for its answer, whatever hangs.
            on_not_evaluated: the decision when nobody could say in time: your choice, there is no default.
            on_review: what becomes of a call that a person should decide, where there is nobody to ask.
            url: the sidecar's API; the variable ``AGENTDOG_URL``, else ``http://127.0.0.1:8080``.
            token: a bearer token; the variable ``AGENTDOG_TOKEN``, or the file that ``AGENTDOG_TOKEN_FILE`` names.
            project: which rules apply.
            agent: who calls, where the hook cannot tell.

        Raises:
            ValueError: a value is none of those that are named here; says which.
        """
        if not deadline > 0:
            raise ValueError(f"deadline: {deadline!r} is no positive number of seconds")
        if on_not_evaluated not in DECISIONS:
            raise ValueError(f"on_not_evaluated: {on_not_evaluated!r}; say {', '.join(DECISIONS)}: it is your choice")
        if on_review not in ("allow", "deny"):
            raise ValueError(f"on_review: {on_review!r}; say allow or deny")
        self.client = Client(url or os.environ.get("AGENTDOG_URL") or DEFAULT_URL, token or _token())
        self._async = AsyncClient(self.client.base_url, token or _token())
        self.deadline = deadline
        self.on_not_evaluated: Decision = on_not_evaluated
        self.on_review: OnReview = on_review
        self._project, self._agent = project, agent

    def ask(self, tool: str, arguments: dict[str, Any] | str, **fields: Any) -> CheckAnswer:  # noqa: ANN401
        """Asks about one call; `fields` are those of `Client.check` (``messages``, ``trajectory_id``, ``call_id`` …).

        Never raises an error of the sidecar's or of the way there; see `lets_through`.
        """
        return self.client.check(tool, arguments, **self._fields(fields))

    async def ask_async(self, tool: str, arguments: dict[str, Any] | str, **fields: Any) -> CheckAnswer:  # noqa: ANN401
        """Does the same without holding up the event loop."""
        return await self._async.check(tool, arguments, **self._fields(fields))

    def _fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        fixed = {"deadline": self.deadline, "on_not_evaluated": self.on_not_evaluated, "project": self._project}
        return {**fixed, **fields, "agent": fields.get("agent") or self._agent}

    def lets_through(self, answer: CheckAnswer) -> bool:
        """Whether the call may be made."""
        return answer["decision"] == "allow" or (answer["decision"] == "review" and self.on_review == "allow")

    def refusal(self, tool: str, answer: CheckAnswer) -> str:
        """Returns what the model is told instead of a result."""
        who = f"rule {answer['rule']}" if "rule" in answer else answer.get("guard", "nobody could judge it")
        return f"The call to {tool} was not made ({who}): {answer['reason']} Go on without it."


def _token() -> str | None:
    given, file = os.environ.get("AGENTDOG_TOKEN"), os.environ.get("AGENTDOG_TOKEN_FILE")
    return given or (Path(file).read_text("utf-8").strip() if file else None)
