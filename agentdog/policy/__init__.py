"""What people decided beforehand about calls: rules over tool, arguments, provenance and effect."""

from agentdog.policy.background import Background, Pending
from agentdog.policy.load import load, parse, to_yaml
from agentdog.policy.match import decide, fits
from agentdog.policy.model import EMPTY, ArgumentTest, Decision, Policy, ProvenanceTest, Rule
from agentdog.policy.past import Call, Trial, calls, try_on
from agentdog.policy.remedy import Remedy, propose
from agentdog.policy.write import add

__all__ = [
    "EMPTY",
    "ArgumentTest",
    "Background",
    "Call",
    "Decision",
    "Pending",
    "Policy",
    "ProvenanceTest",
    "Remedy",
    "Rule",
    "Trial",
    "add",
    "calls",
    "decide",
    "fits",
    "load",
    "parse",
    "propose",
    "to_yaml",
    "try_on",
]
