"""What a page shows when there is nothing yet: how to point an agent here."""

from __future__ import annotations

import streamlit as st

from dashboard import source

_ENVIRONMENT = """\
export OTEL_EXPORTER_OTLP_ENDPOINT=%s
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true
"""


def no_runs() -> None:
    """Explains how the first run gets here."""
    with st.container(border=True):
        st.subheader("No agent has reported yet")
        st.markdown(
            "Any agent that emits OpenTelemetry can report here. Set these where the agent runs, and start it; "
            "its run appears on this page while it is still going on."
        )
        st.code(_ENVIRONMENT % source.otlp_endpoint(), language="bash")
        st.markdown("No agent at hand? `agentdog demo` runs a small one, once honest and once led astray.")
