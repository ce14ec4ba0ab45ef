"""Which projects an answer is about: the one that was named, else all that the visitor may see."""

from __future__ import annotations

from agentdog.service.auth import Access
from agentdog.store.contract import Store


async def reached(store: Store, access: Access, project: str | None) -> list[str]:
    """Returns the projects; raises `Forbidden` where one is named that the visitor may not see."""
    if project is not None:
        access.need_project(project)
        return [project]
    return access.within(await store.projects())
