"""Several things at a time, of which none is left running behind the caller's back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any


async def together(*parts: Awaitable[Any]) -> None:
    """Waits until all have ended; raises the first error of those that failed, in the order given.

    `asyncio.gather` by itself leaves the others running when one fails; `asyncio.TaskGroup` wraps the error.
    """
    for ended in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended
