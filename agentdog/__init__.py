"""AgentDoG sidecar: rebuilds agent trajectories from OpenTelemetry and says which step went wrong, and why."""

from pathlib import Path

__version__ = "0.1.0"

# `agentdog.client` is a distribution of its own (agentdog-client), whose files lie beside this one. Our wheel carries
# the same files below `_bundled`: no two distributions own one file, and ours are those our commands were tried with.
__path__.insert(0, str(Path(__file__).parent / "_bundled"))
