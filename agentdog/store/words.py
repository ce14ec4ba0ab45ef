"""Which words stand where: text search over what users asked and what evidence says, without a search module.

A word's *posting* is one value: eight bytes per trajectory that holds it, appended once. Which words a trajectory has
posted already lies with it, so a run that grows writes only what is new. Postings only point: whoever searches reads
what he found and drops what does not hold the words (any more), so nothing here needs to be taken back to be right.

Invariant: writing the same again changes no answer; a crash in between is mended by the next write of the trajectory.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from agentdog.base.ids import digest
from agentdog.store import keys, scripts
from agentdog.store.link import Command, Link

#: Words of one trajectory that can be found, and the longest word that is kept whole.
MOST_WORDS, LONGEST = 1000, 40
#: Words that a beginning of one may stand for.
_MOST_ENDINGS = 64
_BYTES = 8
_OURS = re.compile("t[0-9a-f]{16}")  # a trajectory's id, see spans.trajectory_id
_WORD = re.compile(r"\w+")
#: Scripts that set no spaces between words: found by pairs of characters.
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\u0e00-\u0e7f]+")


def words_of(text: str) -> list[str]:
    """Returns a text's words in order, folded so that case, width and ligatures make no difference."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [word for found in _WORD.findall(folded) for word in _split(found)]


def _split(found: str) -> list[str]:
    if not _UNSPACED.search(found):
        return [found[:LONGEST]]
    out = []
    at = 0
    for run in _UNSPACED.finditer(found):
        out += [found[at : run.start()][:LONGEST]] if run.start() > at else []
        text = run.group()
        out += [text[i : i + 2] for i in range(max(len(text) - 1, 1))]
        at = run.end()
    return [*out, found[at:][:LONGEST]] if at < len(found) else out


class Words:
    """Posts words and finds who holds all of some."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def posted(self, project: str, trajectory_id: str) -> Command:
        """Returns the command that reads which words a trajectory has posted, for `posting`."""
        return ("HGET", keys.trajectory(project, trajectory_id), "words")

    def posting(
        self, project: str, trajectory_id: str, texts: Iterable[str], posted: bytes | None
    ) -> tuple[list[Command], list[Command]]:
        """Returns what lets a trajectory be found by the words of these texts, in two stages.

        Args:
            project: of the trajectory.
            trajectory_id: its id.
            texts: what it says.
            posted: what `posted` answered.
        """
        known = set((posted or b"").decode().split())
        wanted = dict.fromkeys(word for text in texts for word in words_of(text))
        fresh = [word for word in wanted if word not in known][: max(0, MOST_WORDS - len(known))]
        if not fresh:
            return [], []
        field = _field(trajectory_id)
        commands: list[Command] = [("APPEND", keys.posting(project, word), field) for word in fresh]
        commands.append(("ZADD", keys.vocabulary(project), *(part for word in fresh for part in (0, word))))
        if not _OURS.fullmatch(trajectory_id):
            commands.append(("HSET", keys.named(project), field, trajectory_id))
        return commands, [scripts.ADD_WORDS.call([keys.trajectory(project, trajectory_id)], " ".join(fresh))]

    async def remove(self, project: str, trajectory_id: str, words: Sequence[str]) -> None:
        """Takes a trajectory back from where these words lead."""
        field = _field(trajectory_id)
        left = await self._link.many([scripts.UNPOST.call([keys.posting(project, w)], field) for w in words])
        unused = [word for word, bytes_left in zip(words, left, strict=True) if not bytes_left]
        commands: list[Command] = [("HDEL", keys.named(project), field)]
        if unused:
            commands.append(("ZREM", keys.vocabulary(project), *unused))
        await self._link.many(commands)

    async def find(self, project: str, query: str) -> Sequence[str]:
        """Returns the trajectories that may hold every word of a query, the last of which may be a beginning."""
        wanted = list(dict.fromkeys(words_of(query)))
        if not wanted:
            return ()
        found: set[bytes] | None = None
        for word in wanted:
            forms = await self._endings(project, word) if word == wanted[-1] else [word]
            answers = await self._link.many([("GET", keys.posting(project, form)) for form in forms])
            here = {each for answer in answers if answer for each in _fields(answer)}
            found = here if found is None else found & here
            if not found:
                return ()
        return await self._names(project, sorted(found or ()))

    async def _endings(self, project: str, beginning: str) -> list[str]:
        high = beginning.encode() + b"\xff"
        answer = await self._link.one(
            "ZRANGEBYLEX", keys.vocabulary(project), b"[" + beginning.encode(), b"(" + high, "LIMIT", 0, _MOST_ENDINGS
        )
        return list(dict.fromkeys([beginning, *(word.decode() for word in answer)]))

    async def _names(self, project: str, fields: Sequence[bytes]) -> list[str]:
        if not fields:
            return []
        answer = await self._link.one("HMGET", keys.named(project), *fields)
        return [n.decode() if n else "t" + field.hex() for field, n in zip(fields, answer, strict=True)]


def _field(trajectory_id: str) -> bytes:
    ours = _OURS.fullmatch(trajectory_id)
    return bytes.fromhex(trajectory_id[1:] if ours else digest(trajectory_id, size=_BYTES))


def _fields(posting: bytes) -> list[bytes]:
    return [posting[at : at + _BYTES] for at in range(0, len(posting), _BYTES)]
