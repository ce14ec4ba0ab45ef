"""Why: which earlier step, and which sentence in it, drove an action or moved a guard's verdict."""

from agentdog.attribution.asked import Asked, Way, key_of
from agentdog.attribution.result import Attribution, Cost, Mode, SentenceScore, StepScore, Target

__all__ = [
    "Asked",
    "Attribution",
    "Cost",
    "Mode",
    "SentenceScore",
    "StepScore",
    "Target",
    "Way",
    "key_of",
]
