"""The last minutes: counted where somebody writes figures, told by slots, within what the visitor may see."""

from __future__ import annotations

import pytest

from agentdog.base.clock import SystemClock
from agentdog.client import Client, InvalidRequest
from agentdog.service.figures import Figures
from agentdog.store.redis_store import RedisStore
from dashboard.strips import strips
from tests.support.live_api import serving_store
from tests.support.stores import play, running_server


async def _counted(store: RedisStore) -> None:
    figures = Figures(store)
    figures.count("received", "p", by=40)
    figures.count("verdicts", "p", "safe", by=19)
    figures.count("verdicts", "q", "unsafe")
    figures.count("tokens", "p", "prompt", by=7)
    for seconds in [0.03] * 19 + [4.0]:
        figures.observe("step_to_verdict_seconds", seconds, "arrival")
        figures.observe("step_to_verdict_seconds", seconds + 1, "span_end")
    await figures.flush()
    (filled,) = [slot for slot in await store.recent(SystemClock().now_ns() / 1e9, 60) if slot.figures]
    assert ("tokens", "p", "prompt") not in filled.figures, "only what the strips show is kept twice"
    assert (await store.figures())["tokens", "p", "prompt"] == 7
    assert (await store.recent(SystemClock().now_ns() / 1e9 + 3000, 60))[0].figures == {}


def test_what_was_written_lately_is_told_by_ten_seconds() -> None:
    with running_server() as server:
        play(server.url, _counted)
        with serving_store(server.url) as base:
            rates = Client(base).rates(seconds=120)
            assert len(rates["items"]) == 13
            (moment,) = [each for each in rates["items"] if each.get("verdicts")]
            assert (moment["records"], moment["verdicts"], sum(moment["latency"])) == (40, 20, 20)
            with pytest.raises(InvalidRequest, match="seconds"):
                Client(base).rates(seconds=4)


def test_strips_say_rates_and_quantiles_and_leave_out_what_goes_on() -> None:
    latency = [0] * 15
    latency[3], latency[9] = 19, 1
    items = [{"time": f"2026-01-01T00:00:{at * 10:02}Z"} for at in range(4)]
    items[1] |= {"records": 40, "verdicts": 20, "latency": latency}  # type: ignore[dict-item]
    items[3] |= {"records": 10_000}  # type: ignore[dict-item]
    bounds = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0]
    records, verdicts, step = strips({"slot_s": 10, "bounds": bounds, "items": items})  # type: ignore[typeddict-item]
    assert (records["now"], [bar["h"] for bar in records["bars"]]) == ("1.3", [0.0, 1.0, 0.0])
    assert verdicts["detail"].startswith("at most 2.0")
    assert (step["now"], step["detail"].split(" in ")[0]) == ("≤ 50 ms", "p50 · p99 ≤ 5.0 s")
    assert step["bars"][1]["low"] == 4 / 15
    assert step["bars"][1]["h"] == 10 / 15
