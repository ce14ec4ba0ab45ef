"""Pages drawn without a browser: one page alone, and what its components were given."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest

TIMEOUT_S = 180.0


def drawn_page(name: str, **query: str) -> AppTest:
    """The page of `dashboard.views` by that name, drawn once: one that is not the default has no address here."""

    def script(name: str) -> None:
        from importlib import import_module

        import_module(f"dashboard.views.{name}").render()

    test = AppTest.from_function(script, default_timeout=TIMEOUT_S, kwargs={"name": name})
    for key, value in query.items():
        test.query_params[key] = value
    return done(test.run())


def done(test: AppTest) -> AppTest:
    """Fails where the page failed."""
    assert not test.exception, [error.message for error in test.exception]
    return test


def given(test: AppTest, name: str) -> list[dict[str, Any]]:
    """What each component of that name was given."""
    protos = [element.proto for element in test.get("bidi_component")]
    return [json.loads(proto.json) for proto in protos if proto.component_name == f"agentdog.{name}"]


def texts(test: AppTest) -> str:
    """Every plain text on the page."""
    return "\n".join(each.value for each in test.text)
