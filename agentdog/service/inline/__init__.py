"""The inline check: may this call be made? An answer within the caller's deadline, whatever fails."""

from agentdog.service.inline.engine import Checker
from agentdog.service.inline.model import Action, Answer, Asked, By
from agentdog.service.inline.rules import PolicyFile

__all__ = ["Action", "Answer", "Asked", "By", "Checker", "PolicyFile"]
