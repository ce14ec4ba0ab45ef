"""Writes the pages that are made from data: frameworks, glossary, API, llms.txt. A test holds them, `make docs` runs it.

A page that is made says so in its first line; nobody mends it by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from agentdog.guards import factory
from agentdog.policy import Decision
from agentdog.service.app import build_app
from agentdog.service.auth import Authority
from agentdog.service.inline import Checker, PolicyFile
from agentdog.service.learning import Learning
from agentdog.service.metrics import Metrics
from agentdog.service.settings import document, load_settings
from agentdog.service.stores import connect as connect_store
from agentdog.spans.stats import mend_of, mends
from taxonomy import load

DOCS = Path(__file__).parent
MADE = "<!-- Made by docs/generate.py; mend its source instead. -->\n"
ENDPOINT = "http://127.0.0.1:4318"


def pages() -> dict[str, str]:
    """Returns every page that is made: its path in docs/ → its text."""
    frameworks = yaml.safe_load((DOCS / "frameworks.yaml").read_text("utf-8"))
    made = {f"connect/{each['slug']}.md": MADE + framework(each) for each in frameworks}
    made["connect/index.md"] = MADE + connect(frameworks)
    made["glossary.md"] = MADE + glossary()
    made["api.md"] = MADE + api()
    made["settings.md"] = document()
    made["decisions/index.md"] = MADE + decisions()
    made["llms.txt"] = llms(made)
    return made


def framework(each: dict[str, Any]) -> str:
    """One framework's page."""
    lines = [f"# {each['name']}", ""]
    if "install" in each:
        lines += ["```console", f"$ pip install {each['install']}", "```", ""]
    if "npm" in each:
        lines += ["```console", f"$ npm install {each['npm']}", "```", ""]
    lines += ["```console", f"$ export OTEL_EXPORTER_OTLP_ENDPOINT={ENDPOINT}"]
    if "code" in each:
        lines.append("$ export OTEL_BSP_SCHEDULE_DELAY=500   # verdicts within a second instead of five")
    lines += [f"$ export {name}={value}" for name, value in each.get("env", {}).items()]
    lines += [f"$ {each['run']}"] if "run" in each else []
    lines += ["```", ""]
    if "code" in each:
        lines += ["```python", each["code"].rstrip(), "```", ""]
    if "toml" in each:
        lines += ["In `~/.codex/config.toml`:", "", "```toml", each["toml"].rstrip(), "```", ""]
    mend = mend_of(each["scope"])
    if mend:
        lines += [f"**Where content is missing**: {mend}. `agentdog doctor` says whether it is.", ""]
    lines += ["**What to know**", "", *(f"- {fact}" for fact in each["know"]), ""]
    if each.get("hook"):
        lines += ["To have calls checked *before* they are made: [hooks](../inline-checks.md#hooks).", ""]
    lines += [f"Tried with: {each['tried']}. What is read of which convention: [dialects](../dialects.md).", ""]
    return "\n".join(lines)


def connect(frameworks: list[dict[str, Any]]) -> str:
    """The page that lists the frameworks and the settings of content capture."""
    lines = [
        "# Connect your agent",
        "",
        f"An agent that exports OpenTelemetry needs one variable, `OTEL_EXPORTER_OTLP_ENDPOINT={ENDPOINT}` (gRPC: port 4317),",
        "and its messages: most instrumentations leave them out until told otherwise.",
        "",
        "| framework | tried with |",
        "|---|---|",
        *(f"| [{each['name']}]({each['slug']}.md) | {each['tried']} |" for each in frameworks),
        "",
        "Anything else that speaks one of the [conventions](../dialects.md) works as well; what was recorded elsewhere can be",
        "[imported](../importing.md); a Collector that is there already can [tee](../../deploy/README.md#collector).",
        "",
        "## Content capture",
        "",
        "What makes each instrumentation carry content. `agentdog doctor` names the one that is missing.",
        "",
        "| instrumentation (scope begins with) | what to do |",
        "|---|---|",
        *(f"| `{scope}` | {mend} |" for scope, mend in sorted(mends().items())),
        "",
        "## Nothing shows up?",
        "",
        "1. `agentdog doctor`: ports, store, guard, and scopes whose content is missing.",
        "2. `agentdog rejections`: spans that were refused, [and why](../rejections.md).",
        "3. Short programs end before the exporter's five seconds are over: call `provider.shutdown()`.",
        "",
    ]
    return "\n".join(lines)


