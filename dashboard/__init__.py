"""The debugger: Streamlit pages over the HTTP API, never over Redis.

Invariant: text that an agent, its tools or its telemetry wrote is shown as text, by components that set ``textContent``
only; it never reaches Markdown, HTML or a URL.
"""

from dashboard.launch import ENTRANCE, SCRIPT, command

__all__ = ["ENTRANCE", "SCRIPT", "command"]
