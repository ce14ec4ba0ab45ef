"""A guard behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp, or a provider's API.

``server:http://host:8000/v1?model=NAME&pack=NAME`` names it; the key comes from ``AGENTDOG_GUARD_API_KEY``. What is
asked and how the answer is read is `agentdog.guards.modelled`'s; which server is asked, `agentdog.guards.replicas`'.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from agentdog.base.ids import digest
from agentdog.guards.agreement import known, noted
from agentdog.guards.chat_api import ChatFailure
from agentdog.guards.choosing import pack_for, served_name
from agentdog.guards.deciding import Rule
from agentdog.guards.mends import mend_of
from agentdog.guards.modelled import Answered, ModelGuard, Work, asked_beside, of_options
from agentdog.guards.options import KEY_VARIABLE, SCHEME, ServerOptions, key_of, parse, sendable
from agentdog.guards.protocol import GuardInfo, Health
from agentdog.guards.replicas import Replica, Replicas
from agentdog.guards.served import Served

__all__ = ["KEY_VARIABLE", "ServerGuard", "ServerOptions"]


class ServerGuard(ModelGuard):
    """Judges by asking a served model."""

    def __init__(
        self,
        urls: Sequence[str],
        options: ServerOptions,
        *,
        key: str | None = None,
        packs_folder: Path | None = None,
        diagnoses: bool = False,
    ) -> None:
        self.options = options
        pack = pack_for(options, options.model or "", packs_folder, labels_only=diagnoses)
        self.replicas = Replicas([Replica(url, options, pack, key) for url in urls], options)
        # The same words to the same model are answered alike wherever it runs; an unnamed one is known by its place.
        place = options.model or f"at {','.join(urls)}"
        query = f"?model={options.model}&pack={pack.name}" if options.model else f"?pack={pack.name}"
        query += of_options(options)
        rule = Rule(options.threshold, options.margin)
        agreement = known(pack, options.model or "", packs_folder)
        info = GuardInfo(
            name=options.model or urlsplit(urls[0]).netloc,
            uri=f"{SCHEME}{','.join(urls)}{query}",
            fingerprint=digest("server", pack.fingerprint, place, repr(rule), *asked_beside(options), size=8),
            pack=pack.name,
            wording=pack.wording,
            layout=pack.render.described,
            note=noted(pack, agreement),
            served=True,
            labels_only=pack.family == "labels_only",
        )
        super().__init__(pack, options, info, agreement)

    @classmethod
    def from_uri(
        cls,
        uri: str,
        *,
        key: str | None = None,
        environ: Mapping[str, str] = os.environ,
        packs_folder: Path | None = None,
        diagnoses: bool = False,
    ) -> ServerGuard:
        """Builds a guard from ``server:http://host:8000/v1?model=…&pack=…``.

        Asks for nothing, but for the model's name where the URI says neither that nor the pack.

        Args:
            uri: one address, or several between commas; options are those of `ServerOptions`.
            key: API key; without it, that of the environment.
            environ: where to look for the key, or for the name of a file that holds it.
            packs_folder: the user's packs and official wording.
            diagnoses: it stands behind a guard that gives the verdict, so its pack may be one of labels only.

        Raises:
            GuardUnavailable: naming what is wrong with the URI, the options or the pairing of model and pack.
        """
        urls, options = parse(uri)
        key = sendable(key) if key else key_of(environ)
        if not options.model and not options.pack:
            options = msgspec.structs.replace(options, model=served_name(urls, key, options.ca))
        return cls(urls, options, key=key, packs_folder=packs_folder, diagnoses=diagnoses)

    async def _run(self, key: str, work: Work[Answered]) -> Answered:
        async def at(member: Replica) -> Answered:
            return await work(member.api, await member.served())

        return await self.replicas.run(key, at)

    def _extra(self, served: Served) -> Mapping[str, Any]:
        return self.options.extra(priorities=served.priorities) if served.kind == "vllm" else {}

    async def health(self) -> Health:
        """Asks every server what it serves and can do, and whether that fits."""
        found = [await self._health(member) for member in self.replicas.members]
        worst = next((health for health in found if not health.ok), found[0])
        if len(found) == 1:
            return worst
        detail = "; ".join(f"{m.api.base_url}: {h.detail}" for m, h in zip(self.replicas.members, found, strict=True))
        return Health(ok=worst.ok, detail=detail, mend=worst.mend)

    async def _health(self, member: Replica) -> Health:
        try:
            served = await member.served(fresh=True)
        except ChatFailure as failure:
            return Health(ok=False, detail=f"{failure.reason}: {failure.detail}", mend=mend_of(failure))
        detail = f"{served.model} with pack {self.pack.name} ({self.pack.wording} wording) on {served.kind}"
        return Health(ok=True, detail=detail + (f", context {served.context} tokens" if served.context else ""))

    async def close(self) -> None:
        """Closes the connections."""
        await self.replicas.close()
