"""How a call reaches the sidecar: address, token, JSON in and out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from agentdog.client import transport

DEFAULT_URL = "http://127.0.0.1:8080"


class Calls:
    """One sidecar's address; holds no connection, so it may be shared between threads."""

    def __init__(self, base_url: str = DEFAULT_URL, token: str | None = None, timeout: float = 10.0) -> None:
        """Points at an address.

        Args:
            base_url: such as ``http://127.0.0.1:8080``; raises `ValueError` when it is none.
            token: sent as a bearer token, to this address only.
            timeout: seconds to connect, and for each read.
        """
        self.base_url = base_url.rstrip("/")
        self._opener = transport.opener_for(self.base_url)
        self._headers = {"Accept": "application/json", "User-Agent": "agentdog-client"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._timeout = timeout

    def _get(self, path: str, **query: str | int | None) -> Any:  # noqa: ANN401 - JSON, typed by each method
        return self._ask("GET", path, query)

    def _ask(self, method: str, path: str, query: Mapping[str, str | int | None]) -> Any:  # noqa: ANN401
        given = {key: value for key, value in query.items() if value is not None}
        url = f"{self.base_url}/api/v1/{path}" + (f"?{urlencode(given)}" if given else "")
        return transport.send(self._opener, method, url, self._headers, self._timeout)

    def _send(self, method: str, path: str, body: object = None, timeout: float | None = None) -> Any:  # noqa: ANN401
        url = f"{self.base_url}/api/v1/{path}"
        return transport.send(self._opener, method, url, self._headers, timeout or self._timeout, body)

    def _lines(self, path: str, **query: str | int | None) -> tuple[list[Any], Mapping[str, str]]:
        given = {key: value for key, value in query.items() if value is not None}
        url = f"{self.base_url}/api/v1/{path}?{urlencode(given)}"
        return transport.lines(self._opener, url, self._headers, self._timeout)
