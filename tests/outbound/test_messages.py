"""What messages say, and what they never say: pure."""

from __future__ import annotations

import base64
import ipaddress
import json
from typing import Any

import msgspec
import pytest

from agentdog.base.errors import UsageError
from agentdog.guards import Outcome
from agentdog.outbound import alert_of, next_try_s, signing, slack, test_evaluation
from agentdog.outbound.address import check_url, networks, objection
from agentdog.outbound.alerts import Alert
from agentdog.outbound.otlp import headers_of
from agentdog.spans.own import is_own
from tests.support import records

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def alert(content: bool = False, **changes: Any) -> Alert:
    run = records.trajectory("t 1/ü")
    said = records.diagnosis(run, Outcome.UNSAFE)
    incident = msgspec.structs.replace(
        said.incidents[0], evidence=said.steps[0].verdict.evidence, confidence=0.93, **changes
    )
    guard = records.GUARD
    return alert_of(run, incident, guard, base="https://dog.example/", time="2026-01-01T00:00:00Z", content=content)


def test_the_signature_is_that_of_the_specifications_example() -> None:
    told = signing.headers(
        signing.secret_key(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert told["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert told["idempotency-key"] == told["webhook-id"]


@pytest.mark.parametrize("secret", ["short", "whsec_" + base64.b64encode(b"x" * 23).decode(), "whsec_%%%%"])
def test_a_secret_that_protects_nothing_is_refused(secret: str) -> None:
    with pytest.raises(UsageError, match="AGENTDOG_OUTBOUND__WEBHOOK__SECRET"):
        signing.secret_key(secret)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "fe80::1",
        "fc00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "ff02::1",
    ],
)
def test_no_address_of_a_network_within_is_reached_unless_it_is_allowed(address: str) -> None:
    where = ipaddress.ip_address(address)
    why = objection(where, (), encrypted=True)
    assert why is not None
    assert "AGENTDOG_OUTBOUND__ALLOW" in why
    assert objection(where, networks([address]), encrypted=False) is None


def test_a_public_address_is_reached_encrypted_only() -> None:
    public = ipaddress.ip_address("93.184.216.34")
    assert objection(public, (), encrypted=True) is None
    assert "use https" in (objection(public, (), encrypted=False) or "")
    assert objection(ipaddress.ip_address("2606:4700::1"), (), encrypted=True) is None


@pytest.mark.parametrize("url", ["ftp://h/", "http://", "https://user:pw@h/", "https://h:99999/", "hooks.example.com"])
def test_what_is_no_address_is_refused_by_the_settings_name(url: str) -> None:
    with pytest.raises(UsageError, match="SETTING"):
        check_url(url, "SETTING")
    with pytest.raises(UsageError, match="AGENTDOG_OUTBOUND__ALLOW"):
        networks(["10.0.0.0/99"])


def test_an_alert_leads_to_the_step_and_holds_no_word_of_the_run_unless_told_so() -> None:
    bare, full = alert(), alert(content=True)
    assert bare.url == "https://dog.example/trajectory?id=t%201%2F%C3%BC&step=2"
    assert (bare.step, bare.title, bare.quote) == (2, None, None)
    assert full.title == "Hello t 1/ü"
    body = json.loads(msgspec.json.encode(bare))
    assert body["schema"] == "agentdog.alert/1"
    assert body["labels"]["failure_mode"] == "unconfirmed_action"


def test_slack_shows_hostile_text_as_text() -> None:
    told = json.loads(slack.message(alert(summary="<!channel> & <https://evil.example|our site> *bold*")))
    assert "<!channel>" not in told["text"]
    assert "&lt;!channel&gt; &amp;" in told["text"]
    kinds = {b["text"]["type"] for b in told["blocks"] if "text" in b}
    assert kinds == {"plain_text"}
    (button,) = next(b for b in told["blocks"] if b["type"] == "actions")["elements"]
    assert button["url"].endswith("&step=2")
    long = json.loads(slack.message(alert(summary="x" * 9000)))
    assert all(len(b["text"]["text"]) <= 3000 for b in long["blocks"] if "text" in b)


def test_tries_come_apart_and_a_receiver_is_listened_to() -> None:
    waits = [next_try_s(n, "seed") for n in range(1, 15)]
    assert all(0.75 <= w <= 600 for w in waits)
    assert sum(waits[:5]) < sum(waits[5:8])
    assert next_try_s(1, "seed", asked_s=120) == 120
    assert next_try_s(1, "seed", asked_s=1e9) == 3600
    assert next_try_s(1, "seed") != next_try_s(1, "other")


def test_headers_are_read_as_the_exporters_variable_is_written() -> None:
    assert headers_of("Authorization=Bearer%20x, x-y=1=2") == {"authorization": "Bearer x", "x-y": "1=2"}
    assert headers_of(None) == {}
    with pytest.raises(UsageError, match="HEADERS"):
        headers_of("novalue")


def test_what_is_emitted_is_known_as_ours_when_a_collector_sends_it_back() -> None:
    for record in (told := test_evaluation("seed", 1, "0")).log, told.span:
        assert record is not None
        assert is_own(record)
        assert is_own(msgspec.structs.replace(record, resource={}))
