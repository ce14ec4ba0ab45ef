"""Key names: what lies where in Redis.

Every key carries one of 64 partition hash tags ``{pNN}``, so that what must change together lies in one Redis Cluster
slot and nothing else needs to. The tag comes before any text of the outside, since Redis takes the first braces.

========================================  ====================================================================
key (``ad:{pNN}:…``)                      what
========================================  ====================================================================
``records:PROJECT:UNIT``                  hash: record id (in short) → packed record, or what it adds to another
``joins:PROJECT:UNIT``                    text: join keys of the unit, eight bytes each
``join:PROJECT``                          hash: join key → the units that share it, eight bytes each (by join key)
``units:PROJECT``                         hash: a unit's eight bytes → its name
``count:PROJECT``                         hash: received, stored, duplicate, rejected of this partition
``refused:PROJECT``                       stream: the newest refused records, and why (partition of the project)
``work``, ``dirty``, ``dead``             stream of changed units; units waiting in it; units given up
``judge``, ``judge-dirty``, …             the same for changed trajectories that wait to be judged
``send``, ``send-dirty``, …               the same for what is to be sent: alerts, verdicts
``deliveries:PROJECT:ID``                 hash: delivery id → what became of a message about a trajectory
``told:PROJECT:ID``                       hash: step id → mark of the verdict that was sent
``sent:PROJECT``, ``unsent:PROJECT``      sorted sets of deliveries by the time of the last try
``ages``                                  sorted set of the partition's units by the time of the newest record
``verdicts-of:PROJECT:ID``                set: which verdicts a trajectory asked for
``traj:PROJECT:ID``                       hash: one trajectory, its diagnosis, what a list shows of it
``ids:PROJECT``                           hash: any id (eight bytes) → trajectory id (by id)
``rows:PROJECT``, ``index:PROJECT:FACET`` hash and sorted sets of the list (partition of the project)
``names:PROJECT``                         set of agents and tools that occur, as facets
``posting:PROJECT:WORD``                  text: trajectories that hold a word, eight bytes each (by word)
``vocabulary:PROJECT``, ``named:PROJECT`` sorted set of words; hash: eight bytes → an id that is not of our making
``versions:PROJECT:ID``                   list: what earlier diagnoses of a trajectory said, newest first
``reviews:PROJECT:ID``                    hash: review id → what a person, or a suppression rule, said of the run
``analyses:PROJECT:ID``                   hash: step id → what a guard wrote about it
``attributions:PROJECT:ID``               hash: target and step id → which text moved the action or the verdict
``reviewed:PROJECT``                      sorted set of reviewed runs by the time of the last review
``suppressions:PROJECT``                  hash: suppression rules; ``suppressed…``: how often each applied, and last
``verdict:PROJECT:GUARD:KEY``             one verdict by prefix key
``lease:PROJECT:GUARD:KEY``               who is asking for it just now
``feed``, ``due``, ``projects``           partition 0: event stream, what to look at again, names of projects
``tokens``, ``audit``                     partition 0: bearer tokens (hashed), who read or reviewed what
``figures``, ``tunings``, ``spent:MINUTE`` partition 0: counters, decisions about alerts, guards' tokens by project
``progress``                              partition 0: hash: lane → when something of it was finished last, in ms
``send-rate:TARGET:MINUTE``               partition 0: messages to one place in one minute
``calibrations``                          partition 0: hash: guard → its threshold on the maximum over steps
``recent:SLOT``                           partition 0: hash: some counters of ten seconds
``saved-views``                           partition 0: hash: project and name → filters of the list
``indexed``                               partition 0: text: the newest index of the list that all its rows stand in
``learned:PROJECT``                       hash: models that were learned, by version; how they stand
``novelty:PROJECT:VERSION``               list: the newest runs, and how new their words are to that model
========================================  ====================================================================
"""

from __future__ import annotations

from typing import Literal
from zlib import crc32

from agentdog.base.ids import digest
from agentdog.base.remembered import remembered

