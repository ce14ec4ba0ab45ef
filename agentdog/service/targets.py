"""From settings to who is told: the places that alerts and verdicts are sent to.

Invariant: a setting that cannot work is refused when the process starts, by its name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc
import msgspec

from agentdog.base.errors import OutsideError, UsageError
from agentdog.outbound import Notifier
from agentdog.outbound.address import networks
from agentdog.outbound.hooks import Slack, Webhook
from agentdog.outbound.otlp import OtlpSender, headers_of
from agentdog.service.settings import Settings


class Targets(msgspec.Struct, frozen=True):
    """Who is told: of alerts, and of every verdict."""

    notifiers: Sequence[Notifier] = ()
    otlp: OtlpSender | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return (*(each.name for each in self.notifiers), *((self.otlp.name,) if self.otlp else ()))


def link_base(settings: Settings) -> str:
    """Returns the dashboard's address in what is sent."""
    return settings.outbound.link or settings.ui_url


@asynccontextmanager
async def open_targets(settings: Settings) -> AsyncIterator[Targets]:
    """Builds what settings name, and closes it.

    Raises:
        UsageError: an address, a secret or a network is none.
        OutsideError: the certificate of the receivers' authority cannot be read.
    """
    outbound = settings.outbound
    allowed, timeout_s = networks(outbound.allow), outbound.timeout_s
    async with AsyncExitStack() as stack:
        notifiers: list[Notifier] = []
        if outbound.webhook.url is not None:
            if outbound.webhook.secret is None:
                raise UsageError("AGENTDOG_OUTBOUND__WEBHOOK__SECRET: needed with a webhook; alerts are always signed")
            notifiers.append(Webhook(outbound.webhook.url, outbound.webhook.secret, allowed, timeout_s))
        if outbound.slack.url is not None:
            notifiers.append(Slack(outbound.slack.url, allowed, timeout_s))
        for each in notifiers:
            stack.push_async_callback(each.close)
        otlp = _otlp(settings)
        if otlp is not None:
            stack.push_async_callback(otlp.close)
        yield Targets(tuple(notifiers), otlp)


def _otlp(settings: Settings) -> OtlpSender | None:
    said = settings.outbound.otlp
    if said.endpoint is None:
        return None
    return OtlpSender(
        said.endpoint,
        protocol=said.protocol,
        headers=headers_of(said.headers),
        signals=said.signals,
        timeout_s=settings.outbound.timeout_s,
        secure=_authority(settings.tls.ca) if said.protocol == "grpc" else None,
    )


def _authority(path: Path | None) -> grpc.ChannelCredentials | None:
    if path is None:
        return None
    try:
        return grpc.ssl_channel_credentials(path.read_bytes())
    except OSError as error:
        raise OutsideError(f"AGENTDOG_TLS__CA: cannot read {path}: {error.strerror}") from error
