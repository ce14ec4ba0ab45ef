"""What the user asked for, as far as words tell: effects, names, delegation, consent, pressure, harm.

Invariant: it only grows. What a user confirms he asks for: an agent's proposal, answered with a yes, joins the request.
"""

from __future__ import annotations

from agentdog.guards.embedded.catalogue import Catalogue
from agentdog.guards.embedded.forking import forked
from agentdog.guards.embedded.instructions import stems, telling
from agentdog.provenance import Effect, EffectCatalogue
from agentdog.provenance.values import words


class Request:
    """The user's words so far. Where there is no user, the system prompt is the request."""

    def __init__(self, effects: EffectCatalogue, catalogue: Catalogue) -> None:
        self._effects = effects
        self._catalogue = catalogue
        self._asked: frozenset[Effect] = frozenset()
        self._words: set[str] = set()
        self._typed: list[str] = []
        self.stems: set[str] = set()
        self.known = False
        self.delegated = False
        self.pressure: str | None = None
        self.harm: dict[str, str] = {}

    def fork(self) -> Request:
        """Returns a copy that grows on its own."""
        return forked(self)

    def frame(self, system: str) -> None:
        """Takes in a system prompt: it may press the agent, and asks for nothing by itself."""
        self._press(system)

    def add(self, text: str) -> None:
        """Adds what the user said, or what he agreed to."""
        if not text.strip():
            return
        self.known = True
        self._asked |= self._effects.asked(text)
        self._words.update(words(text))
        self._typed.append(" ".join(text.split()).lower())
        self.stems |= stems(text)
        self.delegated = self.delegated or bool(self._effects.delegation.search(text))
        self._press(text)
        self._weigh(text)

    def hand_over(self, text: str) -> None:
        """Adds what the user pointed at and told the agent to carry out: its harm and pressure are the request's."""
        self._press(text)
        self._weigh(text)

    def _weigh(self, text: str) -> None:
        for name, pattern in self._catalogue.harm.items():
            if name not in self.harm and (match := pattern.search(text)):
                self.harm[name] = text[max(0, match.start() - 60) : match.end() + 60].strip()

    def _press(self, text: str) -> None:
        if self.pressure is None and (match := self._catalogue.talk["presses"].search(text)):
            self.pressure = text[max(0, match.start() - 40) : match.end() + 80].strip()

    def confirms(self, text: str) -> bool:
        """Says whether a user's answer is a yes."""
        return bool(self._effects.confirmation.search(text))

    def asks(self, effect: Effect) -> bool:
        """Whether the user asked for such an effect, or left the say to what the agent reads."""
        return self.delegated or effect in self._asked

    def unasked(self, effects: frozenset[Effect]) -> frozenset[Effect]:
        """Effects that change the world and that nobody asked for; none where the request is not known."""
        if not self.known:
            return frozenset()
        return frozenset(e for e in effects if e is not Effect.READ and not self.asks(e))

    def names(self, destination: str) -> bool:
        """Whether the user's words point at a destination: all of it, or a telling part (``alice`` of an address)."""
        plain = " ".join(destination.split()).lower()
        if len(plain) >= 3 and any(plain in said for said in self._typed):
            return True
        return any(part in self._words for part in words(plain.split("@", 1)[0]) if len(part) >= 3)

    def typed(self, text: str) -> bool:
        """Whether the user wrote these very words."""
        plain = " ".join(text.split()).lower()
        return any(plain in said for said in self._typed)

    def speaks(self, *said: str) -> bool:
        """Whether the user used any of these words."""
        return any(word in self._words for word in said)

    def new_words(self, text: str) -> frozenset[str]:
        """Telling words that the user did not use."""
        return telling(text) - self._words
