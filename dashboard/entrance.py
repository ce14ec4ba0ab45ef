"""What ``streamlit run`` serves: the pages behind our own door, with what they need imported before anybody comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pkgutil import iter_modules
from threading import Thread
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

from dashboard import views
from dashboard.door import Door
from dashboard.launch import SCRIPT


def _warm() -> None:
    """Imports what the first visitor would else wait for; Streamlit imports pandas when a component is drawn."""
    for name in ("pandas", *(f"dashboard.views.{each.name}" for each in iter_modules(views.__path__))):
        import_module(name)


@asynccontextmanager
async def _ready(app: Any) -> AsyncIterator[None]:  # noqa: ANN401 - Streamlit's, which it does not export
    del app
    Thread(target=_warm, name="warm", daemon=True).start()
    yield


app = st.App(SCRIPT, middleware=[Middleware(Door)], lifespan=_ready)
