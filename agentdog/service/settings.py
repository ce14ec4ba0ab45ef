"""The one settings table: every knob of every process, with its default and its words.

A field ``api.port`` is set by ``AGENTDOG_API__PORT``, by a file named in ``AGENTDOG_API__PORT_FILE`` (made for secrets,
allowed everywhere), or by ``api: {port: …}`` in the YAML file that ``AGENTDOG_CONFIG`` names; the first of these wins,
and an argument of `load_settings` beats them all. Invariant: no other module reads ``AGENTDOG_…`` from the environment.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.sources import EnvSettingsSource, YamlConfigSettingsSource

from agentdog.base.errors import UsageError
from agentdog.diagnosis.plan import Labelling, Observations
from agentdog.guards.options import KEY_VARIABLE
from agentdog.spans import IDLE_NS

PREFIX = "AGENTDOG_"
_CONFIG = PREFIX + "CONFIG"
#: Not settings: which file holds them, the key that no table may show, what ``agentdog ui`` tells the dashboard.
_READ_ELSEWHERE = {_CONFIG, KEY_VARIABLE, PREFIX + "API_URL", PREFIX + "TRACE_LINKS", PREFIX + "TOKEN"}
_LOOPBACK = "127.0.0.1"
_MEBI = 1 << 20

#: Personal data that may be taken out beside secrets.
Personal = Literal["email", "phone", "card"]


def _default_data() -> Path:
    """Returns ``$XDG_DATA_HOME/agentdog``: the same folder from wherever a command is started."""
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "agentdog"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Listen(_Part):
    """Where a server listens."""

    host: str = Field(default=_LOOPBACK, description="address to listen on; loopback unless told otherwise")
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
        default=256 * _MEBI, ge=1024, description="OTLP bodies worked on at the same time, inflated, by one receiver"
    )
    stall_s: float = Field(
        default=60.0,
        gt=0,
        description="nothing finished of what waits for so long fails /readyz (judging: five times)",
    )
    feed_events: int = Field(default=10_000, ge=100, description="events kept for /api/v1/events")


class Settings(BaseSettings):
    """All settings; build it with `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    data: Path = Field(
        default_factory=_default_data, description="data folder; without XDG_DATA_HOME below ~/.local/share"
    )
    project: str = Field(
        default="default", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="project of telemetry that names none"
    )
    idle_s: float = Field(
        default=IDLE_NS / 1e9, gt=0, description="silence after which a trajectory without a last word counts as over"
    )
    verdict_ttl_s: int = Field(default=30 * 86_400, ge=60, description="how long a verdict is remembered by its prefix")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least level that is logged"
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="how log lines are written: for people, or one JSON object each"
    )
    redis: RedisSettings = RedisSettings()
    guard: GuardSettings = GuardSettings()
    check: CheckSettings = CheckSettings()
    judge: JudgeSettings = JudgeSettings()
    worker: WorkerSettings = WorkerSettings()
    traces: TracesSettings = TracesSettings()
    outbound: OutboundSettings = OutboundSettings()
    limits: Limits = Limits()
    auth: AuthSettings = AuthSettings()
    tls: TlsSettings = TlsSettings()
    redaction: RedactionSettings = RedactionSettings()
    retention: RetentionSettings = RetentionSettings()
    otlp_grpc: GrpcListen = GrpcListen()
    otlp_http: HttpListen = HttpListen()
    api: ApiListen = ApiListen()
    ui: UiListen = UiListen()

    @property
    def _scheme(self) -> str:
        return "https" if self.tls.cert is not None else "http"

    @property
    def api_url(self) -> str:
        """Base address of the API as a local client reaches it."""
        return f"{self._scheme}://{reachable(self.api.host)}:{self.api.port}"

    @property
    def ui_url(self) -> str:
        """Address of the dashboard."""
        return f"{self._scheme}://{reachable(self.ui.host)}:{self.ui.port}"

    @property
    def otlp_endpoint(self) -> str:
        """What ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set to for OTLP/HTTP."""
        return f"{self._scheme}://{reachable(self.otlp_http.host)}:{self.otlp_http.port}"

    @property
    def otlp_grpc_endpoint(self) -> str:
        """What ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set to for OTLP/gRPC."""
        return f"{self._scheme}://{reachable(self.otlp_grpc.host)}:{self.otlp_grpc.port}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Orders the sources: arguments, environment (and the files it names), YAML."""
        sources: list[PydanticBaseSettingsSource] = [init_settings, _Environment(settings_cls)]
        config = os.environ.get(_CONFIG)
        if config:
            if not Path(config).is_file():
                raise UsageError(f"{_CONFIG}: no such file: {config}")
            sources.append(YamlConfigSettingsSource(settings_cls, yaml_file=config))
        return tuple(sources)


class _Environment(EnvSettingsSource):
    """The environment, where ``AGENTDOG_X_FILE`` stands for ``AGENTDOG_X`` with the text of that file."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        plain: dict[str, str | None] = {}
        from_files: dict[str, str | None] = {}
        for name, value in os.environ.items():
            key = name.lower()
            if not name.upper().startswith(PREFIX):
                continue
            if not key.endswith("_file"):
                plain[key] = value
                continue
            try:
                from_files[key.removesuffix("_file")] = Path(value).read_text("utf-8").rstrip("\r\n")
            except OSError as error:
                raise UsageError(f"{name}: cannot read {value}: {error.strerror}") from error
        return from_files | plain


def reachable(host: str) -> str:
    """Returns the address by which this machine reaches a server that listens on `host`."""
    local = {"0.0.0.0": _LOOPBACK, "::": "[::1]"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{local}]" if ":" in local and not local.startswith("[") else local


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - any field
    """Reads the settings of this process.

    Args:
        overrides: fields by name, nested ones as mappings; they win over everything else.

    Raises:
        UsageError: a value is wrong; the message names its variable.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + "__".join(str(part) for part in first["loc"]).upper()
        raise UsageError(f"{name}: {first['msg']}") from error


def to_environment(settings: Settings) -> dict[str, str]:
    """Returns the variables that make another process read the same settings."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value, _ in _walk(settings.model_dump(mode="json"), type(settings), PREFIX)
        if value is not None
    }


def unknown_variables(names: Iterable[str]) -> dict[str, str | None]:
    """Returns the variables of `names` that look like ours but nobody reads, each with the one likely meant."""
    known = {name for name, _, _ in table()} | _READ_ELSEWHERE
    known |= {f"{name}_FILE" for name in known}
    strangers = sorted(name for name in names if name.upper().startswith(PREFIX) and name.upper() not in known)
    return {name: next(iter(get_close_matches(name.upper(), sorted(known), 1)), None) for name in strangers}


def table() -> tuple[tuple[str, str, str], ...]:
    """Returns (variable, default, description) of every setting; the documentation's table is made from it."""
    blank = Settings.model_construct(data=Path("$XDG_DATA_HOME/agentdog"))
    rows = _walk(blank.model_dump(mode="json", warnings=False), Settings, PREFIX)
    return tuple((name, "" if value is None else str(value), words) for name, value, words in rows)


def document() -> str:
    """Returns ``docs/settings.md``: every setting with its default."""
    lines = [
        "# Settings",
        "",
        "Every setting is an environment variable. `NAME_FILE` names a file whose text is the value, for secrets. The",
        "same names, nested and in lower case, may stand in a YAML file that `AGENTDOG_CONFIG` names; the environment",
        "wins.",
        "",
        "| variable | default | what it says |",
        "|---|---|---|",
    ]
    lines += [f"| `{name}` | {f'`{default}`' if default else ''} | {words} |" for name, default, words in table()]
    return "\n".join(lines) + "\n"


def _walk(values: Mapping[str, Any], model: type[BaseModel], prefix: str) -> Iterator[tuple[str, Any, str]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _walk(values[name], kind, f"{prefix}{name.upper()}__")
        else:
            yield prefix + name.upper(), values[name], field.description or ""
