"""What the checks of ``agentdog doctor`` look at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from agentdog.base.errors import StoreUnavailable
from agentdog.service import stores
from agentdog.service.settings import Settings
from agentdog.store.contract import Store
from agentdog.store.embedded import running_url


class Patient(msgspec.Struct, frozen=True):
    """What checks look at; `store` is absent when none answers, and `trouble` says why."""

    settings: Settings
    store: Store | None
    trouble: str = ""


@asynccontextmanager
async def patient_of(settings: Settings) -> AsyncIterator[Patient]:
    """Opens what is there; a store that does not answer is said, and no reason to stop."""
    url = settings.redis.url or running_url(settings.data)
    store = stores.connect(settings, url)
    try:
        await store.ping()
        yield Patient(settings, store)
    except StoreUnavailable as error:
        yield Patient(settings, None, str(error))
    finally:
        await store.close()
