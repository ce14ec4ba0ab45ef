"""Calls of who runs a sidecar: what came in and went out, what guards cost, from when they alert, what they learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from agentdog.client.calls import Calls
from agentdog.client.shapes import (
    AlertState,
    AuditPage,
    Budgets,
    Calibration,
    Counts,
    DeadLetters,
    Deliveries,
    Figures,
    Forgotten,
    GuardStatus,
    Pack,
    Rates,
    Rejections,
    Replay,
    Scopes,
    Standing,
)

_FORGETTING_S = 600.0  # all that is kept is read for it, and the store's log written anew


class Tending(Calls):
    """Part of `Client`; every method raises the errors of `agentdog.client.errors`."""

    def projects(self) -> Counts:
        """Counts trajectories by project and verdict."""
        return cast("Counts", self._get("projects"))

    def accounting(self) -> Counts:
        """Counts records by project: received, stored, duplicate, rejected, pending."""
        return cast("Counts", self._get("accounting"))

    def rejections(self, project: str | None = None, *, limit: int | None = None) -> Rejections:
        """Lists spans and records that were refused, with the reason, newest first."""
        return cast("Rejections", self._get("rejections", project=project, limit=limit))

    def dead_letters(self, *, limit: int | None = None) -> DeadLetters:
        """Lists traces and sessions that no try could work on, newest first."""
        return cast("DeadLetters", self._get("dead-letters", limit=limit))

    def replay(self, letter_id: str | None = None) -> int:
        """Queues dead letters again, one by its id or all; returns how many."""
        return int(self._ask("POST", "dead-letters/replay", {"id": letter_id})["replayed"])

    def deliveries(self, *, project: str | None = None, unsent: bool = False, limit: int | None = None) -> Deliveries:
        """Lists alerts and verdicts that were sent, wait, or were given up, the last tried first."""
        asked = "true" if unsent else None
        return cast("Deliveries", self._get("deliveries", project=project, unsent=asked, limit=limit))

    def retry_deliveries(self, delivery_id: str | None = None) -> int:
        """Tries messages again that wait or were given up, one by its id or all; returns how many."""
        return int(self._ask("POST", "deliveries/retry", {"id": delivery_id})["retried"])

    def forget(
        self,
        *,
        run: str | None = None,
        session: str | None = None,
        subject: str | None = None,
        project: str | None = None,
        dry_run: bool = False,
    ) -> Forgotten:
        """Deletes a run, a session, or all that is kept of a person; returns when nothing of it can be read."""
        body = {"run": run, "session": session, "subject": subject, "project": project, "dry_run": dry_run}
        return cast("Forgotten", self._send("POST", "forget", body, _FORGETTING_S))

    def redactions(self) -> Counts:
        """Counts secrets and personal data that were taken out of telemetry, by project and kind."""
        return cast("Counts", self._get("redactions"))

    def audit(self, *, limit: int | None = None) -> AuditPage:
        """Lists who read content, reviewed or deleted, newest first."""
        return cast("AuditPage", self._get("audit", limit=limit))

    def scopes(self) -> Scopes:
        """Counts records by instrumentation, with what is lacking and what mends it."""
        return cast("Scopes", self._get("scopes"))

    def tuning(self, project: str | None = None) -> list[AlertState]:
        """Says how alerts stand in each project: observed only or told, from which threshold, and why that one."""
        return cast("list[AlertState]", self._get("tuning", project=project)["items"])

    def replay_alerts(
        self, project: str, *, days: float | None = None, max_alerts_per_day: float | None = None
    ) -> Replay:
        """Says what each threshold would have alerted, from stored verdicts; a budget chooses one."""
        given = {"project": project, "days": days, "max_alerts_per_day": max_alerts_per_day}
        asked = {name: None if value is None else str(value) for name, value in given.items()}
        return cast("Replay", self._get("tuning/replay", **asked))

    def tune(self, project: str, /, **decided: Any) -> AlertState:  # noqa: ANN401 - fields of the endpoint's body
        """Decides about a project's alerts: ``alert_at``, ``alerting``, ``max_alerts_per_day``; the rest stays."""
        return cast("AlertState", self._send("POST", "tuning", {"project": project, **decided}))

    def budgets(self, project: str | None = None) -> Budgets:
        """Says what guards may cost and did cost: tokens a minute, share of steps labelled, samples, price."""
        return cast("Budgets", self._get("budgets", project=project))

    def figures(self) -> Figures:
        """Says how guards do: verdicts, reasons for none, tokens and cache hits, time to an answer."""
        return cast("Figures", self._get("figures"))

    def rates(self, *, seconds: int | None = None) -> Rates:
        """Says how many records and verdicts there were in each ten seconds lately, and how long verdicts took."""
        return cast("Rates", self._get("rates", seconds=seconds))

    def packs(self) -> list[Pack]:
        """Returns the prompts that can be used, with whose words they are in."""
        return cast("list[Pack]", self._get("packs")["items"])

    def learned(self, project: str) -> Standing:
        """Says what a project has learned, which version decides, and why none does."""
        return cast("Standing", self._get("learned", project=project))

    def keep_learned(self, model: Mapping[str, Any], *, activate: bool = False) -> Standing:
        """Keeps a model of `agentdog learn`; `activate` lets it decide, which is refused unless it is better."""
        asked = self._send("POST", f"learned?activate={str(activate).lower()}", dict(model), timeout=60.0)
        return cast("Standing", asked)

    def decide_learned(self, project: str, version: str | None) -> Standing:
        """Lets a version decide in a project, or none."""
        return cast("Standing", self._send("POST", "learned/deciding", {"project": project, "version": version}))

    def calibrations(self) -> list[Calibration]:
        """Returns guards' thresholds that were fitted at this sidecar."""
        return cast("list[Calibration]", self._get("calibrations")["items"])

    def calibrate(self, /, **asked: Any) -> Calibration:  # noqa: ANN401 - fields of the endpoint's body
        """Fits a guard's threshold: on a ``project``'s stored benign runs, or on ``scores`` by group."""
        return cast("Calibration", self._send("POST", "calibrations", asked))

    def guard(self) -> GuardStatus:
        """Says which guard judges, and whether it would answer now."""
        return cast("GuardStatus", self._get("guard"))
