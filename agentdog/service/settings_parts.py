"""What can be set, room by room: every knob with its default, its bounds and its words.

One file, since it is one flat list: a new knob is one line here. `agentdog.service.settings` puts the parts together
and reads them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agentdog.diagnosis.plan import Labelling, Observations

LOOPBACK = "127.0.0.1"
_MEBI = 1 << 20

#: Personal data that may be taken out beside secrets.
Personal = Literal["email", "phone", "card"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Listen(_Part):
    """Where a server listens."""

    host: str = Field(default=LOOPBACK, description="address to listen on; loopback unless told otherwise")
    port: int = Field(ge=1, le=65535, description="TCP port")


class GrpcListen(Listen):
    """OTLP over gRPC (IANA: 4317)."""

    port: int = Field(default=4317, ge=1, le=65535, description="OTLP/gRPC port")


class HttpListen(Listen):
    """OTLP over HTTP (IANA: 4318)."""

    port: int = Field(default=4318, ge=1, le=65535, description="OTLP/HTTP port")


class ApiListen(Listen):
    """The API."""

    port: int = Field(default=8080, ge=1, le=65535, description="API port")


class UiListen(Listen):
    """The dashboard."""

    port: int = Field(default=8501, ge=1, le=65535, description="dashboard port")
    trace_links: dict[str, str] = Field(
        default_factory=dict,
        description='links to other tools, JSON: `{"Jaeger": "http://host:16686/trace/{trace_id}?uiFind={span_id}"}`',
    )
    runs: Path | None = Field(default=None, description="folder of `atbench` run folders that the dashboard shows")


class RedisSettings(_Part):
    """The store's server."""

    url: str | None = Field(
        default=None,
        repr=False,
        description="redis://, rediss:// or unix:// of Redis ≥ 7 or Valkey, nodes of a cluster by commas; "
        "unset: the bundled Valkey is run",
    )
    timeout_s: float = Field(default=5.0, gt=0, description="longest wait for one answer of the store")
    fsync: Literal["always", "everysec"] = Field(
        default="always",
        description="when the bundled server syncs its log: always (nothing acknowledged is lost), everysec (≤ 1 s)",
    )


class GuardSettings(_Part):
    """Who judges."""

    uri: str = Field(default="embedded", repr=False, description="embedded, or server:http://host:8000/v1?model=…")
    retry_s: float = Field(default=30.0, gt=0, description="pause before a guard that failed is asked again")
    retry_for_s: float = Field(
        default=3600.0, ge=0, description="how long after its end a trajectory's missing verdicts are asked for again"
    )


class CheckSettings(_Part):
    """Inline checks: what ``POST /api/v1/check`` answers."""

    policy: Path | None = Field(
        default=None, description="policy file that is obeyed before any guard; unset: policy.yaml in the data folder"
    )
    guard: str | None = Field(
        default=None, repr=False, description="guard of inline checks, such as server:…?priority=-1; unset: GUARD__URI"
    )
    on_not_evaluated: Literal["allow", "deny", "review"] | None = Field(
        default=None, description="answer when no verdict can be had in time; unset: every caller must say"
    )
    on_unsafe: Literal["deny", "review"] = Field(
        default="deny", description="answer when the guard says unsafe: deny, or let a person review"
    )


