"""Tokens with roles and projects on every port: who may do what, and that nobody else may."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

from agentdog.base.errors import OutsideError, UsageError
from agentdog.service.auth import Access, Authority, Unauthenticated, check_exposure
from agentdog.service.settings import Settings, load_settings
from agentdog.store.link import Link
from agentdog.store.redis_store import RedisStore
from agentdog.store.tokens import Role, Token
from tests.service.test_receiver import PROTOBUF, request
from tests.support import records
from tests.support.serving import serving, settings_for
from tests.support.stores import play, store_at

_Stub: Any = trace_service_pb2_grpc.TraceServiceStub
_ADMIN = "a-long-administrators-token"


class Doors:
    """A sidecar that asks for tokens, and tokens for it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def token(self, role: Role, *projects: str) -> str:
        async def make() -> str:
            assert self.settings.redis.url is not None
            store = store_at(self.settings.redis.url)
            try:
                return (await store.add_token(f"{role} of {projects}", role, projects))[1]
            finally:
                await store.close()

        return asyncio.run(make())

    def send(self, token: str | None, *span_ids: int, **headers: str) -> httpx.Response:
        body = request(*(bytes([n] * 8) for n in span_ids)).SerializeToString()
        url = f"{self.settings.otlp_endpoint}/v1/traces"
        return httpx.post(url, content=body, headers={"content-type": PROTOBUF, **bearer(token), **headers})

    def api(self, path: str, token: str | None = _ADMIN, method: str = "GET", **headers: str) -> httpx.Response:
        return httpx.request(method, f"{self.settings.api_url}{path}", headers={**bearer(token), **headers})


