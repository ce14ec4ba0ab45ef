"""The whole API, asked what its own description allows and what it does not: an answer every time, never a failure.

Schemathesis makes the requests from ``/openapi.json``. Half of those that name a run or the like name one that is
there. Seeds are fixed, so the same requests are made every time.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from agentdog.guards.embedded import EmbeddedGuard
from agentdog.service.app import build_app
from agentdog.service.auth import Authority
from agentdog.service.inline import Checker, PolicyFile
from agentdog.service.metrics import Metrics
from agentdog.service.redaction import build
from agentdog.store.redis_store import RedisStore
from tests.store.test_erasing import MARK, filled
from tests.support import run_folder, runs
from tests.support.live_api import serving
from tests.support.stores import play, running_server, store_at

schemathesis = pytest.importorskip("schemathesis", reason="of the extra test: `make test-all` installs it")

_SEED = 20261127
_EACH = 6  # requests of each sort per operation
#: What a request is to name half of the time, by parameter: what is there.
_THERE: dict[str, tuple[str, ...]] = {
    "any_id": (MARK,),
    "project": ("p", "office", "default"),
    "step": ("0", "1", "2"),
    "name": ("first", "second", "broken", "outside", "empty"),
    "row_id": ("0", "1"),
}
#: Deletes what the others ask for.
_LAST = ("/api/v1/forget",)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Everything that an API can have, over a store with runs, reviews, dead letters, rejections."""

    async def fill(store: RedisStore) -> None:
        await runs.put(store, *runs.everything())
        await filled(store, "p", "one", MARK)

    guard, kept = EmbeddedGuard(), run_folder.make(tmp_path_factory.mktemp("kept"))
    with running_server() as server:
        play(server.url, fill)
        store = store_at(server.url)
        checker = Checker(store, guard, PolicyFile(None))
        redactor = build(b"k" * 32)
        authority = Authority(store, required=False)
        app = build_app(store, guard, Metrics(), authority, checker, redactor=redactor, runs=kept)
        app.state.opened = (store,)
        with serving(app) as base:
            yield base


def there(case: Any, chance: random.Random, ids: list[str]) -> None:
    """Puts something that is there where a request names something."""
    for given_to in (case.path_parameters, case.query, case.body):
        if not isinstance(given_to, dict):
            continue
        for name in given_to:
            if name in ("any_id", "trajectory_id", "run", "run_id"):
                given_to[name] = chance.choice(ids)
            elif name in _THERE:
                given_to[name] = chance.choice(_THERE[name])


@pytest.mark.slow
def test_whatever_is_asked_is_answered(api: str) -> None:
    description = schemathesis.openapi.from_dict(httpx.get(f"{api}/openapi.json").json())
    ids = [item["id"] for item in httpx.get(f"{api}/api/v1/trajectories").json()["items"]]
    assert len(ids) > 4
    codes: Counter[int] = Counter()
    failures: list[str] = []
    with httpx.Client(base_url=api, timeout=60) as client:

        def ask(case: Any) -> None:
            chance = random.Random(f"{_SEED}{case.operation.label}{codes.total()}")
            if chance.random() < 0.5:
                there(case, chance, ids)
            asked = case.as_transport_kwargs(base_url=api)
            said = {name: asked[name] for name in ("params", "headers", "json", "content") if asked.get(name)}
            if asked.get("data"):
                said["content"] = asked["data"]
            try:
                answer = client.request(asked["method"], asked["url"], **said)
            except httpx.InvalidURL:
                return  # no client would send it
            codes[answer.status_code] += 1
            if answer.status_code >= 500 and not _is_ours(answer):
                failures.append(f"{answer.status_code} {case.as_curl_command()}")

        operations = [found.ok() for found in description.get_all_operations()]
        operations.sort(key=lambda each: each.path in _LAST)
        for operation in operations:
            for mode in schemathesis.GenerationMode:
                _examples(operation, mode, ask)
        assert client.get("/readyz").status_code == 200
    assert failures == []
    assert codes.total() > 300
    assert codes[200] > 50, codes


def _is_ours(answer: httpx.Response) -> bool:
    """Whether it says in the API's one shape that something outside is away just now."""
    return answer.status_code == 503 and "code" in answer.json().get("error", answer.json())


def _examples(operation: Any, mode: Any, ask: Any) -> None:
    """Makes the requests; an operation to which nothing wrong can be sent has none of that sort."""
    unhurried: Any = settings(
        max_examples=_EACH,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    made: Any = given(operation.as_strategy(generation_mode=mode))
    try:
        unhurried(made(ask))()
    except Unsatisfiable:
        return
