"""What is kept of something that is to be sent, while it waits and after: pure.

Invariant: the body and the key are made once, before the first try, so that every try says the same thing.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from agentdog.base.ids import digest

State = Literal["pending", "delivered", "given_up", "withdrawn"]

ALERT, VERDICTS = "alert", "verdicts"
_LONGEST_S = 600.0


class Delivery(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One message to one place.

    Attributes:
        id: of the project, what is told, and the place.
        key: the idempotency key: of the project and what is told; a receiver that has seen it has the message.
        target: name of the place, never its address, which may hold a secret.
        project: whose.
        trajectory_id: about which run.
        incident_id: about which incident of it; absent where verdicts were sent.
        state: pending until it is taken, given up, or withdrawn since there is nothing to tell any more.
        attempts: so far.
        created: RFC 3339.
        updated: RFC 3339, the last try.
        due_ns: not before (nanoseconds since the epoch).
        error: of the last try, or why it was given up.
        body: the message.
    """

    id: str
    key: str
    target: str
    project: str
    trajectory_id: str
    incident_id: str | None = None
    state: State = "pending"
    attempts: int = 0
    created: str
    updated: str
    due_ns: int = 0
    error: str | None = None
    body: bytes = b""


def unit_of(delivery: Delivery) -> str:
    """Names what a delivery belongs to as a unit of the lane ``send``."""
    if delivery.incident_id is None:
        return verdicts_unit(delivery.trajectory_id)
    return alert_unit(delivery.incident_id, delivery.trajectory_id)


def again(delivery: Delivery) -> Delivery:
    """Returns a delivery as if it had not been tried."""
    return msgspec.structs.replace(delivery, state="pending", attempts=0, due_ns=0)


def alert_unit(incident_id: str, trajectory_id: str) -> str:
    """Names an alert as a unit of the lane ``send``; ids of incidents hold no space."""
    return f"{ALERT} {incident_id} {trajectory_id}"


def verdicts_unit(trajectory_id: str) -> str:
    """Names a run's verdicts as a unit of the lane ``send``."""
    return f"{VERDICTS} {trajectory_id}"


def key_of(project: str, told: str) -> str:
    """Returns the idempotency key of an incident, or of a run's verdicts."""
    return f"agentdog-{digest(project, told)}"


def id_of(project: str, told: str, target: str) -> str:
    """Returns a delivery's id."""
    return digest(project, told, target, size=8)


def next_try_s(attempts: int, seed: str, *, first_s: float = 1.0, asked_s: float | None = None) -> float:
    """Seconds until another try: twice as long each time, up to ten minutes, spread by up to a quarter.

    Args:
        attempts: tries so far, at least one.
        seed: what the spread is drawn from, so that many messages do not come back at once; the same for one message.
        first_s: after the first try.
        asked_s: what the receiver asked for; followed up to an hour.
    """
    waits: float = min(first_s * 2.0 ** min(attempts - 1, 20), _LONGEST_S)
    spread = int(digest(seed, str(attempts), size=2), 16) / 0xFFFF / 4
    return max(waits * (1 - spread), min(asked_s or 0.0, 3600.0))