def glossary() -> str:
    """Where, how and what: every label with its definition."""
    taxonomy = load("all")
    lines = [
        "# Glossary: where, how, what",
        "",
        f"The labels of the AgentDoG taxonomy (version {taxonomy.version}, {taxonomy.overlay}); definitions in our words.",
        "`agentdog taxonomy show LABEL` knows their other spellings.",
        "",
    ]
    for axis in taxonomy.axes:
        lines += [f"## {axis.question}: {axis.name}", "", axis.definition, ""]
        groups = {group.id: group for group in axis.groups}
        for name in [None, *groups]:
            here = [label for label in axis.labels if label.group == name]
            if here and name:
                lines += [f"### {groups[name].name}", "", groups[name].definition, ""]
            lines += [f"- **{label.name}** (`{label.id}`): {label.definition}" for label in here]
            lines += [""] if here else []
    return "\n".join(lines)


def decisions() -> str:
    """The list of decisions."""
    lines = ["# Decisions", "", "What a reader might question, a page each.", ""]
    for path in sorted((DOCS / "decisions").glob("0*.md")):
        lines.append(f"- [{_title(path.read_text('utf-8'))}]({path.name})")
    return "\n".join(lines) + "\n"


def schema() -> dict[str, Any]:
    """The API as OpenAPI; the store is not asked for it, so none need be there."""
    settings = load_settings()
    store, guard = connect_store(settings, "redis://127.0.0.1:6379"), factory.build("embedded")
    policy = PolicyFile(settings.policy_path, required=False)
    checker = Checker(
        store,
        guard,
        policy,
        on_not_evaluated=None,
        on_unsafe=Decision.DENY,
        project="default",
        redact=lambda asked: asked,
        guard_for=Learning(store, guard).guard_for,
    )
    app = build_app(store, guard, Metrics(), Authority(store, required=False), checker)
    said: dict[str, Any] = app.openapi()
    return said


def api() -> str:
    """Every route of the API."""
    said = schema()
    lines = [
        "# HTTP API",
        "",
        "Of a running sidecar: `/docs` to try it, `/openapi.json` as data. Times are RFC 3339, lists are paged by cursors.",
        "What may change in which version: [versions](versions.md).",
        "",
        "| route | what it does | parameters |",
        "|---|---|---|",
    ]
    for path, methods in sorted(said["paths"].items()):
        for method, route in methods.items():
            words = route.get("description") or route.get("summary", "")
            first = " ".join(words.split("\n\n")[0].split()).replace("|", "\\|")
            names = ", ".join(f"`{each['name']}`" for each in route.get("parameters", ()) if each["in"] == "query")
            lines.append(f"| `{method.upper()} {path}` | {first} | {names} |")
    return "\n".join(lines) + "\n"


def llms(made: dict[str, str]) -> str:
    """The map of the documentation for language models (llmstxt.org): each page by its title."""
    names = sorted({*(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")), *made})
    lines = [
        "# AgentDoG sidecar",
        "",
        "> Listens to the OpenTelemetry of AI agents, rebuilds each run as a trajectory, has a guard judge every step, and says",
        "> where the risk came from, how the agent failed, what harm follows. What could not be evaluated is never called safe.",
        "",
        "## Documentation",
        "",
    ]
    for name in names:
        if name.startswith("decisions/"):
            continue
        lines.append(f"- [{_title(made.get(name) or (DOCS / name).read_text('utf-8'))}]({name})")
    return "\n".join(lines) + "\n"


def _title(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith("# ")).removeprefix("# ")


def main() -> None:
    """Writes them."""
    made = pages()
    for name, text in made.items():
        path = DOCS / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    sys.stdout.write(f"{len(made)} pages\n")


if __name__ == "__main__":
    main()
