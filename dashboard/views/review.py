"""What waits for a person's word, the rules that spare him some, and what is learned from him."""

from __future__ import annotations

from dashboard.views import learned, parts, queue, rules

PARTS = {"Queue": queue.render, "Suppression rules": rules.render, "Learned": learned.render}


def render() -> None:
    """Draws the part that is open; the others are fetched when opened."""
    parts.draw(PARTS)
