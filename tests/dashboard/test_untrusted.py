"""Whatever a hostile run says, no page hands it to Markdown, HTML, a message or a heading; components get it."""

from __future__ import annotations

import pytest

from dashboard.source import URL_VARIABLE
from tests.dashboard.pages import drawn_page, given
from tests.support import runs

RENDERED = (
    *("markdown", "html", "title", "header", "subheader", "caption", "latex", "code"),
    *("error", "warning", "info", "success", "metric", "expander", "tab", "page_link", "button"),
)
MARKERS = ("owned", "collector.evil", "hostile", "frac", "javascript:")
PAGES = [
    ("review", {"run": "run-hostile"}),
    ("review", {"part": "Suppression rules"}),
    ("patterns", {}),
    ("guards", {"part": "Alerts and tuning", "project": "office"}),
    ("ingest", {}),
]


@pytest.mark.parametrize(("name", "query"), PAGES, ids=[f"{name} {query}" for name, query in PAGES])
def test_untrusted_text_goes_to_components_only(
    name: str, query: dict[str, str], api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL_VARIABLE, api_url)
    test = drawn_page(name, **query)
    rendered = [str(element.proto) for kind in RENDERED for element in test.get(kind)]
    assert rendered
    assert not [text for text in rendered if any(marker in text.replace("run-hostile", "") for marker in MARKERS)]


def test_the_case_of_a_hostile_run_holds_its_words_made_visible(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, api_url)
    (told,) = given(drawn_page("review", run="run-hostile"), "case")
    texts = [part["text"] for step in told["steps"] for part in step["texts"]] + [told["title"], told["summary"]]
    assert any(runs.HOSTILE[0] in text for text in texts)
    assert all(char.isprintable() or char in "\n\t" for text in texts for char in text)