#: Units of telemetry wait to be woven, trajectories to be judged, messages to be sent, analyses and attributions to be
#: made; no lane waits for another.
Lane = Literal["weave", "judge", "send", "explain"]

PARTITIONS = 64
_SHARDS = (
    16  # of the partitions hold what leads to trajectories and units: many small hashes cost more than their content
)
GROUP = "weave"

_READABLE = 128
_CACHED = 1 << 13  # names are asked for again within the same unit of work, and those of indexes for every run

#: Pattern of all units' records.
ALL_RECORDS = "ad:{p*}:records:*"
FEED = "ad:{p00}:feed"
PROJECTS = "ad:{p00}:projects"
FIGURES = "ad:{p00}:figures"
TUNINGS = "ad:{p00}:tunings"
CALIBRATIONS = "ad:{p00}:calibrations"
TOKENS = "ad:{p00}:tokens"
AUDIT = "ad:{p00}:audit"
PROGRESS = "ad:{p00}:progress"
SAVED_VIEWS = "ad:{p00}:saved-views"
INDEXED = "ad:{p00}:indexed"


@remembered(_CACHED, longest=_READABLE)
def partition(*parts: str) -> int:
    """Returns the partition of what these parts name; stable for ever, since data lies by it."""
    return crc32("\0".join(parts).encode("utf-8", "surrogatepass")) % PARTITIONS


def shard(*parts: str) -> int:
    """Returns the partition, one of few, where the indexes have what these parts name."""
    return partition(*parts) // (PARTITIONS // _SHARDS) * (PARTITIONS // _SHARDS)


@remembered(_CACHED, longest=_READABLE)
def key(number: int, *parts: str) -> str:
    """Joins a key in one partition; a part too long to read is replaced by its digest."""
    return f"ad:{{p{number:02}}}:" + ":".join(p if len(p) <= _READABLE else digest(p) for p in parts)


def records(project: str, unit: str) -> str:
    """Hash of a unit's records."""
    return key(partition(project, unit), "records", project, unit)


def joins(project: str, unit: str) -> str:
    """Text of a unit's join keys."""
    return key(partition(project, unit), "joins", project, unit)


def join(project: str, field: bytes) -> str:
    """Hash that leads from join keys to units."""
    return key(shard(project, field.hex()), "join", project)


def units(project: str, field: bytes) -> str:
    """Hash that leads from units in short to their names."""
    return key(shard(project, field.hex()), "units", project)


def ages(number: int) -> str:
    """Sorted set of one partition's units by age."""
    return key(number, "ages")


def verdicts_of(project: str, trajectory_id: str) -> str:
    """Set of the verdicts that one trajectory asked for, beside it."""
    return key(partition(project, trajectory_id), "verdicts-of", project, trajectory_id)


def held(name: str) -> str:
    """The right to do what one process does at a time."""
    return key(0, "held", name)


def count(number: int, project: str) -> str:
    """Hash of one partition's counters of a project."""
    return key(number, "count", project)


def refused(project: str) -> str:
    """Stream of a project's refused records."""
    return key(partition(project), "refused", project)


def work(number: int, lane: Lane = "weave") -> str:
    """Stream of changed units."""
    return key(number, "work" if lane == "weave" else lane)


def dirty(number: int, lane: Lane = "weave") -> str:
    """Set of units that wait in the work stream already."""
    return key(number, "dirty" if lane == "weave" else f"{lane}-dirty")


def dead(number: int, lane: Lane = "weave") -> str:
    """Stream of units given up."""
    return key(number, "dead" if lane == "weave" else f"{lane}-dead")


def due(lane: Lane = "weave") -> str:
    """Sorted set of units to look at again."""
    return key(0, "due" if lane == "weave" else f"{lane}-due")


def trajectory(project: str, trajectory_id: str) -> str:
    """Hash of one trajectory."""
    return key(partition(project, trajectory_id), "traj", project, trajectory_id)


def ids(project: str, any_id: str) -> str:
    """Hash that tells which trajectory an id belongs to."""
    return key(shard(project, any_id), "ids", project)


