"""The guard server that a benchmark asks: a real vLLM on the CPU, which it starts, or one that runs already."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from agentdog.guards.packs import Pack
from tests.support import vllm_server as vllm

HEAD = "<|im_start|>user\n"  # of the wiring model's template
#: Random weights say anything: nothing may be unsafe, or labels would be asked for and counted.
_NEVER_UNSAFE = "threshold=0.9999999&margin=0&timeout=300"


class Server(NamedTuple):
    """A server, and how it counts."""

    url: str
    client: httpx.Client

    def count(self, text: str) -> int:
        """Tokens of a text."""
        answer = self.client.post(f"{self.url.removesuffix('/v1')}/tokenize", json={"model": "guard", "prompt": text})
        return int(answer.raise_for_status().json()["count"])

    def tail(self, pack: Pack) -> int:
        """Tokens behind the trajectory."""
        head, _, _ = pack.ask("\0").partition("\0")
        messages = [{"role": "user", "content": pack.ask("x")}]
        begun = {"continue_final_message": True, "add_generation_prompt": False} if pack.prefill else {}
        if pack.prefill:
            messages.append({"role": "assistant", "content": pack.prefill})
        asked = {"model": "guard", "messages": messages, **begun}
        whole = self.client.post(f"{self.url.removesuffix('/v1')}/tokenize", json=asked).raise_for_status()
        return int(whole.json()["count"]) - self.count(f"{HEAD}{head}x")

    def metric(self, name: str) -> float:
        """Sums a metric over its labels."""
        return vllm.metric(self.url, name)

    def guard(self, pack: str, in_flight: int) -> str:
        """The URI of the guard that asks this server."""
        return guard_uri(self.url, pack, in_flight)


def guard_uri(url: str, pack: str, in_flight: int) -> str:
    """The URI of a guard that asks the server at this address."""
    return f"server:{url.rstrip('/')}?model=guard&pack={pack}&concurrency={in_flight}&{_NEVER_UNSAFE}"


def add_arguments(parser: argparse.ArgumentParser, otherwise: str = "one on the CPU is started") -> None:
    """Which server is asked, and with how many requests in flight."""
    parser.add_argument(
        "--server",
        metavar="URL",
        help="a vLLM server that runs already and serves its model as `guard` (benchmarks.gpu_server starts one),"
        f" such as http://127.0.0.1:8000/v1; without it {otherwise}",
    )
    parser.add_argument("--in-flight", type=int, default=8, help="requests under way at once (default: 8, the guard's)")


@contextmanager
def guard_server(url: str | None, kind: str | None = None) -> Iterator[Server]:
    """Gives the server of this address, or starts one on the CPU with a wiring model of this kind."""
    if url is not None:
        with httpx.Client(timeout=120) as client:
            yield Server(url.rstrip("/"), client)
        return
    if why := vllm.missing():
        raise SystemExit(why)
    with tempfile.TemporaryDirectory() as folder:
        model = vllm.model(Path(folder) / "model", kind)
        with vllm.vllm_server(model, Path(folder) / "log") as running, httpx.Client(timeout=120) as client:
            yield Server(running.url, client)
