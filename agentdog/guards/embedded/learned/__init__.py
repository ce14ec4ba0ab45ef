"""Learning from a project's own reviewed runs; what is learned is read without any library."""

from agentdog.guards.embedded.learned.guard import LearnedGuard
from agentdog.guards.embedded.learned.model import Figures, Learned, Measure, decode, encode

__all__ = ["Figures", "Learned", "LearnedGuard", "Measure", "decode", "encode"]
