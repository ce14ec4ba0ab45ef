"""What is taken out, what is left, and that it is a function of the record and the key alone."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentdog.base.errors import UsageError
from agentdog.service.inline import Action, Asked
from agentdog.service.redaction import Redactor, build
from agentdog.service.redaction.detectors import secrets
from agentdog.service.redaction.personal import is_card
from agentdog.spans.otlp import JSON, PROTOBUF, decode_logs, decode_traces, receive_traces
from agentdog.spans.otlp_encode import encode_logs, encode_traces
from agentdog.spans.records import Decoded, Event, Log, Record, Sealed, Span
from tests.support.records import span

KEY = b"k" * 32
REDACTOR = build(KEY)
ALL = build(KEY, personal=["email", "phone", "card"])
AWS = "AKIAIOSFODNN7EXAMPLE"
PLACEHOLDER = re.compile(r"\[(?:secret|personal):[a-z_]{1,40}:[0-9a-f]{12}\]")

#: (text, the secret in it). Made up, or the vendors' own examples.
SECRETS = [
    (f"the key {AWS} works", AWS),
    ("aws_secret_key = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfi", "wJalrXUtnFEMI/K7MDENG/bPxRfi"),
    ("password: hunter2!", "hunter2!"),
    ("The password is Tr0ub4dor&3.", "Tr0ub4dor&3"),
    ('{"password": "correct horse battery"}', "correct horse battery"),
    ('{\\"api_key\\": \\"abcd1234efgh\\"}', "abcd1234efgh"),
    ('{"body": "{\\\\\\"apiKey\\\\\\": \\\\\\"abcd1234efgh\\\\\\"}"}', "abcd1234efgh"),
    ("Authorization: Bearer abc.def-123456789012345", "abc.def-123456789012345"),
    ("curl -H 'authorization: Basic dXNlcjpwYXNzd29yZDE='", "dXNlcjpwYXNzd29yZDE="),
    ("postgres://shop:s3cr3t@db.internal/orders", "s3cr3t"),
    ("sk-ant-api03-abcdefghijklmnopqrstuvwxyz012345", "sk-ant-api03-abcdefghijklmnopqrstuvwxyz012345"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabc=\n-----END RSA PRIVATE KEY-----", "MIIEpAIBAAKCAQEA"),
    ('"-----BEGIN PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA\\n-----END PRIVATE KEY-----"', "MIIEpAIBAAKCAQEA"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("glpat-abcdefghij1234567890", "glpat-abcdefghij1234567890"),
    ("sk_live_7f3b2e1c9d8f4a6b3e7d5c2a1f8e4b6", "sk_live_7f3b2e1c9d8f4a6b3e7d5c2a1f8e4b6"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN", "eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN"),
    ("AIzaSyA1234567890abcdefghijklmnopqrstuvw", "AIzaSyA1234567890abcdefghijklmnopqrstuvw"),
    ("pin code: 1234", "1234"),
    ('{"result": "it works\\npassword: open-sesame-42"}', "open-sesame-42"),
    ('{"cut off": "it works\\nsk-abcdefghijklmnop1234', "sk-abcdefghijklmnop1234"),
    ('{"result": "first\\ttoken=abcd-1234"}', "abcd-1234"),
    ('{"k": "\\u0041KIAIOSFODNN7EXAMPLE"}', "KIAIOSFODNN7EXAMPLE"),
    ('{"url": "postgres:\\/\\/shop:s3cr3t@db.internal\\/orders"}', "s3cr3t"),
]

INNOCENT = [
    '{"properties": {"password": {"type": "string"}}, "required": ["password"]}',
    "password: string",
    "secret: keep it quiet",
    "the token is required, the password is required",
    "My secret is that I love cheese",
    "def f(password: str, api_key: str = None) -> None",
    'password = os.environ["PASSWORD"]',
    "max_tokens: 1000, gen_ai.usage.input_tokens=4711",
    "trace 4bf92f3577b34da6a3ce929d0e0e4736, order 100-200-3000, 2026-11-26T10:00:00Z, 127.0.0.1:4318",
    "https://example.org/a:b/c@d?e=f",
    "550e8400-e29b-41d4-a716-446655440000",
    "basic knowledge of authorization, bearer of good news",
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_secret_is_replaced_and_what_is_around_it_stays(text: str, secret: str) -> None:
    kept = REDACTOR.text(text)
    assert secret not in kept
    assert PLACEHOLDER.search(kept)
    assert REDACTOR.text(kept) == kept


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_stays(text: str) -> None:
    assert REDACTOR.text(text) == text


@pytest.mark.parametrize(("text", "secret"), SECRETS)
@pytest.mark.parametrize("media", [PROTOBUF, JSON])
def test_the_first_look_at_a_body_overlooks_nothing(text: str, secret: str, media: str) -> None:
    if media == PROTOBUF:
        body = encode_traces([span(0, 0, note=text)])
    else:
        value = {"key": "note", "value": {"stringValue": text}}
        one = {"traceId": "01" * 16, "spanId": "02" * 8, "startTimeUnixNano": "1", "attributes": [value]}
        body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [one]}]}]}).encode()
    cleaned, finds = REDACTOR.clean(decode_traces(body, media), body)
    assert secret not in str(cleaned.records[0])
    assert sum(finds[0].values()) >= 1


@pytest.mark.parametrize(("text", "secret"), SECRETS)
@pytest.mark.parametrize("where", ["attribute", "event", "status", "resource"])
def test_a_sealed_span_is_opened_where_a_secret_may_be_and_its_neighbours_are_not(
    text: str, secret: str, where: str
) -> None:
    calm = span(0, 1, note="nothing to see")
    places: dict[str, Any] = {
        "attribute": {"attributes": {"note": text}},
        "event": {"events": (Event(name="e", attributes={"note": text}),)},
        "status": {"status_message": text},
        "resource": {"resource": {"note": text}},
    }
    leak = msgspec.structs.replace(calm, span_id="0" * 15 + "9", **places[where])
    body = encode_traces([calm, leak])
    cleaned, finds = REDACTOR.clean(receive_traces(body, PROTOBUF), body)
    found = {each.id: each for each in cleaned.records}
    assert isinstance(found[calm.id], Sealed)
    opened = found[leak.id]
    assert isinstance(opened, Span)
    assert secret not in str(opened)
    assert [sum(each.values()) > 0 for each in finds] == [each is opened for each in cleaned.records]


def cleaned(record: Record, redactor: Redactor = REDACTOR) -> Any:
    (kept,) = redactor.clean(Decoded(records=(record,)))[0].records
    return kept


def test_equal_secrets_are_equal_wherever_they_stand_and_tell_nothing_without_the_key() -> None:
    first, second = REDACTOR.text(f"use {AWS}"), REDACTOR.text(f"aws_key={AWS}")
    assert PLACEHOLDER.findall(first) == PLACEHOLDER.findall(second)
    assert build(b"x" * 32).text(f"use {AWS}") != first
    assert REDACTOR.fingerprint != build(b"x" * 32).fingerprint


def test_every_leaf_of_a_span_is_read_names_included() -> None:
    dirty = Span(
        trace_id="01" * 16,
        span_id="02" * 8,
        name=f"GET {AWS}",
        start_ns=1,
        end_ns=2,
        status_message=f"no {AWS}",
        attributes={
            "list": [{"deep": AWS}],
            AWS: 1,
            "http.request.header.authorization": "Digest zz-top",
            "db.password": "x1y2z3",
        },
        resource={"note": AWS},
    )
    kept = cleaned(dirty)
    assert AWS not in str(kept)
    assert kept.attributes["db.password"].startswith("[secret:credential:")
    assert kept.attributes["http.request.header.authorization"].startswith("Digest [secret:credential:")


def test_what_only_its_surroundings_tell_is_replaced_all_over_the_record() -> None:
    kept = cleaned(span(0, 0, result="the password is open-sesame-42", sent="Dear Eve, open-sesame-42 it is"))
    assert "open-sesame-42" not in str(kept)
    assert PLACEHOLDER.findall(kept.attributes["result"]) == PLACEHOLDER.findall(kept.attributes["sent"])


def test_a_log_record_gets_the_id_of_what_is_left_of_it_each_time_it_is_sent() -> None:
    log = Log(id="log:s:x", session="s", time_ns=5, body=f"use {AWS}", attributes={"session.id": "s"})
    body = encode_logs([log])
    plain = decode_logs(body, PROTOBUF)
    once, again = (REDACTOR.clean(decode_logs(body, PROTOBUF), body)[0].records[0] for _ in range(2))
    assert once == again
    assert once.id != plain.records[0].id
    untouched = decode_logs(encode_logs([Log(id="x", session="s", time_ns=5, body="hello")]), PROTOBUF)
    assert REDACTOR.clean(untouched)[0] == untouched


def test_personal_data_goes_where_it_is_asked_for_and_is_no_secret() -> None:
    text = "Mail bob@example.com or call +49 170 1234567; card 4111 1111 1111 1111, not 4111 1111 1111 1112."
    assert REDACTOR.text(text) == text
    kept = build(KEY, personal=["email", "phone", "card"]).text(text)
    assert [each.split(":")[1] for each in PLACEHOLDER.findall(kept)] == ["email", "phone", "card"]
    assert kept.endswith("not 4111 1111 1111 1112.")
    only = build(KEY, secrets=False, personal=["card"])
    assert only.text(text).count("[personal:card:") == 1
    assert "bob@example.com" in only.text(text)
    kept_span = cleaned(span(0, 0, card=4111111111111111, count=4111111111111112), only)
    assert kept_span.attributes["card"].startswith("[personal:card:")
    assert kept_span.attributes["count"] == 4111111111111112


def test_a_card_has_a_check_digit() -> None:
    assert is_card("5500 0000 0000 0004")
    assert not is_card("5500 0000 0000 0005")
    assert not is_card("1234")


def test_patterns_of_the_users_own_count_as_secrets() -> None:
    own = build(KEY, patterns={"employee": r"\bEMP-[0-9]{6}\b", "codename": r"(?i)project (\w+)"})
    kept = own.text("EMP-123456 works on Project Bluebird")
    assert "EMP" not in kept
    assert kept.endswith("]") and "Project [secret:codename:" in kept


@pytest.mark.parametrize(
    ("patterns", "words"),
    [({"a": "("}, "a: "), ({"a": "x*"}, "matches nothing"), ({"A b": "x"}, "name"), ({"a": "(?=x)"}, "RE2")],
)
def test_a_pattern_that_cannot_be_used_is_named(patterns: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=rf"AGENTDOG_REDACTION__PATTERNS.*{words}"):
        build(KEY, patterns=patterns)


def test_the_body_of_a_check_is_redacted_as_a_whole() -> None:
    asked = Asked(
        action=Action(tool="send", arguments={"body": AWS}),
        deadline_ms=50,
        messages=[{"role": "user", "content": "hi"}],
    )
    kept = REDACTOR.struct(asked)
    assert isinstance(kept, Asked)
    assert AWS not in str(kept)
    assert (kept.messages, kept.deadline_ms) == (asked.messages, 50)


def test_every_detector_of_the_library_has_a_gate() -> None:
    assert [each.kind for each in secrets() if each.gate is None] == []
    assert {"stripe_access_key", "openai_token", "slack_token", "twilio_api_key"} <= {each.kind for each in secrets()}


@pytest.mark.parametrize(
    "piece",
    [
        "eyJ",
        "sk-",
        "//",
        "password: ",
        "-----BEGIN PRIVATE KEY-----",
        "a.",
        "bearer ",
        "1 ",
        "://a:",
        "[",
        "\\",
        "aws key '",
    ],
)
def test_texts_made_to_be_slow_are_not(piece: str) -> None:
    """Within the time of any test: what takes quadratic time takes hours for this."""
    ALL.text(piece * (200_000 // len(piece)) + "T3BlbkFJ :_authToken @a.b eyJ. password=")


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=8
    )
)
def test_whatever_comes_is_cleaned_once_and_for_all(value: Any) -> None:
    once = cleaned(span(0, 0, value=value, secret=AWS), ALL)
    assert cleaned(once, ALL) == once