class JudgeSettings(_Part):
    """What is asked of the guard, and what it may cost."""

    observations: Observations = Field(
        default="risky",
        description="tool results that are judged beside the agent's steps: none, risky (the first answer of each tool,"
        " and of tools that execute, send, pay, delete or grant), all",
    )
    diagnose: Labelling = Field(
        default="unsafe_steps", description="whose where, how and what is asked for: unsafe_steps, onset, every_step"
    )
    diagnose_share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="share of those steps that are labelled, to save tokens; the onset of an incident always is",
    )
    quiet_s: float = Field(
        default=2.0, ge=0, description="how long a last step that no agent took waits for one that an agent takes"
    )
    rejudge: float = Field(
        default=3.0,
        ge=0,
        description="verdicts asked for per judged step when late spans change earlier ones; 0: no bound",
    )
    tokens_per_minute: int = Field(
        default=0, ge=0, description="tokens that guards may compute in a minute, all projects together; 0: no bound"
    )
    project_tokens_per_minute: int = Field(
        default=0, ge=0, description="tokens that guards may compute in a minute for one project; 0: no bound"
    )
    sample: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        default={}, description='share of trajectories that is judged, by project, as JSON: {"busy": 0.1}; else all'
    )
    price_prompt: float = Field(default=0.0, ge=0, description="price of a million prompt tokens that are computed")
    price_cached: float = Field(default=0.0, ge=0, description="price of a million prompt tokens read from a cache")
    price_completion: float = Field(default=0.0, ge=0, description="price of a million tokens that a guard writes")

    def cost(self, computed: float, cached: float, completion: float) -> float:
        """What so many tokens cost."""
        return (computed * self.price_prompt + cached * self.price_cached + completion * self.price_completion) / 1e6


class AttributionSettings(_Part):
    """Who says why an agent did something. What moved a verdict, the guard itself answers."""

    model: str | None = Field(
        default=None,
        repr=False,
        description="model that stands in for the agent: a chat model's folder (needs torch) or "
        "server:http://host:8000/v1?model=… (vLLM); unset: only verdicts are explained",
    )
    mode: Literal["paper", "compatible", "approximate"] = Field(
        default="paper", description="definitions of the scores, unless the question names others (docs/attribution.md)"
    )
    top_k: int = Field(default=3, ge=0, le=20, description="leading steps that are cut into sentences")
    max_steps: int | None = Field(
        default=None,
        ge=1,
        description="steps left out to explain a verdict; of a longer run, those that its evidence names and the last; "
        "unset: 200 of the embedded guard, 60 of a guard that costs tokens",
    )
    device: str | None = Field(
        default=None, description="where a model's folder runs, as torch names it; unset: a GPU where there is one"
    )


class TracesSettings(_Part):
    """The sidecar's traces of its own work."""

    endpoint: str | None = Field(
        default=None,
        repr=False,
        description="base address of the OTLP/HTTP receiver of the sidecar's own traces; unset: none are made",
    )
    headers: str | None = Field(
        default=None, repr=False, description="headers of every request: name=value,name=value, values percent-encoded"
    )
    share: float = Field(default=1.0, ge=0, le=1, description="share of its own traces that is sent")


class WorkerSettings(_Part):
    """How trajectories are woven and judged."""

    concurrency: int = Field(default=8, ge=1, description="units woven at the same time by one worker")
    judging: int = Field(default=16, ge=1, description="trajectories judged at the same time by one worker")
    attempts: int = Field(default=5, ge=1, description="tries before a unit that fails goes to the dead letters")
    lease_s: float = Field(default=15.0, gt=0, description="silence after which a worker's claims are taken over")
    nice: int = Field(
        default=5, ge=0, le=19, description="how far a worker stands back for agents where processors are short (nice)"
    )


class AuthSettings(_Part):
    """Who may do what."""

    mode: Literal["off", "on"] = Field(default="off", description="on: every request needs a token")
    allow_open: bool = Field(
        default=False, description="listen beyond loopback with authentication off: something in front authenticates"
    )
    admin_token: str | None = Field(
        default=None, repr=False, min_length=16, description="a token that may do all, beside those of the store"
    )


class RedactionSettings(_Part):
    """What is taken out of telemetry and inline checks before anything is stored, hashed or shown to a guard."""

    secrets: bool = Field(default=True, description="take out passwords, keys and tokens")
    personal: tuple[Personal, ...] = Field(
        default=(), description='take out personal data as well, as JSON: any of ["email", "phone", "card"]'
    )
    patterns: dict[str, str] = Field(
        default={}, description='what else is secret, as JSON: {"employee": "EMP-[0-9]{6}"}, in RE2\'s syntax'
    )
    key: str | None = Field(
        default=None,
        repr=False,
        min_length=16,
        description="key of the placeholders, the same on all receivers; unset: one made in the data folder",
    )


