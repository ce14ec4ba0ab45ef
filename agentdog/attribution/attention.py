"""Where a model looks while it writes the explained words: attention rollout (Abnar and Zuidema, arXiv 2005.00928).

Heads are averaged, half of each layer is its residual stream, and the product over layers is followed back from the
explained tokens. A second opinion and no proof: attention shows what was read, not what it changed. The share that
lands on the template's own tokens and on the first token (where models park attention) is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LIMIT = 4096  # tokens: every layer's map is kept at once, 2 bytes an entry


def rollout(model: Any, tokens: Sequence[int], target: tuple[int, int]) -> list[float] | None:  # noqa: ANN401 - of transformers
    """Returns each token's share of the attention that reaches the text from the target's tokens.

    Args:
        model: of transformers; its attention is computed plainly for this call.
        tokens: of the conversation, up to the target's end.
        target: the explained words' tokens, [start, end).

    Returns:
        One share a token, summing up to 1; ``None`` when the text is longer than `LIMIT` or the model shows none.
    """
    import torch

    start, end = target
    if len(tokens) > LIMIT or start < 1:
        return None
    maps = _maps(model, tokens)
    if not maps:
        return None
    reach = torch.zeros(len(tokens))
    reach[start - 1 : end - 1] = 1.0 / (end - start)
    for layer in reversed(maps):
        reach = 0.5 * reach + 0.5 * (reach @ layer.float())
    return [float(share) for share in reach]


def _maps(model: Any, tokens: Sequence[int]) -> list[Any]:  # noqa: ANN401
    import torch

    maps: list[Any] = []

    def keep(_module: Any, _given: Any, made: Any) -> Any:  # noqa: ANN401
        if not isinstance(made, tuple) or len(made) < 2 or made[1] is None:
            return made
        maps.append(made[1][0].mean(0).half().cpu())
        return (made[0], None, *made[2:])

    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    hooks = [m.register_forward_hook(keep) for name, m in model.named_modules() if name.endswith("self_attn")]
    try:
        with torch.inference_mode():
            model(torch.tensor([list(tokens)], device=model.device), use_cache=False, logits_to_keep=1)
    finally:
        for hook in hooks:
            hook.remove()
        model.set_attn_implementation(before)
    return maps


def shares(reach: Sequence[float], places: Sequence[tuple[int, int] | None]) -> list[float]:
    """Sums up by piece of text: over all pieces 1, or 0 where nothing reaches them; the first token is left out."""
    sums = [sum(reach[max(place[0], 1) : place[1]]) if place is not None else 0.0 for place in places]
    total = sum(sums)
    return [value / total if total > 0 else 0.0 for value in sums]
