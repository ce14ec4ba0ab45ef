"""What people decided beforehand about calls: rules over tool, arguments, provenance and effect."""

from agentdog.policy.background import Background, Pending
from agentdog.policy.load import load, parse, to_yaml
from agentdog.policy.match import decide, fits
from agentdog.policy.model import EMPTY, ArgumentTest, Decision, Policy, ProvenanceTest, Rule

__all__ = [
    "EMPTY",
    "ArgumentTest",
    "Background",
    "Decision",
    "Pending",
    "Policy",
    "ProvenanceTest",
    "Rule",
    "decide",
    "fits",
    "load",
    "parse",
    "to_yaml",
]
