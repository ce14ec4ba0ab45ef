"""The sidecar's own traces: they reach a real receiver, and never come in again where that sends them back."""

from __future__ import annotations

import asyncio
import urllib.request
from typing import Any

import httpx
import msgspec
import pytest

from agentdog.base.errors import UsageError
from agentdog.demo.runs import run_all
from agentdog.service.settings import Settings, load_settings
from agentdog.service.tracing import open_tracing
from agentdog.spans.otlp_encode import encode_traces
from agentdog.spans.own import is_own
from tests.support.otlp_tee import otlp_tee
from tests.support.records import span
from tests.support.serving import serving, settings_for
from tests.support.tree import linux_only, ready, up
from tests.support.waiting import until


def own_records(settings: Settings) -> float:
    text = httpx.get(f"{settings.api_url}/metrics").text
    return sum(
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith("agentdog_otlp_own_records_total")
    )


def received(settings: Settings) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = httpx.get(f"{settings.api_url}/api/v1/accounting").json()["projects"]
    return found


def post(url: str, body: bytes) -> None:
    request = urllib.request.Request(f"{url}/v1/traces", body, {"Content-Type": "application/x-protobuf"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


@linux_only
@pytest.mark.slow
def test_own_traces_reach_a_receiver_and_a_tee_that_sends_them_back_feeds_no_loop(settings: Settings) -> None:
    with otlp_tee(settings.otlp_endpoint, strip_resource=True) as tee:  # the scope alone still marks them
        traced = load_settings(**{**settings.model_dump(), "traces": {"endpoint": tee.url}})
        with up(traced):
            until(lambda: ready(traced))
            run_all(traced.otlp_endpoint)
            sent = {"receive", "weave", "judge", "ask guard"}
            until(lambda: sent <= {told.name for _, _, told in tee.spans})
            until(lambda: own_records(traced) >= len(sent))
            assert set(received(traced)) == {traced.project}
            until(lambda: received(traced)[traced.project]["received"] > 0)
            taken = received(traced)[traced.project]
            # What comes back begets nothing: a request that holds nothing else leaves no trace of its own.
            for _ in range(3):
                for body in list(tee.bodies):
                    post(traced.otlp_endpoint, body)
            assert received(traced)[traced.project] == taken
        names = [told.name for _, _, told in tee.spans]
        assert names.count("receive") <= taken["received"], "one for each request of the agent at most"
    for resource, scope, told in tee.spans:
        assert resource["service.name"].string_value == "agentdog"
        assert resource["agentdog.emitted"].bool_value is True
        assert scope == "agentdog.sidecar"
        assert not [each.key for each in told.attributes if not each.key.startswith("agentdog.")]
    asked = [told for _, _, told in tee.spans if told.name == "ask guard"]
    judged = {told.span_id for _, _, told in tee.spans if told.name == "judge"}
    assert {told.parent_span_id for told in asked} <= judged


def test_ours_among_others_of_one_request_are_left_out_and_counted(server_url: str, ports: list[int]) -> None:
    theirs = span(1, 0)
    ours = [
        msgspec.structs.replace(span(1, 1), scope="agentdog.outbound"),
        msgspec.structs.replace(span(1, 2), resource={"agentdog.emitted": True}),
    ]
    assert [is_own(each) for each in (theirs, *ours)] == [False, True, True]
    with serving(settings_for(server_url, ports, project="tee")) as settings:
        post(settings.otlp_endpoint, encode_traces([theirs, *ours]))
        assert received(settings)["tee"]["received"] == 1
        assert own_records(settings) == 2


def test_an_endpoint_that_is_none_is_refused_by_name() -> None:
    async def opened(**traces: Any) -> None:
        async with open_tracing(load_settings(traces=traces).traces, "worker"):
            pass

    asyncio.run(opened())
    with pytest.raises(UsageError, match="AGENTDOG_TRACES__ENDPOINT"):
        asyncio.run(opened(endpoint="collector:4318"))