class RetentionSettings(_Part):
    """How long telemetry is kept, with all that was made of it."""

    days: float = Field(
        default=0.0, ge=0, description="runs whose last record came before so many days are deleted; 0: no age"
    )
    bytes: int = Field(
        default=0,
        ge=0,
        description="memory of the store above which the oldest runs go; 0: 95 % of LIMITS__STORE_BYTES",
    )
    every_s: float = Field(default=10.0, gt=0, description="how often a worker looks for what is to be deleted")


class TlsSettings(_Part):
    """Encryption of every port; off without a certificate."""

    cert: Path | None = Field(default=None, description="certificate chain of the listeners, PEM")
    key: Path | None = Field(default=None, description="private key of the certificate, PEM")
    ca: Path | None = Field(default=None, description="certificate authority that our own clients trust, PEM")


class OutboundOtlpSettings(_Part):
    """Verdicts to an OTLP receiver."""

    endpoint: str | None = Field(
        default=None,
        repr=False,
        description="base address of the OTLP receiver that is told every verdict, such as http://127.0.0.1:6006",
    )
    protocol: Literal["http/protobuf", "grpc"] = Field(default="http/protobuf", description="http/protobuf or grpc")
    headers: str | None = Field(
        default=None, repr=False, description="headers of every request: name=value,name=value, values percent-encoded"
    )
    signals: Literal["both", "traces", "logs"] = Field(
        default="both", description="log records as the conventions say, spans for tools that show traces only, or both"
    )
    verdicts: Literal["all", "unsafe"] = Field(default="all", description="which verdicts are sent")


class WebhookSettings(_Part):
    """Alerts as signed JSON."""

    url: str | None = Field(default=None, repr=False, description="receiver of alerts")
    secret: str | None = Field(
        default=None, repr=False, description="secret of the signature, whsec_ and base64 of 24 bytes or more"
    )


class SlackSettings(_Part):
    """Alerts as chat messages."""

    url: str | None = Field(
        default=None, repr=False, description="incoming webhook of Slack, Mattermost or Rocket.Chat"
    )


class OutboundSettings(_Part):
    """Who else is told."""

    otlp: OutboundOtlpSettings = OutboundOtlpSettings()
    webhook: WebhookSettings = WebhookSettings()
    slack: SlackSettings = SlackSettings()
    link: str | None = Field(default=None, description="address of the dashboard as people reach it; unset: UI's own")
    content: bool = Field(default=False, description="whether alerts carry words of the run: title, quoted evidence")
    allow: tuple[str, ...] = Field(
        default=(), description='networks that are not public and may get alerts, JSON: ["10.1.0.0/16"]'
    )
    attempts: int = Field(default=20, ge=1, description="tries before a message is given up (20: about two hours)")
    retry_s: float = Field(
        default=1.0, gt=0, le=600, description="pause after the first try that failed; doubled each time, to 10 minutes"
    )
    per_minute: int = Field(default=30, ge=1, description="messages to one place in a minute; the rest waits")
    timeout_s: float = Field(default=10.0, gt=0, le=60, description="longest wait for a receiver")


class Limits(_Part):
    """What one request may cost."""

    body_bytes: int = Field(
        default=64 * _MEBI, ge=1024, description="largest OTLP body, also after inflating (OTLP 1.11: 64 MiB)"
    )
    store_bytes: int = Field(
        default=0,
        ge=0,
        description="memory of the store at which telemetry is refused; 0: its maxmemory, else half of its machine's",
    )
    queue_units: int = Field(
        default=100_000, ge=1, description="traces and sessions waiting to be woven at which telemetry is refused"
    )
    store_latency_s: float = Field(
        default=3.0, gt=0, description="round trip to the store above which telemetry is refused"
    )
    in_flight_bytes: int = Field(
        default=256 * _MEBI,
        ge=1024,
        description="OTLP bodies worked on at the same time by one receiver, inflated, with what is made of them",
    )
    stall_s: float = Field(
        default=60.0,
        gt=0,
        description="nothing finished of what waits for so long fails /readyz (judging: five times); a part of"
        " `agentdog up` that advances no more is started again as long after that",
    )
    feed_events: int = Field(default=10_000, ge=100, description="events kept for /api/v1/events")
