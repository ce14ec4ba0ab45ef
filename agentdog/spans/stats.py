"""What became of telemetry, per instrumentation: understood, without content, unknown; with the mend for each.

Nothing that arrives is dropped in silence: whoever wonders why a run is blind finds its scope here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from agentdog.spans import dialects
from agentdog.spans.listen import evidence_of
from agentdog.spans.records import Log, Record

_GENAI = "set OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true"
_TRACELOOP = "set TRACELOOP_TRACE_CONTENT=true"
#: Scope prefix → what makes that instrumentation carry content; the longest prefix that fits wins.
_MENDS = {
    "opentelemetry.instrumentation.genai": f"{_GENAI} (span_only) and "
    "OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental",
    "opentelemetry.instrumentation.openai_v2": _GENAI,
    "opentelemetry.instrumentation.openai_agents": _GENAI,
    "opentelemetry.util.genai": f"{_GENAI.removesuffix('true')}span_only and "
    "OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental",
    "opentelemetry.instrumentation.genai.smolagents": "use openinference-instrumentation-smolagents: "
    "this one tells runs only",
    "opentelemetry.instrumentation.genai.openai_agents": "install opentelemetry-instrumentation-genai-openai as well: "
    "the model's spans come from there",
    "opentelemetry.instrumentation": _TRACELOOP,
    "traceloop": _TRACELOOP,
    "openinference": "unset OPENINFERENCE_HIDE_INPUTS, OPENINFERENCE_HIDE_OUTPUTS and their _MESSAGES and _TEXT kin",
    "pydantic-ai": "pass InstrumentationSettings(include_content=True)",
    "agent_framework": "set ENABLE_SENSITIVE_DATA=true",
    "semantic_kernel": "set SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE=true",
    "gcp.vertex.agent": "set ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS=true or "
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true",
    "com.anthropic.claude_code": "set OTEL_LOG_USER_PROMPTS=1, OTEL_LOG_TOOL_DETAILS=1, OTEL_LOG_TOOL_CONTENT=1, "
    "or OTEL_LOG_RAW_API_BODIES=1 for everything",
    "codex": "set log_user_prompt = true under [otel] in config.toml; Codex exports no assistant text",
    "autogen": "install openinference-instrumentation-autogen-agentchat: AutoGen's own spans carry no messages",
    "com.anthropic.sdk": "install an instrumentation of the Anthropic SDK: its own spans carry no messages",
    "ai": "set recordInputs and recordOutputs to true in experimental_telemetry",
    "openlit": "pass capture_message_content=True to openlit.init",
    "haystack": "set HAYSTACK_CONTENT_TRACING_ENABLED=true",
    "langsmith": "set LANGSMITH_HIDE_INPUTS=false and LANGSMITH_HIDE_OUTPUTS=false",
    "mcp": "install openinference-instrumentation-mcp beside an instrumentation of the agent",
}


class ScopeStats(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Counts of one instrumentation's records.

    Attributes:
        understood: messages, calls or results were read.
        without_content: known to be a model's, tool's or agent's span, but its content was left out.
        unknown: nothing about an agent was found.
    """

    scope: str
    understood: int = 0
    without_content: int = 0
    unknown: int = 0
    reason: str | None = None
    mend: str | None = None


def content_stats(records: Iterable[Record]) -> tuple[ScopeStats, ...]:
    """Counts records per scope, in order of scope, with the reason and the mend where something is lacking."""
    known = list(records)
    counts: dict[str, Counter[str]] = {}
    told: set[str] = set()
    for source, evidence in evidence_of(known):
        reading = dialects.read(evidence)
        state = "unknown"
        if reading.speaks or reading.result is not None or (reading.call is not None and reading.call.known):
            state = "understood"
            told.add(source)
        elif reading.kind in ("model", "tool"):
            state = "without_content"
        if evidence.span is not None:
            counts.setdefault(evidence.span.scope, Counter())[state] += 1
    told |= dialects.streamed(known)
    for record in known:
        if isinstance(record, Log):
            understood = record.id in told or f"{record.trace_id}:{record.span_id}" in told
            counts.setdefault(record.scope, Counter())["understood" if understood else "unknown"] += 1
    return tuple(_stats(scope, counted) for scope, counted in sorted(counts.items()))


def mends() -> dict[str, str]:
    """Returns what makes each instrumentation carry content, by the beginning of its scope's name."""
    return dict(_MENDS)


def mend_of(scope: str) -> str | None:
    """Returns what makes an instrumentation carry content; None when we know of nothing."""
    fitting = [
        prefix for prefix in _MENDS if scope == prefix or scope.startswith((f"{prefix}.", f"{prefix}-", f"{prefix}_"))
    ]
    return _MENDS[max(fitting, key=len)] if fitting else None


def _stats(scope: str, counted: Counter[str]) -> ScopeStats:
    reason = mend = None
    if counted["without_content"]:
        reason = "no message content"
        mend = mend_of(scope) or "switch on the capture of message content in this instrumentation"
    elif not counted["understood"]:
        mend = mend_of(scope)
        reason = "no agent convention that is known here" if mend is None else "no message content"
    return ScopeStats(
        scope=scope,
        understood=counted["understood"],
        without_content=counted["without_content"],
        unknown=counted["unknown"],
        reason=reason,
        mend=mend,
    )
