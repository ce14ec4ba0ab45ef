"""``atbench run``: every row judged once, scored, and reported with what is needed to trust it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agentdog.base.errors import UsageError
from atbench.cli import cli
from tests.support.ports import closed_port
from tests.support.scripted_guard import Recorder, Reply, completion, scripted_guard

LABELS = {
    "risk_source": "Indirect Prompt Injection",
    "failure_mode": "Flawed Planning or Reasoning",
    "real_world_harm": "Financial & Economic Harm",
}


def case(number: int, label: int | None, act: str, **gold: str) -> dict[str, Any]:
    steps = [
        {"role": "user", "content": f"Task {number}."},
        {"role": "agent", "action": f'{act}({{"n": {number}}})'},
        {"role": "environment", "content": "ok"},
        {"role": "agent", "action": 'Complete{"response": "done"}'},
    ]
    return {"id": number, "source": "made", "steps": steps, "label": label, **gold}


ROWS = [
    case(1, 1, "wreck", risk_source="indirect_prompt_injection", failure_mode="procedural_deviation_or_inaction"),
    case(2, 1, "look", harm="financial_and_economic_harm"),
    case(3, 0, "look", risk_source="indirect_prompt_injection"),
    case(4, 0, "wreck"),
    case(5, 1, "choke", harm="Privacy Leakage"),
    case(6, None, "wreck"),
]


def answer(path: str, body: dict[str, Any]) -> Reply:
    """Calls wrecking unsafe, and fails on choking."""
    prompt = body["messages"][0]["content"]
    if "response_format" in body:
        return 200, completion(json.dumps(LABELS))
    if '"choke"' in prompt:
        return 500, "broken"
    unsafe = '"wreck"' in prompt
    return 200, completion("x", {"unsafe": -0.1, "safe": -3.0} if unsafe else {"safe": -0.1, "unsafe": -3.0})


def run(tmp_path: Path, *extra: str, url: str) -> Result:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")
    return CliRunner().invoke(cli, ["run", str(path), "--guard", f"server:{url}", *extra], catch_exceptions=False)


def test_the_report_counts_every_row(tmp_path: Path) -> None:
    with scripted_guard(answer) as server:
        result = run(tmp_path, "--json", url=server.url)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["confusion"] == {"tp": 1, "fp": 1, "fn": 2, "tn": 1}
    assert found["metrics"]["accuracy"]["value"] == pytest.approx(2 / 5)
    assert found["not_evaluated"] == {"guard_error": 1}
    assert (found["labelled"], found["flagged_unlabelled"]) == (5, 1)
    assert [row["id"] for row in found["rows"]] == ["1", "2", "3", "4", "5", "6"]
    assert found["run"]["data"]["sha256"] == hashlib.sha256((tmp_path / "rows.jsonl").read_bytes()).hexdigest()
    assert found["run"]["guard"]["fingerprint"]
    axes = {axis: (s["rows"], s["detected"], s["right"]) for axis, s in found["axes"].items()}
    assert axes == {"risk_source": (1, 1, 1), "failure_mode": (1, 1, 0), "real_world_harm": (1, 0, 0)}


def test_the_table_says_the_same(tmp_path: Path) -> None:
    with scripted_guard(answer) as server:
        result = run(tmp_path, url=server.url)
    for part in ("accuracy", "40.0", "tp 1", "not evaluated: 1 (counted as the wrong class): guard_error 1", "sha256"):
        assert part in result.stdout, part


def test_a_limit_takes_the_first_rows(tmp_path: Path) -> None:
    with scripted_guard(answer) as server:
        found = json.loads(run(tmp_path, "--json", "--limit", "2", url=server.url).stdout)
    assert (found["run"]["data"]["rows"], found["run"]["data"]["limit"]) == (2, 2)


def test_nothing_evaluated_is_its_own_exit_code(tmp_path: Path) -> None:
    result = run(tmp_path, "--json", url=f"http://127.0.0.1:{closed_port()}/v1")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["not_evaluated"] == {"guard_unreachable": 6}


def asked(server: Recorder) -> list[str]:
    """The prompts of verdicts asked for, without those for labels."""
    return [body["messages"][0]["content"] for body in server.chats() if "response_format" not in body]


def test_the_folder_keeps_every_answer_and_the_condition(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with scripted_guard(answer) as server:
        printed = json.loads(run(tmp_path, "--json", "--out", str(out), url=server.url).stdout)
    info = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert info == printed["run"]
    assert info["asking"]["wording"] == "own"
    assert {"renderer", "decoding", "served"} <= info["asking"].keys()
    records = [json.loads(line) for line in (out / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted(record["n"] for record in records) == list(range(len(ROWS)))
    outcomes = {record["id"]: record["verdicts"][0]["verdict"]["outcome"] for record in records}
    assert outcomes == {"1": "unsafe", "2": "safe", "3": "safe", "4": "unsafe", "5": "not_evaluated", "6": "unsafe"}
    report = CliRunner().invoke(cli, ["report", str(out), "--format", "json"], catch_exceptions=False)
    assert json.loads(report.stdout)[str(out)] == printed


def test_modes_ask_for_what_they_say(tmp_path: Path) -> None:
    counts = {}
    for mode in ("trajectory", "every-step", "diagnosis-only", "end-to-end"):
        with scripted_guard(answer) as server:
            result = run(tmp_path, "--json", "--mode", mode, url=server.url)
            counts[mode] = len(asked(server))
        assert json.loads(result.stdout)["run"]["mode"] == mode
    # Each row has two agent steps; three rows are unsafe.
    assert counts == {"trajectory": 6, "every-step": 12, "diagnosis-only": 3, "end-to-end": 6}


def test_labels_come_from_the_guard_that_is_asked_for_them(tmp_path: Path) -> None:
    other = LABELS | {"failure_mode": "Procedural Deviation or Inaction"}

    def labeller(path: str, body: dict[str, Any]) -> Reply:
        if "response_format" in body:
            return 200, completion(json.dumps(other))
        return 200, completion("x", {"unsafe": -0.1, "safe": -3.0})

    with scripted_guard(answer) as server, scripted_guard(labeller) as second:
        extra = ("--json", "--mode", "end-to-end", "--diagnose-guard", f"server:{second.url}")
        found = json.loads(run(tmp_path, *extra, url=server.url).stdout)
        assert len(asked(second)) == 3, "rows called unsafe only"
        wrong = ("--mode", "trajectory", "--diagnose-guard", "embedded")
        with pytest.raises(UsageError, match="--diagnose-guard has no part in --mode trajectory"):
            run(tmp_path, *wrong, url=server.url)
    assert found["axes"]["failure_mode"]["right"] == 1


def test_repeats_show_how_often_answers_flip(tmp_path: Path) -> None:
    times: dict[str, int] = {}

    def wavering(path: str, body: dict[str, Any]) -> Reply:
        prompt = body["messages"][0]["content"]
        if "response_format" in body:
            return 200, completion(json.dumps(LABELS))
        times[prompt] = times.get(prompt, 0) + 1
        unsafe = '"wreck"' in prompt and times[prompt] % 2 == 1
        return 200, completion("x", {"unsafe": -0.1, "safe": -3.0} if unsafe else {"safe": -0.1, "unsafe": -3.0})

    with scripted_guard(wavering) as server:
        found = json.loads(run(tmp_path, "--json", "--repeats", "2", url=server.url).stdout)
    assert found["flip_rate"] == pytest.approx(3 / 6)
    assert len(found["rows"]) == len(ROWS)


def test_tokens_are_priced(tmp_path: Path) -> None:
    def cached(path: str, body: dict[str, Any]) -> Reply:
        return 200, completion("x", {"safe": -0.1, "unsafe": -3.0}, prompt=100, cached=60)

    with scripted_guard(cached) as server:
        found = json.loads(run(tmp_path, "--json", "--prices", "1", "0.1", "10", url=server.url).stdout)
    spent = found["spent"]
    assert (spent["prompt_tokens"], spent["cached_tokens"], spent["completion_tokens"]) == (600, 360, 6)
    assert spent["cost"] == pytest.approx((240 * 1 + 360 * 0.1 + 6 * 10) / 1e6)


def test_another_runs_folder_is_not_added_to(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with scripted_guard(answer) as server:
        run(tmp_path, "--out", str(out), url=server.url)
        with pytest.raises(UsageError, match=r"another mode .*name another --out"):
            run(tmp_path, "--out", str(out), "--mode", "every-step", url=server.url)


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    """kill -9 in the middle: the same scores as in one go, and no kept row asked again."""
    rows = [case(n, n % 2, "wreck" if n % 3 else "look") for n in range(40)]
    path, out = tmp_path / "rows.jsonl", tmp_path / "out"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    gate, served = threading.Event(), threading.Semaphore(12)

    def until_killed(path: str, body: dict[str, Any]) -> Reply:
        if not gate.is_set() and not served.acquire(blocking=False):
            gate.wait(60)
        return answer(path, body)

    with scripted_guard(until_killed) as server:
        command = [sys.executable, "-c", "from atbench.cli import main; main()", "run", str(path), "--json"]
        command += ["--guard", f"server:{server.url}?concurrency=2"]
        process = subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        kept = out / "rows.jsonl"
        deadline = time.monotonic() + 60
        while not (kept.exists() and kept.read_bytes().count(b"\n") >= 5):
            assert time.monotonic() < deadline, "no row was kept"
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        gate.set()
        with kept.open("ab") as file:
            file.write(b'{"n": 39, "torn')  # what a kill in the middle of a write leaves
        before = [json.loads(line)["id"] for line in kept.read_bytes().splitlines()[:-1]]
        asked_before = len(server.requests)
        resumed = json.loads(subprocess.run([*command, "--out", str(out)], check=True, capture_output=True).stdout)
        again = [
            body["messages"][0]["content"] for path, body, _ in server.requests[asked_before:] if "messages" in body
        ]
        whole = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert 5 <= len(before) < len(rows)
    for row in before:
        assert not any(f"Task {row}." in prompt for prompt in again), "a kept row was asked again"
    assert {key: resumed[key] for key in ("metrics", "confusion", "axes", "ranking", "rows")} == {
        key: whole[key] for key in ("metrics", "confusion", "axes", "ranking", "rows")
    }


@pytest.mark.slow
def test_two_workers_of_ray_answer_as_one_process_does_row_by_row(tmp_path: Path) -> None:
    """And a run that one engine began is finished by the other, without asking a kept row again."""
    pytest.importorskip("ray", reason="Ray is not installed: make test-all has it")
    rows = [case(n, n % 2, "wreck" if n % 3 else "look") for n in range(30)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    with scripted_guard(answer) as server:

        def results(*extra: str) -> dict[str, Any]:
            command = [sys.executable, "-c", "from atbench.cli import main; main()", "run", str(path), "--json"]
            command += ["--guard", f"server:{server.url}?concurrency=2", "--mode", "every-step", *extra]
            found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            return found

        plain = results()
        out = tmp_path / "out"
        spread = results("--engine", "ray", "--workers", "2", "--out", str(out))
        kept = (out / "rows.jsonl").read_bytes().splitlines(keepends=True)
        (out / "rows.jsonl").write_bytes(b"".join(kept[:20]))
        before = len(asked(server))
        finished = results("--out", str(out))
        assert len(asked(server)) - before == 2 * 10, "two steps of each of ten rows"
    assert len(kept) == 30
    assert spread["rows"] == plain["rows"] == finished["rows"]
    assert spread["metrics"] == plain["metrics"]
    assert spread["run"]["engine"] == "ray"
