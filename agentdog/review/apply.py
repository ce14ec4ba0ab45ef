"""A diagnosis as people left it: what they confirmed, corrected, dismissed or marked, laid over what a guard says.

Invariant: a pure function of the diagnosis and the reviews, in any order of the reviews; applying twice is applying
once. Verdicts of steps stay the guard's own; only incidents, and the run's verdict, follow the reviews.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

import taxonomy
from agentdog.base.ids import digest
from agentdog.diagnosis import Diagnosis, Incident
from agentdog.diagnosis import Review as State
from agentdog.guards import GuardInfo, Labels, Outcome
from agentdog.review.model import OF_INCIDENT, OF_RUN, Action, Review

#: Stands where a guard would, for a run that nobody but a person has judged.
PERSON = GuardInfo(name="review", uri="review", fingerprint="review", note="Judged by a person, not by a guard.")
Reviewed = Literal["confirmed", "corrected", "dismissed", "marked", "approved"]
_STATES: Mapping[Action, State] = {
    "confirm": "confirmed",
    "correct": "confirmed",
    "dismiss": "dismissed",
    "reopen": "open",
}


def states(action: Action) -> State:
    """Returns the state in which an action leaves an incident."""
    return _STATES[action]


def newest(reviews: Iterable[Review]) -> dict[str, Review]:
    """Returns the review that holds of each subject."""
    found: dict[str, Review] = {}
    for review in sorted(reviews, key=lambda r: (r.version, r.time, r.id)):
        found[review.subject] = review
    return found


def reviewed(reviews: Iterable[Review]) -> Reviewed | None:
    """Says in one word what people made of a run; the gravest first."""
    actions = {review.action for review in newest(reviews).values()}
    words: tuple[tuple[str, Reviewed], ...] = (
        ("mark", "marked"),
        ("correct", "corrected"),
        ("confirm", "confirmed"),
        ("approve", "approved"),
        ("dismiss", "dismissed"),
    )
    return next((word for action, word in words if action in actions), None)


def apply(
    diagnosis: Diagnosis | None, reviews: Iterable[Review], *, blank: Diagnosis | None = None
) -> Diagnosis | None:
    """Lays reviews over a diagnosis.

    Args:
        diagnosis: what the guard says; ``None`` when nothing was judged yet.
        reviews: all that was said of this run.
        blank: what marks are laid over where there is no diagnosis.
    """
    held = newest(reviews)
    if not held:
        return diagnosis
    base = diagnosis or blank
    if base is None:
        return None
    places = {step.step_id: step.index for step in base.steps}
    of_incidents = [review for review in held.values() if review.action in OF_INCIDENT]
    approved = held[OF_RUN].action == "approve" if OF_RUN in held else False
    incidents: list[Incident] = []
    used: set[str] = set()
    for incident in base.incidents:
        review = _fitting(incident, of_incidents, used)
        if review is not None:
            used.add(review.subject)
            incidents.append(_corrected(incident, review, places))
        else:
            incidents.append(msgspec.structs.replace(incident, state="dismissed") if approved else incident)
    for review in of_incidents:
        if review.subject not in used and review.incident is not None and _STATES[review.action] == "confirmed":
            incidents.append(_corrected(review.incident, review, places))
    incidents += [_marked(review, base, places) for review in held.values() if review.action == "mark"]
    incidents.sort(key=lambda i: (i.onset, i.id))
    if diagnosis is None and not incidents and not approved:
        return None
    found = tuple(incidents)
    return msgspec.structs.replace(base, incidents=found, verdict=_verdict(base, found, approved))


def _fitting(incident: Incident, reviews: list[Review], used: set[str]) -> Review | None:
    """The review of this incident; of one by another guard, that of the incident with the same onset."""
    exact = next((r for r in reviews if r.subject == incident.id), None)
    if exact is not None:
        return exact
    steps = (incident.onset_step_id,)
    alike = [r for r in reviews if r.subject not in used and (r.step_id in steps or r.onset_step_id in steps)]
    # A rule's word is of the very incident that it saw; another guard's incident is looked at anew.
    return max((r for r in alike if r.rule is None), key=lambda r: r.time, default=None)


def _corrected(incident: Incident, review: Review, places: Mapping[str, int]) -> Incident:
    state = _STATES[review.action]
    if review.action != "correct":
        return msgspec.structs.replace(incident, state=state)
    labels = incident.labels
    if review.labels is not None:
        given = {axis: getattr(review.labels, axis) for axis in taxonomy.AXES}
        stated = {axis: value or None for axis, value in given.items() if value is not None}
        labels = msgspec.structs.replace(labels, **stated)
    onset, step_id = incident.onset, incident.onset_step_id
    if review.onset_step_id is not None:
        step_id = review.onset_step_id
        onset = places.get(step_id, review.onset if review.onset is not None else onset)
    return msgspec.structs.replace(incident, state=state, labels=labels, onset=onset, onset_step_id=step_id)


def _marked(review: Review, base: Diagnosis, places: Mapping[str, int]) -> Incident:
    step_id = review.step_id or ""
    index = places.get(step_id, review.step or 0)
    note = f": {review.note}" if review.note else ""
    labels = review.labels or Labels()
    return Incident(
        id=digest(base.trajectory_id, step_id, "marked", size=8),
        onset=index,
        onset_step_id=step_id,
        labels=Labels(**{axis: getattr(labels, axis) or None for axis in taxonomy.AXES}),
        state="confirmed",
        summary=f"{review.author} marked step {index + 1} as unsafe{note}.",
    )


def _verdict(base: Diagnosis, incidents: tuple[Incident, ...], approved: bool) -> Outcome:
    if any(incident.state != "dismissed" for incident in incidents):
        return Outcome.UNSAFE
    return Outcome.SAFE if approved or incidents else base.verdict
