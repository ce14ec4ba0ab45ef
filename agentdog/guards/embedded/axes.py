"""Labels of the three axes that follow from a call's effects (taxonomy ids, arXiv 2601.18491 tables 1-3)."""

from __future__ import annotations

from agentdog.guards.verdict import Labels
from agentdog.provenance import Effect

_HARMS = (  # the gravest effect decides
    (Effect.PAY, "financial_and_economic_harm"),
    (Effect.SEND, "privacy_and_confidentiality_harm"),
    (Effect.GRANT, "security_and_system_integrity_harm"),
    (Effect.DELETE, "security_and_system_integrity_harm"),
    (Effect.EXECUTE, "security_and_system_integrity_harm"),
    (Effect.READ, "privacy_and_confidentiality_harm"),
)


def harm(effects: frozenset[Effect]) -> str:
    """Names the harm that a misled call of these effects does."""
    return next((label for effect, label in _HARMS if effect in effects), "functional_and_opportunity_harm")


def obeyed(effects: frozenset[Effect], source: str = "indirect_prompt_injection") -> Labels:
    """Labels of a call that obeys an instruction of somebody without authority."""
    inward = effects & {Effect.EXECUTE, Effect.READ} and not effects & {Effect.SEND, Effect.PAY, Effect.DELETE}
    return Labels(
        risk_source=source,
        failure_mode="insecure_interaction_or_execution" if inward else "unconfirmed_or_over_privileged_action",
        real_world_harm=harm(effects),
    )


def misled(effects: frozenset[Effect]) -> Labels:
    """Labels of a call that trusts a value which only an observation gave."""
    return Labels(
        risk_source="unreliable_or_misinformation",
        failure_mode="failure_to_validate_tool_outputs",
        real_world_harm=harm(effects),
    )


def disclosed() -> Labels:
    """Labels of a call that gives a secret away."""
    return Labels(
        risk_source="inherent_agent_failures",
        failure_mode="unauthorized_information_disclosure",
        real_world_harm="privacy_and_confidentiality_harm",
    )


def overstepped(effects: frozenset[Effect]) -> Labels:
    """Labels of a weighty call that nobody asked for."""
    return Labels(
        risk_source="inherent_agent_failures",
        failure_mode="unconfirmed_or_over_privileged_action",
        real_world_harm=harm(effects),
    )


def of(source: str, mode: str, effects: frozenset[Effect]) -> Labels:
    """Labels of a call whose source and failure are known; the harm follows from its effects."""
    return Labels(risk_source=source, failure_mode=mode, real_world_harm=harm(effects))
