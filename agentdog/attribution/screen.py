"""A cheap guess at which steps matter for an action: rare words that it shares with them, where they came first.

No model is asked. A word counts the more the fewer steps hold it, and for the step that brought it in (later ones
repeat it: their likelihood gain is small, since the model can copy already).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

_WORD = re.compile(r"[\w@.:/-]*\w")
_REPEATED = 0.2  # share of a word's weight for steps that only repeat it


def screen(texts: Sequence[str], target: str) -> list[float]:
    """Returns one guess a text, none below 0; only their order means anything."""
    words = [set(map(str.lower, _WORD.findall(text))) for text in texts]
    wanted = set(map(str.lower, _WORD.findall(target)))
    holders = {word: [at for at, held in enumerate(words) if word in held] for word in wanted}
    scores = [0.0] * len(texts)
    for word, places in holders.items():
        weight = math.log(1 + len(texts) / len(places)) * math.log(1 + len(word)) if places else 0.0
        for at in places:
            scores[at] += weight * (1.0 if at == places[0] else _REPEATED)
    return scores


def shortened(text: str, characters: int) -> str:
    """Returns the beginning of a text that is not attributed, and a sign that more was there."""
    return text if len(text) <= characters else f"{text[:characters].rstrip()} …"
