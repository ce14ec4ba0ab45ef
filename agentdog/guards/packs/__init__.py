"""Packs: prompt, parser, decoding and layout of one family of guard models, as data (``data/*.yaml``)."""

from agentdog.guards.packs.loader import GENERIC, choose, find, fits, fitting_pack, known, shipped
from agentdog.guards.packs.model import Labelling, Pack

__all__ = ["GENERIC", "Labelling", "Pack", "choose", "find", "fits", "fitting_pack", "known", "shipped"]
