"""Work that may be long goes beside the event loop; what is surely short is done at once.

Handing work to a thread and back costs some 0.1 ms, and more on a busy machine: as much as the work itself is for a
small unit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def beside(short: bool, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls `work` here when it is `short` (a few milliseconds), else in a thread."""
    if short:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)