def bearer(token: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token else {}


@pytest.fixture
def doors(server_url: str, ports: list[int]) -> Iterator[Doors]:
    async def empty() -> None:
        link = Link.to(server_url, 5.0)
        await link.one("FLUSHALL")
        await link.close()

    asyncio.run(empty())
    with serving(settings_for(server_url, ports, auth={"mode": "on", "admin_token": _ADMIN})) as settings:
        yield Doors(settings)


@pytest.mark.parametrize("token", [None, "nonsense", "agd_0123456789ab_" + "x" * 43])
def test_nobody_sends_or_reads_without_a_good_token(doors: Doors, token: str | None) -> None:
    sent = doors.send(token, 1)
    assert (sent.status_code, sent.headers["www-authenticate"]) == (401, "Bearer")
    read = doors.api("/api/v1/accounting", token)
    assert (read.status_code, read.json()["error"]["code"]) == (401, "unauthenticated")
    assert doors.api("/metrics", token).status_code == 401
    assert doors.api("/nowhere", token).status_code == 401
    assert doors.api("/healthz", token).status_code == 200
    assert doors.api("/api/v1/accounting").json() == {"projects": {}}


def test_each_role_may_do_its_part_and_no_other(doors: Doors) -> None:
    may_send = {role: doors.send(doors.token(role), 1).status_code for role in ("ingest", "read", "review", "admin")}
    assert may_send == {"ingest": 200, "read": 403, "review": 403, "admin": 200}
    expected = {"ingest": (403, 403), "read": (200, 403), "review": (200, 403), "admin": (200, 200)}
    for role, (read, administer) in expected.items():
        token = doors.token(role)  # type: ignore[arg-type]
        assert doors.api("/api/v1/trajectories", token).status_code == read
        assert doors.api("/api/v1/audit", token).status_code == administer
        assert doors.api("/api/v1/dead-letters/replay", token, "POST").status_code == administer


def test_every_route_of_the_api_asks_for_a_right(doors: Doors) -> None:
    ingest = doors.token("ingest")
    paths = doors.api("/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for method in methods:
            answer = doors.api(path.replace("{any_id}", "x"), ingest, method.upper())
            open_to_it = path in ("/healthz", "/readyz", "/api/v1/check")
            assert (answer.status_code == 403) != open_to_it, f"{method} {path} answers {answer.status_code}"


def test_a_token_for_one_project_writes_and_sees_no_other(doors: Doors) -> None:
    mine = doors.token("ingest", "mine")
    assert doors.send(mine, 1).status_code == 200
    assert doors.send(mine, 2, **{"x-agentdog-project": "theirs"}).status_code == 403
    attribute = request(b"\x03" * 8, resource={"agentdog.project": "theirs"}).SerializeToString()
    url = f"{doors.settings.otlp_endpoint}/v1/traces"
    partly = httpx.post(url, content=attribute, headers={"content-type": PROTOBUF, **bearer(mine)})
    assert b"other projects" in partly.content
    doors.send(_ADMIN, 4)
    everything = doors.api("/api/v1/accounting").json()["projects"]
    assert {name: counts["stored"] for name, counts in everything.items()} == {"mine": 1, "default": 1}
    seen = doors.api("/api/v1/accounting", doors.token("read", "mine")).json()["projects"]
    assert set(seen) == {"mine"}


def test_what_is_out_of_scope_is_not_found_by_list_id_or_feed(server_url: str, ports: list[int]) -> None:
    def fill(store: RedisStore) -> Any:
        async def put() -> None:
            await store.save_trajectory(records.trajectory("t1", project="theirs"), [])
            await store.save_trajectory(records.trajectory("t2", project="mine"), [])

        return put()

    play(server_url, fill)
    with serving(settings_for(server_url, ports, auth={"mode": "on", "admin_token": _ADMIN})) as settings:
        doors = Doors(settings)
        token = doors.token("read", "mine")
        assert [row["id"] for row in doors.api("/api/v1/trajectories", token).json()["items"]] == ["t2"]
        assert doors.api("/api/v1/trajectories?project=theirs", token).status_code == 403
        assert doors.api("/api/v1/trajectories/t1", token).status_code == 404
        assert doors.api("/api/v1/trajectories/t2", token).status_code == 200
        events = doors.api("/api/v1/events?since=0", token).json()["events"]
        assert {event["project"] for event in events} == {"mine"}
        assert doors.api("/api/v1/scopes", token).status_code == 403
        assert doors.api("/metrics", token).status_code == 403
        for _ in range(3):
            doors.api("/api/v1/trajectories/t1")
        (first, second) = doors.api("/api/v1/audit").json()["items"]
        assert (first["action"], first["subject"], first["project"]) == ("read", "t1", "theirs")
        assert (second["subject"], second["name"]) == ("t2", "read of ('mine',)")


def test_grpc_asks_as_well(doors: Doors) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{doors.settings.otlp_grpc.port}") as channel:
        stub = _Stub(channel)
        for token, code in ((None, "UNAUTHENTICATED"), (doors.token("read"), "PERMISSION_DENIED")):
            metadata = tuple(bearer(token).items())
            with pytest.raises(grpc.RpcError) as refused:
                stub.Export(request(b"\x01" * 8), metadata=metadata)
            assert refused.value.code().name == code
        stub.Export(request(b"\x01" * 8), metadata=tuple(bearer(doors.token("ingest")).items()))
    assert doors.api("/api/v1/accounting").json()["projects"]["default"]["stored"] == 1


def test_secrets_are_not_stored_and_revoked_or_expired_tokens_end(server_url: str) -> None:
    async def scenario(store: RedisStore) -> None:
        token, text = await store.add_token("ci", "read")
        _, old = await store.add_token("old", "read", expires="2020-01-01T00:00:00.000000000Z")
        raw = await store._link.one("HGETALL", "ad:{p00}:tokens")
        assert text.rpartition("_")[2].encode() not in b"".join(raw)
        authority = Authority(store, required=True)
        assert (await authority.access(f"Bearer {text}")).who == token.id
        with pytest.raises(Unauthenticated, match="ended"):
            await authority.access(f"bearer {old}")
        with pytest.raises(Unauthenticated):
            await authority.access(f"Bearer {text[:-1]}{'A' if text[-1] != 'A' else 'B'}")
        assert await store.revoke_token(token.id)
        assert not await store.revoke_token(token.id)
        with pytest.raises(Unauthenticated, match="revoked"):
            await Authority(store, required=True).access(f"Bearer {text}")

    play(server_url, scenario)


def test_listening_beyond_this_machine_without_tokens_must_be_said_on_purpose() -> None:
    exposed = load_settings(api={"host": "0.0.0.0"})
    with pytest.raises(OutsideError, match=r"AGENTDOG_API__HOST=0\.0\.0\.0.*AGENTDOG_AUTH__MODE=on"):
        check_exposure(exposed, ("otlp_http", "api"))
    check_exposure(exposed, ("otlp_http",))
    for auth in ({"mode": "on"}, {"allow_open": True}):
        check_exposure(load_settings(api={"host": "0.0.0.0"}, auth=auth), ("api",))
    for host in ("127.0.0.1", "localhost", "::1"):
        check_exposure(load_settings(api={"host": host}), ("api",))


def test_browsers_are_kept_careful_and_other_origins_out(server_url: str, ports: list[int]) -> None:
    with serving(settings_for(server_url, ports)) as settings:
        answer = httpx.get(f"{settings.api_url}/api/v1/projects", headers={"origin": "http://evil.example"})
        assert answer.status_code == 200
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert not [name for name in answer.headers if name.startswith("access-control")]
        rebound = httpx.get(f"{settings.api_url}/api/v1/projects", headers={"host": "evil.example"})
        assert (rebound.status_code, rebound.json()["error"]["code"]) == (403, "forbidden")
        assert httpx.get(f"{settings.api_url}/healthz", headers={"host": f"localhost:{settings.api.port}"}).is_success


def test_refused_spans_are_listed_with_the_reason(server_url: str, ports: list[int]) -> None:
    play(server_url, lambda store: store.ping())
    with serving(settings_for(server_url, ports)) as settings:
        body = request(b"\x01" * 8, b"\x00" * 8).SerializeToString()
        httpx.post(f"{settings.otlp_endpoint}/v1/traces", content=body, headers={"content-type": PROTOBUF})
        (item,) = httpx.get(f"{settings.api_url}/api/v1/rejections").json()["items"]
        assert (item["project"], item["id"]) == ("default", f"{'01' * 16}:{'00' * 8}")
        assert item["reason"] == "span_id must be 8 bytes, not all zero"
        assert httpx.get(f"{settings.api_url}/api/v1/rejections?project=other").json() == {"items": []}


def test_dead_letters_are_listed_and_tried_again(server_url: str, ports: list[int]) -> None:
    async def scenario(store: RedisStore) -> None:
        await store.append("p", records.batch(records.span(0, 0)))
        (work,) = await store.claim("w", count=8, block_ms=10)
        assert await store.fail(work, "ValueError: boom", limit=1)

    play(server_url, scenario)
    with serving(settings_for(server_url, ports)) as settings:
        base = f"{settings.api_url}/api/v1/dead-letters"
        (letter,) = httpx.get(base).json()["items"]
        assert letter["error"] == "ValueError: boom"
        assert httpx.post(f"{base}/replay?id=0/0-1").json() == {"replayed": 0}
        assert httpx.post(f"{base}/replay", params={"id": letter["id"]}).json() == {"replayed": 1}
        assert httpx.get(base).json() == {"items": []}
        assert "agentdog_queue_units 1.0" in httpx.get(f"{settings.api_url}/metrics").text


def test_with_a_certificate_every_port_speaks_tls(server_url: str, ports: list[int], tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(["openssl", *made, *names, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    trust = ssl.create_default_context(cafile=str(cert))
    tls = {"cert": cert, "key": key, "ca": cert}
    with serving(settings_for(server_url, ports, tls=tls), verify=trust) as settings:
        assert settings.api_url.startswith("https://")
        body = request(b"\x01" * 8).SerializeToString()
        url, headers = f"{settings.otlp_endpoint}/v1/traces", {"content-type": PROTOBUF}
        assert httpx.post(url, content=body, headers=headers, verify=trust).is_success
        credentials = grpc.ssl_channel_credentials(cert.read_bytes())
        with grpc.secure_channel(f"localhost:{settings.otlp_grpc.port}", credentials) as channel:
            _Stub(channel).Export(request(b"\x02" * 8))


class _Fixed:
    async def token(self, identity: str) -> Token | None:
        return None


def test_a_scope_is_a_set_of_projects_and_a_right_is_named() -> None:
    access = Access(who="1", name="n", rights=frozenset({"read"}), projects=frozenset({"a"}))
    assert access.within(["b", "a"]) == ["a"]
    for refused in (lambda: access.need("admin"), lambda: access.need_project("b")):
        with pytest.raises(UsageError):
            _call(refused)
    assert json.loads(asyncio.run(_open()))["who"] == "anyone"


def _call(function: Callable[[], None]) -> None:
    function()


async def _open() -> str:
    access = await Authority(_Fixed(), required=False).access(None)
    return json.dumps({"who": access.who})


def test_views_search_and_checks_keep_to_the_scope_of_the_token(server_url: str, ports: list[int]) -> None:
    async def put(store: RedisStore) -> None:
        await store.save_trajectory(records.trajectory("t1", project="theirs"), [])

    play(server_url, put)
    with serving(settings_for(server_url, ports, auth={"mode": "on", "admin_token": _ADMIN})) as settings:
        doors = Doors(settings)
        token = doors.token("read", "mine")
        paths = ("view/t1", "flows/t1?step=1", "records/t1", "text/t1?step=0&field=content", "exports/t1")
        for path in paths:
            assert doors.api(f"/api/v1/{path}", token).status_code == 404, path
            assert doors.api(f"/api/v1/{path}").status_code == 200, path
            named = f"/api/v1/{path}{'&' if '?' in path else '?'}project=theirs"
            assert doors.api(named, token).status_code == 403, path
        assert doors.api("/api/v1/search?q=hello", token).json()["hits"] == []
        assert [hit["summary"]["id"] for hit in doors.api("/api/v1/search?q=hello").json()["hits"]] == ["t1"]
        assert doors.api("/api/v1/names", token).json() == {"agents": {}, "tools": {}}
        assert doors.api("/api/v1/names").json()["tools"] == {"send": 1}
        assert sum(doors.api("/api/v1/patterns", token).json()["verdicts"].values()) == 0
        assert sum(doors.api("/api/v1/patterns").json()["verdicts"].values()) == 1
        for path in ("names", "patterns"):
            assert doors.api(f"/api/v1/{path}?project=theirs", token).status_code == 403
        told = {(entry["action"], entry.get("subject")) for entry in doors.api("/api/v1/audit").json()["items"]}
        assert {("read", "t1"), ("search", "hello")} <= told


def test_reviews_keep_to_the_scope_of_the_token_and_are_signed_by_it(server_url: str, ports: list[int]) -> None:
    async def put(store: RedisStore) -> None:
        await store.save_trajectory(records.trajectory("t1", project="theirs"), [])

    play(server_url, put)
    with serving(settings_for(server_url, ports, auth={"mode": "on", "admin_token": _ADMIN})) as settings:
        doors = Doors(settings)
        stranger, reader, reviewer = doors.token("review", "mine"), doors.token("read"), doors.token("review", "theirs")

        def post(path: str, token: str, body: dict[str, Any]) -> httpx.Response:
            return httpx.post(f"{settings.api_url}/api/v1/{path}", json=body, headers=bearer(token))

        said = {"trajectory_id": "t1", "action": "approve", "author": "somebody else"}
        rule = {"project": "theirs", "like": {"tool": "send"}}
        assert post("reviews", stranger, said).status_code == 404
        for path, body in (("reviews", said), ("suppressions", rule), ("reviews/import", {})):
            assert post(path, reader, body).status_code == 403, path
        assert post("suppressions", stranger, rule).status_code == 403
        kept = post("reviews", reviewer, said)
        assert kept.json()["review"]["author"] == "review of ('theirs',)", "not whom the body names"
        made = post("suppressions", reviewer, rule).json()
        given = {"reviews": [kept.json()["review"]], "suppressions": [made]}
        assert post("reviews/import", stranger, given).status_code == 403
        for path in ("reviews", "dataset", "suppressions"):
            assert doors.api(f"/api/v1/{path}?project=theirs", stranger).status_code == 403, path
            assert doors.api(f"/api/v1/{path}?project=theirs", reviewer).status_code == 200, path
        assert doors.api("/api/v1/suppressions", stranger).json()["suppressions"] == []
        assert doors.api(f"/api/v1/suppressions/{made['id']}", stranger, method="DELETE").status_code == 403
        assert doors.api(f"/api/v1/suppressions/{made['id']}", reviewer, method="DELETE").status_code == 200
        told = {(entry["action"], entry.get("subject")) for entry in doors.api("/api/v1/audit").json()["items"]}
        assert {("review", "t1"), ("suppress", None), ("revoke suppression", made["id"])} <= told


def test_saved_views_are_read_by_readers_written_by_reviewers_and_kept_within_projects(doors: Doors) -> None:
    reader, reviewer, scoped = doors.token("read"), doors.token("review"), doors.token("review", "mine")

    def save(token: str, name: str, **filters: str) -> httpx.Response:
        body = {"name": name, "filters": filters, "author": "somebody else"}
        return httpx.post(f"{doors.settings.api_url}/api/v1/saved-views", json=body, headers=bearer(token))

    def seen(token: str) -> list[str]:
        return [view["name"] for view in doors.api("/api/v1/saved-views", token).json()["items"]]

    assert save(reader, "no").status_code == 403
    assert save(scoped, "of all").status_code == 403
    assert save(scoped, "of theirs", project="theirs").status_code == 403
    assert save(reviewer, "of all").json()["author"] == "review of ()", "not whom the body names"
    assert save(reviewer, "of theirs", project="theirs").status_code == 200
    assert save(scoped, "of mine", project="mine").status_code == 200
    assert seen(reader) == ["of all", "of mine", "of theirs"]
    assert seen(scoped) == ["of mine"]
    assert doors.api("/api/v1/saved-views?project=theirs", scoped).status_code == 403
    delete = "/api/v1/saved-views?name=of%20theirs&project=theirs"
    assert doors.api(delete, reader, method="DELETE").status_code == 403
    assert doors.api(delete, scoped, method="DELETE").status_code == 403
    assert doors.api(delete, reviewer, method="DELETE").status_code == 200
    told = {(entry["action"], entry.get("subject")) for entry in doors.api("/api/v1/audit").json()["items"]}
    assert {("save view", "of mine"), ("delete view", "of theirs")} <= told
