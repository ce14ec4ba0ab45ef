"""A real vLLM server on the CPU with the wiring model, run by the environment that ``make .venv-vllm/done`` sets up."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.support import wiring_model
from tests.support.ports import closed_port

PYTHON = Path(__file__).parents[2] / ".venv-vllm" / "bin" / "python"
CONTEXT = 8192
BLOCK = 32  # tokens per block of the prefix cache; only whole blocks are ever found again
_START_S = 420.0  # importing torch takes a minute on one busy core


class Running(NamedTuple):
    """A server that answers, and its process group's leader."""

    url: str
    process: subprocess.Popen[bytes]

    def metric(self, name: str) -> float:
        """Sums a metric over its labels."""
        return metric(self.url, name)

    def kill(self) -> None:
        """Ends the server, its engine and its workers at once."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def metric(url: str, name: str) -> float:
    """Sums a metric of the server at an address over its labels."""
    text = httpx.get(url.removesuffix("/v1") + "/metrics", timeout=20).text
    lines = [line for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def missing() -> str | None:
    """Says why there is no vLLM here; ``None`` when there is."""
    if not (PYTHON.parents[1] / "done").exists():
        return "no vLLM here: make .venv-vllm/done (pip must find torch's CPU build; PIP_FIND_LINKS may name its place)"
    return None


def model(folder: Path, kind: str | None = None) -> Path:
    """Makes the wiring model, or one of another kind, with the server's own interpreter."""
    command = [PYTHON, wiring_model.__file__, folder, *([kind] if kind else [])]
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=300)
    return folder / kind if kind else folder


@contextmanager
def vllm_server(model_path: Path, log: Path, *extra: str) -> Iterator[Running]:
    """Runs the server until the block ends; raises `RuntimeError` with the end of its log when it does not start."""
    port = closed_port()
    command = [
        *(PYTHON.with_name("vllm"), "serve", model_path, "--served-model-name", "guard"),
        *("--host", "127.0.0.1", "--port", port, "--dtype", "float32", "--max-model-len", CONTEXT, "--enforce-eager"),
        *("--enable-prompt-tokens-details", "--block-size", BLOCK, "--max-num-seqs", 8),
        *("--scheduling-policy", "priority", *extra),
    ]
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with log.open("wb") as out:
        # Its threads spin while they wait: what else runs on the machine goes first.
        process = subprocess.Popen(
            ["nice", *map(str, command)], env=environment, stdout=out, stderr=out, process_group=0
        )
    running = Running(f"http://127.0.0.1:{port}/v1", process)
    try:
        _await(running, log)
        yield running
    finally:
        running.kill()


def _await(running: Running, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and running.process.poll() is None:
        try:
            if httpx.get(running.url.removesuffix("/v1") + "/health", timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.5)
    raise RuntimeError(f"vLLM did not start:\n{log.read_text(errors='replace')[-2000:]}")
