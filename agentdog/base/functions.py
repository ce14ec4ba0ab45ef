"""A user's own function by the name that it is written with, ``MODULE:FUNCTION``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def function_at(place: str) -> Callable[..., Any]:
    """Imports a module, found from the folder that one is in too, and returns its function.

    Raises:
        ImportError: there is no such module.
        AttributeError: it has no such function.
        ValueError: no module is named.
    """
    module, _, name = place.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:  # an installed command does not look there; last, so that it hides nothing
        sys.path.append(here)
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found
