"""`agentdog guards check` and `list`: each lack is told, with its mend."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agentdog.base.errors import GuardUnavailable, UsageError
from agentdog.cli import cli
from agentdog.guards import Reason, factory, packs
from agentdog.guards.chat_api import ChatFailure
from agentdog.guards.checkpoints import checkpoints
from agentdog.guards.mends import mend_of
from tests.support.ports import closed_port
from tests.support.scripted_guard import completion, scripted_guard

SAFE = completion("safe", {"safe": -0.1, "unsafe": -2.4}, cached=64)


def check(uri: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(cli, ["guards", "check", uri, "--json"], catch_exceptions=False)
    checks = json.loads(result.stdout)["checks"]
    return result.exit_code, {c["name"]: c for c in checks}


def test_a_server_that_can_do_everything() -> None:
    with scripted_guard(lambda p, b: (200, SAFE), owner="vllm") as server:
        code, found = check(f"server:{server.url}?model=guard")
    assert code == 0, found
    assert list(found) == [
        "reachable",
        "model",
        "pack",
        "layout",
        "context",
        "log-probabilities",
        "structured outputs",
        "speed",
        "prefix cache",
    ]
    assert found["log-probabilities"]["detail"] == "exact, by logprob_token_ids"
    assert found["pack"]["detail"] == "generic, own wording"


@pytest.mark.parametrize(
    ("owner", "knows", "context", "lacking"),
    [
        ("vllm", ("top_logprobs",), 8192, {"log-probabilities", "structured outputs"}),
        ("vllm", ("structured_outputs", "top_logprobs"), 8192, {"log-probabilities"}),
        ("vllm", ("logprob_token_ids", "structured_outputs"), 2000, {"context"}),
        ("other", (), 8192, {"log-probabilities", "structured outputs", "context"}),
    ],
)
def test_what_a_server_cannot_do_is_told_with_the_mend(
    owner: str, knows: Sequence[str], context: int, lacking: set[str]
) -> None:
    with scripted_guard(lambda p, b: (200, SAFE), owner=owner, knows=knows, context=context) as server:
        code, found = check(f"server:{server.url}?model=guard")
    assert code == 1
    assert {name for name, c in found.items() if c["status"] != "ok"} == lacking
    assert all(found[name]["mend"] for name in lacking)


def test_where_labels_cannot_be_held_to_a_form_they_are_written_over_their_trie() -> None:
    with scripted_guard(lambda p, b: (200, SAFE), owner="vllm", knows=("logprob_token_ids",)) as server:
        code, found = check(f"server:{server.url}?model=guard")
    assert (code, found["structured outputs"]["status"]) == (0, "ok")
    assert "trie" in found["structured outputs"]["detail"]


def test_every_stage_of_a_cascade_is_checked() -> None:
    with scripted_guard(lambda p, b: (200, SAFE), owner="vllm") as server:
        code, found = check(f"cascade:embedded>server:{server.url}?model=guard")
    assert code == 0
    assert {"stage 1: embedded", "stage 2: reachable", "stage 2: speed"} <= set(found)


def test_a_model_that_nobody_named_gets_its_own_pack_and_a_cache_that_tells_nothing() -> None:
    plain = completion("safe", {"safe": -0.1, "unsafe": -2.4})
    with scripted_guard(lambda p, b: (200, plain), model="AgentDoG-Qwen3-4B", owner="vllm") as server:
        _, found = check(f"server:{server.url}")
    assert found["pack"]["detail"] == "agentdog-1.0-binary, own wording"
    assert found["model"] | {"mend": None} == {
        "name": "model",
        "status": "ok",
        "detail": "AgentDoG-Qwen3-4B",
        "mend": None,
    }
    assert "enable-prompt-tokens-details" in found["prefix cache"]["mend"]


def test_what_is_hidden_is_told() -> None:
    with scripted_guard(lambda p, b: (200, SAFE), owner="vllm") as server:
        code, found = check(f"server:{server.url}?model=guard&tools=none&profile=none")
    assert (code, found["layout"]["status"]) == (1, "warn")
    assert "profile hidden, tools hidden" in found["layout"]["detail"]
    assert "tools=none" in found["layout"]["mend"]


def test_a_model_behind_an_alias_is_known_by_what_it_was_loaded_from() -> None:
    with scripted_guard(lambda p, b: (200, SAFE), owner="vllm", root="AI45Research/AgentDoG-Qwen3-4B") as server:
        _, found = check(f"server:{server.url}?model=guard")
        code, refused = check(f"server:{server.url}?model=guard&pack=agentdog-1.5-unified")
    assert "?pack=agentdog-1.0-binary" in found["model"]["mend"]
    assert (code, refused["answers"]["status"]) == (1, "fail")
    assert "does not work with pack agentdog-1.5-unified" in refused["answers"]["detail"]


def test_every_failure_has_its_mend() -> None:
    for reason in (Reason.GUARD_UNREACHABLE, Reason.GUARD_REFUSED, Reason.TIMED_OUT, Reason.UNPARSABLE):
        assert mend_of(ChatFailure(reason, "x"))
    told = "https://h/v1 does not answer ([SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate)"
    assert "ca=FILE" in (mend_of(ChatFailure(Reason.GUARD_UNREACHABLE, told)) or "")


def test_a_server_behind_tls_is_trusted_by_its_certificate_alone(tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    names = ("-subj", "/CN=guard", "-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run(["openssl", *made, *names, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    with scripted_guard(lambda p, b: (200, SAFE), owner="vllm", tls=tls) as server:
        code, found = check(f"server:{server.url}?model=guard")
        assert (code, found["reachable"]["status"]) == (1, "fail")
        assert "ca=FILE" in found["reachable"]["mend"]
        code, found = check(f"server:{server.url}?model=guard&ca={cert}")
        assert (code, found["reachable"]["status"]) == (0, "ok")
        code, found = check(f"server:{server.url.replace('https', 'http')}?model=guard")
        assert (code, {c["status"] for c in found.values()} & {"fail"}) == (1, {"fail"})
    for wrong in (tmp_path / "none.pem", key):
        with pytest.raises(GuardUnavailable, match=r"ca: .*PEM"):
            factory.build(f"server:{server.url}?model=guard&ca={wrong}")


def test_a_server_of_another_kind_answers_nothing_of_use() -> None:
    with scripted_guard(lambda p, b: (200, "<html>hello</html>")) as server:
        code, found = check(f"server:{server.url}/nowhere?model=guard&pack=generic")
    assert (code, found["reachable"]["status"], found["answers"]["status"]) == (1, "ok", "fail")
    assert found["answers"]["mend"]


def test_a_pack_is_named_on_the_command_line(tmp_path: Path) -> None:
    mine = tmp_path / "mine & yours.yaml"
    mine.write_text("name: mine\nextends: generic\n")
    with scripted_guard(lambda p, b: (200, SAFE), owner="vllm") as server:
        uri = f"server:{server.url}?model=guard&pack=agentdog-1.0-binary"
        run = CliRunner().invoke(cli, ["guards", "check", uri, "--pack", str(mine), "--json"], catch_exceptions=False)
    assert json.loads(run.stdout)["guard"]["pack"] == "mine"
    assert json.loads(run.stdout)["guard"]["wording"] == "mine & yours.yaml"
    for refused in ("embedded", "cascade:embedded>embedded"):
        with pytest.raises(UsageError, match="--pack"):
            factory.with_pack(refused, "generic")


def test_nobody_there_is_one_line() -> None:
    code, found = check(f"server:http://127.0.0.1:{closed_port()}/v1")
    assert (code, list(found), found["reachable"]["status"]) == (1, ["reachable"], "fail")


def test_the_embedded_guard_is_checked_too() -> None:
    code, found = check("embedded")
    assert (code, len(found)) == (0, 1)


def test_every_checkpoint_has_the_pack_that_its_name_chooses() -> None:
    for entry in checkpoints():
        fitting = [p.name for p in packs.shipped().values() if packs.fits(p, entry.id)]
        assert fitting == [entry.pack], entry.id
        assert entry.judges is ("-FG-Qwen3.5" not in entry.id and "1.5-FG" not in entry.id)
    assert len({entry.id for entry in checkpoints()}) == len(checkpoints()) == 15


def test_memory_follows_from_the_figures() -> None:
    by_id = {entry.id: entry for entry in checkpoints()}
    llama = by_id["AI45Research/AgentDoG-Llama3.1-8B"]
    assert llama.weights_gib == {"bf16": 15.0, "fp8": 7.5, "4-bit": 3.7}
    assert llama.cache_gib == 2.0
    # Attention in 6 of 24 layers with 2 heads of 256: 2 * 6 * 2 * 256 * 2 bytes a token.
    small = by_id["AI45Research/AgentDoG1.5-Qwen3.5-0.8b"]
    assert (small.weights_gib, small.cache_gib) == ({"bf16": 1.5, "fp8": 0.7, "4-bit": 0.4}, 0.2)
    assert any("third parties" in doubt for doubt in small.unsure)
    assert all(entry.needs and entry.weights_gib.keys() == {"bf16", "fp8", "4-bit"} for entry in by_id.values())
    assert by_id["AI45Research/AgentDoG-Qwen3-4B"].revision
    assert any("name" in doubt for doubt in by_id["AI45Research/AgentDoG1.5-Qwen3.5-2b"].unsure)


def test_guards_are_listed_with_their_serve_line() -> None:
    shown = CliRunner().invoke(cli, ["guards", "list"], catch_exceptions=False).stdout
    assert "vllm serve AI45Research/AgentDoG1.5-Unified-Qwen3.5-4B --max-model-len 16384" in shown
    assert "unsure: also written AgentDoG1.5-unified-Qwen3.5-4B" in shown
