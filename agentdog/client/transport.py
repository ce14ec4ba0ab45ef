"""One request, standard library only.

Invariants: the token goes to the configured address only (redirects are refused, and a loopback address is never sent
through the environment's proxy); an answer that is not the API's JSON never looks like data.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from typing import IO, Any
from urllib.parse import urlsplit

from agentdog.client.errors import ApiError, BadAnswer, Unreachable, error_for


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Following a redirect would carry the token to an address nobody configured."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Refuses."""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def opener_for(base_url: str) -> urllib.request.OpenerDirector:
    """Builds the opener for one address; raises `ValueError` when it is not an http(s) URL."""
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"base_url: {base_url!r} is not an address; give one like http://127.0.0.1:8080")
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if _is_loopback(parts.hostname):
        handlers.append(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(*handlers)


def get(opener: urllib.request.OpenerDirector, url: str, headers: dict[str, str], timeout: float) -> Any:  # noqa: ANN401
    """Gets and decodes one JSON answer; `timeout` in seconds is for connecting and for each read."""
    return send(opener, "GET", url, headers, timeout)


def send(
    opener: urllib.request.OpenerDirector,
    method: str,
    url: str,
    headers: dict[str, str],
    timeout: float,
    body: object = None,
) -> Any:  # noqa: ANN401
    """Sends one request, with `body` as JSON where there is one, and decodes the JSON answer."""
    raw, _ = _exchange(opener, method, url, headers, timeout, body)
    return _decoded(raw, url)


def lines(
    opener: urllib.request.OpenerDirector, url: str, headers: dict[str, str], timeout: float
) -> tuple[list[Any], Mapping[str, str]]:
    """Gets JSON lines; returns them decoded, and the answer's headers."""
    raw, told = _exchange(opener, "GET", url, headers, timeout, None)
    return [_decoded(line, url) for line in raw.splitlines() if line.strip()], told


def _exchange(
    opener: urllib.request.OpenerDirector,
    method: str,
    url: str,
    headers: dict[str, str],
    timeout: float,
    body: object,
) -> tuple[bytes, Mapping[str, str]]:
    data = None if body is None else json.dumps(body, ensure_ascii=False, default=str).encode("utf-8", "replace")
    more = {} if data is None else {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers | more, method=method)  # noqa: S310 - opener_for saw to it
    try:
        with opener.open(request, timeout=timeout) as answer:
            return answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error.code, error.read(), url) from None
    except (OSError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", error)
        raise Unreachable(
            f"no answer from {_origin(url)}: {reason}; is the sidecar running (`agentdog up`)?"
        ) from error
    except http.client.HTTPException as error:
        raise BadAnswer(f"{_origin(url)} answers, but not with HTTP: {error!r}; is it the API?") from error


def _decoded(raw: bytes, url: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(raw)
    except ValueError as error:
        raise BadAnswer(f"{_origin(url)} answers, but not with JSON; is it the sidecar's API (port 8080)?") from error


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _refusal(status: int, body: bytes, url: str) -> ApiError | BadAnswer:
    """Reads the one error shape; anything else with an error status is somebody else's answer."""
    try:
        problem = json.loads(body)["error"]
        code, message = str(problem["code"]), str(problem["message"])
        field, remedy = problem.get("field"), problem.get("remedy")
    except (ValueError, KeyError, TypeError, AttributeError):
        return BadAnswer(
            f"{_origin(url)} answers HTTP {status} in a foreign shape; is it the sidecar's API (port 8080)?"
        )
    return error_for(status)(status, code, message, field=field, remedy=remedy)