def all_ids(project: str) -> list[str]:
    """All hashes that tell which trajectories a project's ids belong to."""
    return [key(number, "ids", project) for number in range(0, PARTITIONS, PARTITIONS // _SHARDS)]


def rows(project: str) -> str:
    """Hash of a project's list rows."""
    return key(partition(project), "rows", project)


def index(project: str, facet: str) -> str:
    """Sorted set of a project's trajectories with one facet, by start time in microseconds."""
    return key(partition(project), "index", project, facet)


def posting(project: str, word: str) -> str:
    """Trajectories that hold a word."""
    return key(partition(project, word), "posting", project, word)


def vocabulary(project: str) -> str:
    """Sorted set of a project's words."""
    return key(partition(project), "vocabulary", project)


def named(project: str) -> str:
    """Hash that leads from eight bytes to a trajectory's id, where that is not made of them."""
    return key(partition(project), "named", project)


def versions(project: str, trajectory_id: str) -> str:
    """List of what earlier diagnoses of a trajectory said."""
    return key(partition(project, trajectory_id), "versions", project, trajectory_id)


def names(project: str) -> str:
    """Set of facets with a name: agents and tools that occur."""
    return key(partition(project), "names", project)


def reviews(project: str, trajectory_id: str) -> str:
    """Hash of what was said of one trajectory, beside it."""
    return key(partition(project, trajectory_id), "reviews", project, trajectory_id)


def analyses(project: str, trajectory_id: str) -> str:
    """Hash of what guards wrote about one trajectory, beside it."""
    return key(partition(project, trajectory_id), "analyses", project, trajectory_id)


def attributions(project: str, trajectory_id: str) -> str:
    """Hash of why a run's steps came about, beside it."""
    return key(partition(project, trajectory_id), "attributions", project, trajectory_id)


def reviewed(project: str) -> str:
    """Sorted set of a project's reviewed trajectories, by time in microseconds."""
    return key(partition(project), "reviewed", project)


def suppressions(project: str) -> str:
    """Hash of a project's suppression rules."""
    return key(partition(project), "suppressions", project)


def suppressed(project: str) -> str:
    """Hash that counts what each suppression rule dismissed."""
    return key(partition(project), "suppressed", project)


def suppressed_last(project: str) -> str:
    """Hash of the last time each suppression rule dismissed something."""
    return key(partition(project), "suppressed-last", project)


def verdict(project: str, guard: str, prefix: str) -> str:
    """One verdict."""
    return key(partition(project, prefix), "verdict", project, guard, prefix)


def lease(project: str, guard: str, prefix: str) -> str:
    """The right to ask for one verdict."""
    return key(partition(project, prefix), "lease", project, guard, prefix)


def deliveries(project: str, trajectory_id: str) -> str:
    """Hash of what became of messages about one trajectory, beside it."""
    return key(partition(project, trajectory_id), "deliveries", project, trajectory_id)


def told(project: str, trajectory_id: str) -> str:
    """Hash of the verdicts of one trajectory that were sent, beside it."""
    return key(partition(project, trajectory_id), "told", project, trajectory_id)


def sent(project: str) -> str:
    """Sorted set of a project's deliveries."""
    return key(partition(project), "sent", project)


def unsent(project: str) -> str:
    """Sorted set of a project's deliveries that wait or were given up."""
    return key(partition(project), "unsent", project)


def send_rate(target: str, minute: int) -> str:
    """Counter of the messages to one place in one minute."""
    return key(0, "send-rate", target, str(minute))


def spent(minute: int) -> str:
    """Hash of the tokens that guards computed in one minute, by project."""
    return key(0, "spent", str(minute))


def recent(slot: int) -> str:
    """Hash of what was counted in ten seconds."""
    return key(0, "recent", str(slot))


def learned(project: str) -> str:
    """Hash of what a project has learned."""
    return key(partition(project), "learned", project)


def novelty(project: str, version: str) -> str:
    """List of runs with the share of their words that a model does not know."""
    return key(partition(project), "novelty", project, version)
