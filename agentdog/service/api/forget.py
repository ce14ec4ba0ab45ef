"""``POST /api/v1/forget``: deletes a run, a session, or all that is kept of a person.

Invariant: it needs the role ``admin``, is written to the audit log before anything is deleted, and returns when the
store's log holds it no more either. The audit log names a person by the placeholder, never by what was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request, Response

from agentdog.base.errors import NotFoundError, UsageError
from agentdog.base.ids import digest
from agentdog.service.api import bodies
from agentdog.service.api.errors import ApiRoute
from agentdog.service.api.gate import Visitor, note
from agentdog.service.api.respond import documented, reply
from agentdog.service.api.scope import reached
from agentdog.spans import units_of
from agentdog.store.contract import Erased, Store

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Redact = Callable[[str], str]


class Forget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be forgotten: exactly one of a run (any id in it), a session, a subject.

    Attributes:
        run: any id of one run.
        session: the value of ``session.id``, ``gen_ai.conversation.id`` or the like.
        subject: the value of ``user.id``, ``enduser.id`` or the like; all of this person's runs.
        project: only there; otherwise in all that the token may see.
        dry_run: say what would be deleted, and delete nothing.
    """

    run: Name | None = None
    session: Name | None = None
    subject: Name | None = None
    project: Name | None = None
    dry_run: bool = False


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted by project, or would be; and whether the store's log was written anew without it."""

    projects: Mapping[str, Erased]
    dry_run: bool
    log_rewritten: bool


def build(store: Store, redact: Redact = lambda text: text) -> APIRouter:
    """Builds the route over a store; `redact` is what was done to values before they were stored."""
    router = APIRouter(route_class=ApiRoute, tags=["operations"])

    @router.post(
        "/forget",
        summary="Delete a run, a session, or all that is kept of a person",
        response_class=Response,
        responses=documented(Forgotten, "What was deleted; nothing of it can be read any more."),
        openapi_extra=bodies.documented(Forget),
    )
    async def forget(request: Request, access: Visitor) -> Response:
        access.need("admin")
        try:
            asked = await bodies.read(request, Forget)
        except bodies.Refused as refused:
            return refused.response
        if sum(each is not None for each in (asked.run, asked.session, asked.subject)) != 1:
            raise UsageError("run: give exactly one of run, session, subject")
        found = await _reach(store, asked, await reached(store, access, asked.project), redact)
        erased = {}
        for project, units in found.items():
            if not asked.dry_run:
                await note("forget", project=project, subject=_named(asked, redact))
            erased[project] = await store.erase(project, units, dry_run=asked.dry_run)
            if not asked.dry_run:
                await store.sweep(project)
                await store.add_figures({("deleted", project, "request"): erased[project].records})
        rewritten = bool(erased) and not asked.dry_run and await store.rewrite_log()
        return reply(Forgotten(projects=erased, dry_run=asked.dry_run, log_rewritten=rewritten))

    return router


async def _reach(store: Store, asked: Forget, projects: Sequence[str], redact: Redact) -> dict[str, Sequence[str]]:
    """Returns the units that are meant, by project."""
    if asked.run is not None:
        stored = await store.get(asked.run, asked.project, projects)
        if stored is None:
            raise NotFoundError(f"nothing is known of {asked.run[:100]!r}")
        return {stored.summary.project: units_of(stored.trajectory)}
    found = {}
    for project in projects:
        if asked.session is not None:
            units = await store.units_where(project, "session", {asked.session, redact(asked.session)})
        else:
            subject = asked.subject or ""
            units = await store.units_where(project, "subject", {subject, redact(subject)})
        if units:
            found[project] = units
    return found


def _named(asked: Forget, redact: Redact) -> str:
    """Names what was deleted in the audit log."""
    if asked.subject is None:
        return redact(asked.run or f"session {asked.session}")
    known = redact(asked.subject)
    return f"subject {known if known != asked.subject else digest(asked.subject, size=6)}"
