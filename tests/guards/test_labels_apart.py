"""Sessions over a model are copied, and asked for verdict and labels apart, whoever serves the model."""

from __future__ import annotations

import asyncio

from agentdog.guards.protocol import Analyses, Forks, LabelsApart
from agentdog.guards.server import ServerGuard
from tests.guards.steps import HEADER, user
from tests.support.scripted_guard import closed_port


def test_a_session_over_a_model_can_do_all_that_judging_hopes_for() -> None:
    async def run() -> None:
        guard = ServerGuard.from_uri(f"server:http://127.0.0.1:{closed_port()}/v1?model=m&pack=generic", environ={})
        session = guard.open(HEADER)
        assert isinstance(session, Forks)
        assert isinstance(session, LabelsApart)
        assert isinstance(session, Analyses)
        await guard.close()

    asyncio.run(run())


def test_extending_a_copy_leaves_the_session_as_it_is() -> None:
    async def run() -> None:
        guard = ServerGuard.from_uri(f"server:http://127.0.0.1:{closed_port()}/v1?model=m&pack=generic", environ={})
        session = guard.open(HEADER)
        session.extend(user("one"))
        copy = session.fork()
        copy.extend(user("two"))
        assert len(session._pieces) == 2
        assert len(copy._pieces) == 3
        await guard.close()

    asyncio.run(run())
