"""``agentdog import`` against a real receiver and its store; the sender against receivers that are in trouble."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from agentdog.base.errors import OutsideError, UsageError
from agentdog.cli import cli
from agentdog.cli.import_ import records_of
from agentdog.cli.sending import Sender
from agentdog.cli.sources import gather
from agentdog.service.settings import Settings
from agentdog.spans import reconstruct
from agentdog.spans.otlp import PROTOBUF, decode_traces
from agentdog.spans.records import Record, Span
from tests.cli.test_sources import folder_of_everything
from tests.spans import exporting
from tests.spans.compare import CAPTURES, load
from tests.support.ports import closed_port
from tests.support.serving import serving, settings_for
from tests.support.stores import running_server, store_at

Answer = tuple[int, dict[str, str], bytes]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["import", *map(str, arguments)])


@pytest.fixture
def receiver(ports: list[int]) -> Iterator[Settings]:
    with running_server() as server, serving(settings_for(server.url, ports)) as settings:
        yield settings


def stored(settings: Settings) -> tuple[list[Record], dict[str, Any]]:
    store = store_at(settings.redis.url or "")

    async def read() -> Any:
        try:
            return list(await store.sample(1000)), dict(await store.accounting())
        finally:
            await store.close()

    records, counts = asyncio.run(read())
    return records, counts


def test_all_of_it_is_stored_once_and_weaves_into_the_same_runs(tmp_path: Path, receiver: Settings) -> None:
    folder = folder_of_everything(tmp_path)
    first = run(folder, "--project", "old", "--url", receiver.otlp_endpoint, "--json")
    assert first.exit_code == 0, first.output
    report = json.loads(first.stdout)
    assert (report["rejected"], report["endpoint"]) == (0, receiver.otlp_endpoint)
    records, counts = stored(receiver)
    assert set(counts) == {"old"}
    want = [record for found in gather([folder]).found for record in records_of(found)]
    assert {record.id for record in records} == {record.id for record in want}
    assert [t.steps for t in reconstruct(records)] == [t.steps for t in reconstruct(want)]
    by_name = {Path(file["path"]).name: file for file in report["files"]}
    assert (by_name["phoenix.json"]["tool"], by_name["phoenix.json"]["trajectories"]) == ("phoenix", 1)
    assert by_name["s.jsonl"]["steps"] == 7

    again = run(folder, "--project", "old", "--url", receiver.otlp_endpoint)
    assert again.exit_code == 0
    assert "claude-code" in again.stdout
    assert stored(receiver)[1]["old"]["stored"] == counts["old"]["stored"] == len({record.id for record in want})


def test_a_bad_file_is_named_and_the_others_are_sent(tmp_path: Path, receiver: Settings) -> None:
    folder = folder_of_everything(tmp_path)
    (tmp_path / "cut.json").write_text("[{")
    result = run(folder, "--url", receiver.otlp_endpoint)
    assert result.exit_code == 2
    assert "cut.json, line 1: not JSON" in " ".join(result.stdout.split()).replace("cut.json ,", "cut.json,")
    assert stored(receiver)[1]["default"]["stored"] > 50


def test_a_dry_run_sends_nothing(tmp_path: Path) -> None:
    result = run(folder_of_everything(tmp_path), "--dry-run", "--url", "http://127.0.0.1:1")
    assert result.exit_code == 0
    assert "Nothing was sent." in result.stdout
    assert "1 file of no known format skipped." in result.stdout


def test_without_a_receiver_the_message_says_how_to_start_one(tmp_path: Path) -> None:
    result = run(folder_of_everything(tmp_path), "--url", f"http://127.0.0.1:{closed_port()}")
    assert isinstance(result.exception, OutsideError)
    assert "agentdog up" in str(result.exception)


def test_markup_and_control_characters_of_file_names_stay_text(tmp_path: Path) -> None:
    (tmp_path / "[red]x.json").write_text("[{")
    result = run(tmp_path, "--dry-run")
    assert "[red]x.json" in result.stdout


# -- the sender alone ------------------------------------------------------------------------------------------------


@contextmanager
def scripted(answer: Callable[[bytes], Answer]) -> Iterator[str]:
    """A receiver whose every answer is scripted by what it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
            code, headers, content = answer(body)
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


SPANS = exporting.spans_of(load(CAPTURES / "langfuse-openai" / "A"))


def send(url: str, waits: list[float]) -> Sender:
    sender = Sender(url, "p", sleep=waits.append)
    try:
        assert sum(sender.send(SPANS)) == len(SPANS)
    finally:
        sender.close()
    return sender


def test_it_waits_as_long_as_the_receiver_asks() -> None:
    script: list[Answer] = [
        (503, {"Retry-After": "7"}, b""),
        (429, {}, b""),
        (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, b""),
        (200, {}, b""),
    ]
    waits: list[float] = []
    with scripted(lambda body: script.pop(0)) as url:
        sender = send(url, waits)
    assert waits == [7.0, 2.0, 0.0]
    assert (sender.sent.records, sender.sent.rejected) == (len(SPANS), 0)


def test_a_batch_that_is_too_large_is_halved_until_it_fits() -> None:
    got: list[Span] = []

    def answer(body: bytes) -> Answer:
        records = decode_traces(body, PROTOBUF).records
        if len(records) > 2:
            return 413, {}, b""
        got.extend(record for record in records if isinstance(record, Span))
        return 200, {}, b""

    with scripted(answer) as url:
        send(url, [])
    assert got == SPANS


def test_a_span_that_is_too_large_alone_is_named() -> None:
    with scripted(lambda body: (413, {}, b"")) as url, pytest.raises(UsageError, match=f"413 for {SPANS[0].id}"):
        send(url, [])


def test_what_cannot_pass_is_not_sent_again() -> None:
    status = Status(code=3, message="x-agentdog-project must be short").SerializeToString()
    waits: list[float] = []
    with (
        scripted(lambda body: (400, {"Content-Type": PROTOBUF}, status)) as url,
        pytest.raises(UsageError, match="answers 400: x-agentdog-project must be short"),
    ):
        send(url, waits)
    assert waits == []


def test_a_receiver_that_stays_unable_is_given_up_on() -> None:
    waits: list[float] = []
    with scripted(lambda body: (503, {}, b"")) as url, pytest.raises(OutsideError, match="503 6 times"):
        send(url, waits)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_what_the_receiver_refuses_is_counted() -> None:
    partial = ExportTracePartialSuccess(rejected_spans=2, error_message="span_id must be 8 bytes")
    body = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    with scripted(lambda _: (200, {"Content-Type": PROTOBUF}, body)) as url:
        sent = send(url, []).sent
    assert (sent.records, sent.rejected, sent.messages) == (len(SPANS) - 2, 2, ["span_id must be 8 bytes"])


def test_an_address_that_is_none_is_the_callers_error() -> None:
    with pytest.raises(UsageError, match="--url"):
        Sender("127.0.0.1:4318", None)
