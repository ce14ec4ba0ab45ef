"""Receiver and API in one process: 4317, 4318 and 8080 in one task group, ended together and gracefully."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import grpc
import uvicorn
from fastapi import FastAPI
from opentelemetry.trace import Tracer

from agentdog.guards import Guard
from agentdog.guards.factory import PACKS_FOLDER
from agentdog.service import app, ports, receiver_grpc, receiver_http
from agentdog.service.admission import Admission
from agentdog.service.auth import Authority, check_exposure, is_loopback
from agentdog.service.figures import Figures
from agentdog.service.inline import Checker
from agentdog.service.intake import Intake
from agentdog.service.metrics import Metrics
from agentdog.service.redaction import Redactor
from agentdog.service.settings import Settings, TlsSettings
from agentdog.service.tracing import SILENT
from agentdog.store.contract import Store

_log = logging.getLogger(__name__)
_GRACE_S = 5  # requests under way get this long to end


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the process, since several run in it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    settings: Settings,
    store: Store,
    guard: Guard,
    stop: asyncio.Event,
    checker: Checker | None = None,
    *,
    redactor: Redactor | None = None,
    tracer: Tracer = SILENT,
) -> None:
    """Serves until `stop` is set; ports are taken before the first request is answered; `tracer` is of its own work.

    What arrives over OTLP goes through `redactor` first.

    Raises:
        OutsideError: a port is in use.
    """
    metrics = Metrics()
    figures = Figures(store)
    intake = Intake(store, settings.project, redactor, figures, own=metrics.own_records.inc, tracer=tracer)
    admission = Admission(store, settings.limits, metrics)
    if redactor is not None:
        figures.count("redaction_keys", redactor.fingerprint)
    limit = settings.limits.body_bytes
    authority = Authority(store, required=settings.auth.mode == "on", static=settings.auth.admin_token)
    check_exposure(settings, ("otlp_grpc", "otlp_http", "api"))
    application = app.build_app(
        store,
        guard,
        metrics,
        authority,
        checker,
        local_only=is_loopback(settings.api.host),
        prices=settings.judge,
        attribution=settings.attribution,
        redactor=redactor,
        stall_s=settings.limits.stall_s,
        packs=settings.data / PACKS_FOLDER,
        runs=settings.ui.runs,
    )
    async with AsyncExitStack() as stack:
        otlp_socket = stack.enter_context(ports.bind(settings.otlp_http, "otlp_http"))
        api_socket = stack.enter_context(ports.bind(settings.api, "api"))
        await stack.enter_async_context(_grpc(settings, intake, metrics, authority, admission))
        servers = [
            (_http(receiver_http.build_app(intake, metrics, limit, authority, admission), settings), otlp_socket),
            (_http(application, settings), api_socket),
        ]
        _log.info(
            "OTLP/HTTP on %s, OTLP/gRPC on %s, API on %s",
            settings.otlp_endpoint,
            settings.otlp_grpc_endpoint,
            settings.api_url,
        )
        await _run(servers, [figures.run(), admission.watch()], stop)
    await figures.flush()


async def _run(
    servers: list[tuple[_Server, socket.socket]], beside: list[Coroutine[Any, Any, None]], stop: asyncio.Event
) -> None:
    """Runs servers until told to stop; what runs beside them ends with them."""
    async with asyncio.TaskGroup() as group:
        others = [group.create_task(each) for each in beside]
        for server, bound in servers:
            group.create_task(server.serve(sockets=[bound]))
        await stop.wait()
        for server, _ in servers:
            server.should_exit = True
        for other in others:
            other.cancel()


def _http(application: FastAPI, settings: Settings) -> _Server:
    config = uvicorn.Config(
        application,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        ssl_certfile=settings.tls.cert,
        ssl_keyfile=settings.tls.key,
    )
    return _Server(config)


@asynccontextmanager
async def _grpc(
    settings: Settings, intake: Intake, metrics: Metrics, authority: Authority, admission: Admission
) -> AsyncIterator[None]:
    server = receiver_grpc.build_server(intake, metrics, settings.limits.body_bytes, authority, admission)
    listen = settings.otlp_grpc
    try:
        _add_port(
            server,
            settings.tls,
            f"[{listen.host}]:{listen.port}" if ":" in listen.host else f"{listen.host}:{listen.port}",
        )
    except RuntimeError as error:
        raise ports.in_use(listen, "otlp_grpc", "in use") from error
    await server.start()
    try:
        yield
    finally:
        await server.stop(_GRACE_S)


def _add_port(server: Any, tls: TlsSettings, address: str) -> None:  # noqa: ANN401 - grpc carries no types
    if tls.cert is None or tls.key is None:
        server.add_insecure_port(address)
        return
    pair = (tls.key.read_bytes(), tls.cert.read_bytes())
    server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
