"""Models that run here and answer as a served one does: transformers in this process, vLLM in a process beside it."""
