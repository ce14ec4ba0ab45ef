"""Runs of random words for guards that are asked in bulk."""

from __future__ import annotations

import random

from agentdog.trajectory import Agent, Header, Step, ToolCall

HEADER = Header(agents={"": Agent(system="You manage e-mail.")})


def run_of(seed: int) -> list[Step]:
    """A short run of random words, as different from the next as random words are."""
    rng = random.Random(seed)
    words = ["mail", "delete", "transfer", "password", "naïve", "完了", "rm -rf", "{}", "ok", "safe", "unsafe"]
    steps = [Step(id="s0", index=0, role="user", content=" ".join(rng.choices(words, k=12)), sources=("t:0",))]
    for index in range(1, rng.randrange(2, 5)):
        call = ToolCall(id=f"c{index}", name=rng.choice(["read", "send", "pay"]), arguments={"x": rng.choice(words)})
        steps.append(Step(id=f"s{index}", index=index, role="agent", tool_calls=(call,), sources=(f"t:{index}",)))
    return steps
