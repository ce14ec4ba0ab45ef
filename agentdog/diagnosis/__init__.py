"""From verdicts to a diagnosis: which prefixes to judge, incidents, the sentence that a person reads."""

from agentdog.diagnosis.analysis import Analysis
from agentdog.diagnosis.cache import MemoryCache, VerdictCache, lasting
from agentdog.diagnosis.calibration import Calibration, calibrate
from agentdog.diagnosis.engine import Look, diagnose, look, unsettled
from agentdog.diagnosis.incidents import find_incidents
from agentdog.diagnosis.model import Diagnosis, EarlierVerdict, Incident, Review, StepVerdict
from agentdog.diagnosis.plan import Policy, steps_to_judge
from agentdog.diagnosis.terms import Terms
from agentdog.diagnosis.tuning import Alerting, Basis, Replay, Threshold, Tuning, in_effect, replay

__all__ = [
    "Alerting",
    "Analysis",
    "Basis",
    "Calibration",
    "Diagnosis",
    "EarlierVerdict",
    "Incident",
    "Look",
    "MemoryCache",
    "Policy",
    "Replay",
    "Review",
    "StepVerdict",
    "Terms",
    "Threshold",
    "Tuning",
    "VerdictCache",
    "calibrate",
    "diagnose",
    "find_incidents",
    "in_effect",
    "lasting",
    "look",
    "replay",
    "steps_to_judge",
    "unsettled",
]
