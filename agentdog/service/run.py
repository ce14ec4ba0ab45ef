"""What the commands ``serve`` and ``worker`` run: settings in, one process's whole life."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from agentdog.guards import Guard, factory
from agentdog.policy import Decision
from agentdog.service.attributing import Attributing
from agentdog.service.explaining import Explaining
from agentdog.service.figures import Figures
from agentdog.service.inline import Checker, PolicyFile
from agentdog.service.judging import Judging
from agentdog.service.learning import Learning
from agentdog.service.process import beat, configure_logging, settle_memory, step_back, stop_event
from agentdog.service.progress import Pulse
from agentdog.service.redaction import Redactor, redactor_of
from agentdog.service.retention import Retention
from agentdog.service.sending import Sending
from agentdog.service.serve import serve
from agentdog.service.settings import Settings
from agentdog.service.stores import open_store
from agentdog.service.targets import open_targets
from agentdog.service.tracing import open_tracing
from agentdog.service.worker import Worker, one_after_the_other
from agentdog.store.contract import Store

_log = logging.getLogger(__name__)


async def run_serve(settings: Settings, *, tethered: bool = False) -> None:
    """Receives and answers until told to stop.

    Raises:
        OutsideError: a port or the store cannot be had, or the guard cannot be built.
    """
    configure_logging(settings, "serve")
    with stop_event(tethered=tethered) as stop:
        async with AsyncExitStack() as stack:
            guard = await stack.enter_async_context(_guard(settings, settings.guard.uri))
            inline = guard
            if settings.check.guard is not None:
                inline = await stack.enter_async_context(_guard(settings, settings.check.guard))
            policy = policy_file(settings)
            redactor = redactor_of(settings)
            store = await stack.enter_async_context(open_store(settings))
            checker = _checker(settings, store, inline, policy, redactor)
            warming = asyncio.create_task(checker.warm_up())
            stack.callback(warming.cancel)
            tracer = await stack.enter_async_context(open_tracing(settings.traces, "serve"))
            if tethered:
                beating = asyncio.create_task(beat(lambda: True))  # it answers: that is all that can be asked of it
                stack.callback(beating.cancel)
            settle_memory()
            await serve(settings, store, guard, stop, checker, redactor=redactor, tracer=tracer)


async def run_worker(settings: Settings, *, tethered: bool = False) -> None:
    """Weaves and judges until told to stop.

    Raises:
        OutsideError: the store cannot be run, or the guard cannot be built.
    """
    configure_logging(settings, "worker")
    step_back(settings.worker.nice)
    # Unique among all workers on all machines, so that nobody's claims are mistaken for ours.
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    with stop_event(tethered=tethered) as stop:
        async with (
            _guard(settings, settings.guard.uri) as guard,
            open_targets(settings) as targets,
            open_store(settings) as store,
            open_tracing(settings.traces, "worker") as tracer,
        ):
            _log.info(
                "working as %s (nice %d), guard %s; telling %s",
                name,
                settings.worker.nice,
                guard.info.name,
                ", ".join(targets.names) or "nobody",
            )
            figures, pulse = Figures(store), Pulse()
            judging = Judging(store, guard, settings, figures=figures, tracer=tracer, pulse=pulse)
            explaining = Explaining(store, guard, settings, figures=figures)
            attributing = Attributing(store, guard, settings, figures=figures)
            sending = Sending(store, targets, settings, figures=figures)
            worker = Worker(
                store,
                judging,
                settings,
                name=name,
                memory=store.memory,
                send=sending,
                tracer=tracer,
                explain=one_after_the_other(explaining, attributing),
                pulse=pulse,
            )
            settle_memory()
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(figures.run())
                keeping = group.create_task(Retention(store, settings, owner=name, figures=figures).run())
                beside = [writing, keeping]
                if tethered:
                    beside.append(group.create_task(beat(lambda: not pulse.late(settings.limits.stall_s))))
                await worker.run(stop)
                for task in beside:
                    task.cancel()
            await figures.flush()


def policy_file(settings: Settings) -> PolicyFile:
    """Reads the rules of inline checks.

    Raises:
        UsageError: the file that was named is not there, or cannot be read as rules.
    """
    return PolicyFile(settings.policy_path, required=settings.check.policy is not None)


def _checker(settings: Settings, store: Store, guard: Guard, policy: PolicyFile, redactor: Redactor | None) -> Checker:
    fallback = settings.check.on_not_evaluated
    return Checker(
        store,
        guard,
        policy,
        on_not_evaluated=Decision(fallback) if fallback else None,
        on_unsafe=Decision(settings.check.on_unsafe),
        project=settings.project,
        redact=redactor.struct if redactor is not None else lambda asked: asked,
        guard_for=Learning(store, guard).guard_for,
    )


@asynccontextmanager
async def _guard(settings: Settings, uri: str) -> AsyncIterator[Guard]:
    guard = factory.build(uri, settings.data / factory.PACKS_FOLDER)
    try:
        yield guard
    finally:
        await guard.close()
