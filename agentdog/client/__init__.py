"""A client of the sidecar's HTTP API: standard library only, plain dictionaries out.

>>> from agentdog.client import Client
>>> Client("http://127.0.0.1:8080").base_url
'http://127.0.0.1:8080'
"""

from agentdog.client.aio import AsyncClient
from agentdog.client.api import DEFAULT_URL, Client
from agentdog.client.errors import (
    ApiError,
    BadAnswer,
    ClientError,
    InvalidRequest,
    NotFound,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from agentdog.client.gate import Gate

__all__ = [
    "DEFAULT_URL",
    "ApiError",
    "AsyncClient",
    "BadAnswer",
    "Client",
    "ClientError",
    "Gate",
    "InvalidRequest",
    "NotFound",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
]
