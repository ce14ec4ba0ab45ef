"""The client against servers that misbehave; against the real API it is used by the API's own tests."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agentdog.client import (
    ApiError,
    AsyncClient,
    BadAnswer,
    Client,
    InvalidRequest,
    NotFound,
    Unauthorized,
    Unavailable,
    Unreachable,
)

Requests = list[tuple[str, str | None]]


@contextmanager
def answering(status: int, body: bytes, headers: dict[str, str] | None = None) -> Iterator[tuple[str, Requests]]:
    """A server that answers every request alike; yields its address and the (path, authorization) it was asked."""
    asked: Requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization")))
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_request_carries_only_the_given_filters_and_the_token() -> None:
    with answering(200, b'{"items": []}') as (base, asked):
        page = Client(base + "/", token="s3cret").trajectories(verdict="unsafe", tool="a b&c", limit=3)
    assert page == {"items": []}
    assert asked == [("/api/v1/trajectories?verdict=unsafe&tool=a+b%26c&limit=3", "Bearer s3cret")]


def test_any_id_is_one_path_segment() -> None:
    with answering(200, b"{}") as (base, asked):
        Client(base).trajectory("../a/b?c#d é")
    assert asked == [("/api/v1/trajectories/..%2Fa%2Fb%3Fc%23d%20%C3%A9", None)]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, Unauthorized),
        (403, Unauthorized),
        (404, NotFound),
        (429, Unavailable),
        (503, Unavailable),
        (500, ApiError),
    ],
)
def test_the_api_s_errors_are_typed(status: int, kind: type[ApiError]) -> None:
    body = b'{"error": {"code": "c", "message": "field: wrong", "field": "field", "remedy": "use x"}}'
    with answering(status, body) as (base, _), pytest.raises(ApiError) as caught:
        Client(base).guard()
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.code, caught.value.field) == (status, "c", "field")
    assert str(caught.value) == "field: wrong (use x)"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"error": "x"}', b'{"detail": "Not Found"}', b"\xff"])
def test_an_error_in_a_foreign_shape_is_somebody_else_s_answer(body: bytes) -> None:
    with answering(404, body) as (base, _), pytest.raises(BadAnswer, match="8080"):
        Client(base).guard()


def test_a_page_instead_of_json_is_no_data() -> None:
    with answering(200, b"<html>hello</html>") as (base, _), pytest.raises(BadAnswer):
        Client(base).projects()


def test_a_redirect_is_not_followed_with_the_token() -> None:
    with answering(200, b'{"items": []}') as (elsewhere, asked):
        location = {"Location": f"{elsewhere}/api/v1/trajectories"}
        with answering(302, b"", location) as (base, _), pytest.raises(BadAnswer):
            Client(base, token="s3cret").trajectories()
    assert asked == []


def test_nobody_there_names_the_address_and_the_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with pytest.raises(Unreachable, match=rf"127\.0\.0\.1:{port}.*agentdog up"):
        Client(f"http://127.0.0.1:{port}").events()


def test_silence_ends_at_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(Unreachable):
        Client(f"http://127.0.0.1:{mute.getsockname()[1]}", timeout=0.2).events()


def test_something_that_is_not_http_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(BadAnswer, match="HTTP"):
            Client(f"http://127.0.0.1:{listener.getsockname()[1]}").events()
        thread.join()


def test_loopback_never_goes_through_the_environment_s_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(200, b"{}") as (proxy, through_proxy), answering(200, b"{}") as (base, direct):
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        Client(base).guard()
    assert (len(through_proxy), len(direct)) == (0, 1)


@pytest.mark.parametrize("address", ["", "127.0.0.1:8080", "file:///etc/passwd", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused_at_once(address: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        Client(address)


def test_the_client_imports_the_standard_library_only() -> None:
    code = (
        "import sys, agentdog.client\n"
        "ours = {n for n in sys.modules if n.split('.')[0] in ('agentdog', 'taxonomy', 'dashboard')}\n"
        "foreign = {n.split('.')[0] for n in sys.modules} - set(sys.stdlib_module_names) - {'agentdog', '__main__'}\n"
        "site = {n for n in foreign if not n.startswith(('_', 'sitecustomize')) and n not in ('google',)}\n"
        "print(sorted(n for n in ours if not n.startswith('agentdog.client') and n != 'agentdog'), sorted(site))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


def test_the_asynchronous_client_has_every_call() -> None:
    calls = {name for name in vars(Client) if not name.startswith("_") and name != "post_check"}
    assert calls <= set(vars(AsyncClient))
