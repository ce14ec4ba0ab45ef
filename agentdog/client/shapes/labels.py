"""The taxonomy: labels with their names for people."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from agentdog.client.shapes.verdicts import Axis


class TaxonomyGroup(TypedDict):
    """A heading over labels."""

    id: str
    name: str
    definition: str
    aliases: NotRequired[list[str]]


class TaxonomyLabel(TypedDict):
    """A label: its id in data, its name and definition for people; no `group` on an axis without groups."""

    id: str
    name: str
    definition: str
    group: NotRequired[str]
    aliases: NotRequired[list[str]]
    also_in: NotRequired[list[str]]


class TaxonomyAxis(TypedDict):
    """One axis: `question` is Where, How or What."""

    id: Axis
    question: str
    name: str
    definition: str
    headings: list[str]
    groups: list[TaxonomyGroup]
    labels: list[TaxonomyLabel]


class Taxonomy(TypedDict):
    """The three axes in one version; `overlay` says which labels beyond the base are in it."""

    overlay: str
    version: str
    axes: list[TaxonomyAxis]
