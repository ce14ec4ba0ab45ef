"""Hooks that make an agent ask before it acts, one module per framework; each imports its framework only when used.

Invariants, held by tests in the real frameworks: a call that is not let through is never run; the model is told why and
the run goes on; an answer comes by the gate's deadline.
"""
