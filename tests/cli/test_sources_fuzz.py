"""Whatever stands where a field should be, a file is read or refused with a word, never a crash."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agentdog.cli.import_ import records_of
from agentdog.cli.sources import gather
from agentdog.spans import reconstruct
from agentdog.spans.otlp import PROTOBUF, decode_traces
from agentdog.spans.otlp_encode import encode_traces
from agentdog.spans.records import Span
from tests.spans import exporting
from tests.spans.compare import CAPTURES, load
from tests.trajectory.formats import samples


@cache
def sample(name: str) -> Any:
    spans = exporting.spans_of(load(CAPTURES / "langchain-openinference" / "A"))[:4]
    makers: dict[str, Callable[[], Any]] = {
        "phoenix": lambda: exporting.phoenix(spans),
        "frame": lambda: exporting.phoenix_frame(spans),
        "jaeger": lambda: [exporting.jaeger(spans)],
        "langfuse": lambda: exporting.langfuse(exporting.spans_of(load(CAPTURES / "langfuse-openai" / "C"))),
        "langsmith": lambda: exporting.langsmith(exporting.spans_of(load(CAPTURES / "langchain-langsmith" / "A"))[:5]),
        "claude": lambda: [*samples.claude_rows(), *samples.delegating_rows(), *samples.side_rows()],
        "codex": samples.codex_rows,
        "atif": lambda: [samples.atif_row()],
    }
    return makers[name]()


junk: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0.5, 10**30, "", "x", "[1]", '{"a": 1}', "\ud800", [], [1], {}, {"a": None}, [{}]]
)
names = ["phoenix", "frame", "jaeger", "langfuse", "langsmith", "claude", "codex", "atif"]


def changed(value: Any, random: Any, put: Any) -> Any:
    """Puts something else at a random place."""
    root = copy.deepcopy(value)
    place = root
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = random.choice(keys)
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or random.random() < 0.2:
            place[key] = put
            return root
        place = inner


@settings(max_examples=300)
@given(st.sampled_from(names), st.randoms(use_true_random=False), junk)
def test_a_changed_file_is_read_or_refused(name: str, random: Any, put: Any) -> None:
    rows = changed(sample(name), random, put)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.json"
        path.write_text(json.dumps(rows))
        sources = gather([path])
        for found in sources.found:
            records = records_of(found)
            spans = [record for record in records if isinstance(record, Span)]
            assert not decode_traces(encode_traces(spans), PROTOBUF).rejected
            reconstruct(records)
        assert len(sources.found) + len(sources.failed) == 1


def test_what_nests_too_deep_and_what_cannot_be_opened_are_said(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000 + "]" * 100_000)
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    errors = {path.name: str(error) for path, error in gather([tmp_path]).failed.items()}
    assert "nested too deep" in errors["deep.json"]
    assert "gone.json" in errors["gone.json"]
