"""The one settings table: the parts of `settings_parts` put together, read, and told of.

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
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.sources import EnvSettingsSource, YamlConfigSettingsSource

from agentdog.base.errors import UsageError
from agentdog.guards.options import KEY_VARIABLE
from agentdog.service.settings_parts import (
    LOOPBACK,
    ApiListen,
    AttributionSettings,
    AuthSettings,
    CheckSettings,
    GrpcListen,
    GuardSettings,
    HttpListen,
    JudgeSettings,
    Limits,
    Listen,
    OutboundSettings,
    Personal,
    RedactionSettings,
    RedisSettings,
    RetentionSettings,
    TlsSettings,
    TracesSettings,
    UiListen,
    WorkerSettings,
)
from agentdog.spans import IDLE_NS

__all__ = [
    "PREFIX",
    "AttributionSettings",
    "JudgeSettings",
    "Limits",
    "Listen",
    "Personal",
    "Settings",
    "TlsSettings",
    "TracesSettings",
    "WorkerSettings",
    "document",
    "load_settings",
    "reachable",
    "table",
    "to_environment",
    "unknown_variables",
]

PREFIX = "AGENTDOG_"
_CONFIG = PREFIX + "CONFIG"
#: Not settings: which file holds them, the key that no table may show, what ``agentdog ui`` tells the dashboard.
_READ_ELSEWHERE = {_CONFIG, KEY_VARIABLE, PREFIX + "API_URL", PREFIX + "TRACE_LINKS", PREFIX + "TOKEN"}


def _default_data() -> Path:
    """Returns ``$XDG_DATA_HOME/agentdog``: the same folder from wherever a command is started."""
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "agentdog"


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
    attribution: AttributionSettings = AttributionSettings()
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

    @property
    def policy_path(self) -> Path:
        """The file of rules: the one that is named, else the data folder's own."""
        return (self.check.policy or self.data / "policy.yaml").expanduser()

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
    local = {"0.0.0.0": LOOPBACK, "::": "[::1]"}.get(host, host)  # noqa: S104 - compared, not bound
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
