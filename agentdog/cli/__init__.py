"""The command line: one thin file per command, imported only when called, so that ``--help`` is instant.

A command's module has the command's name and holds a click command called ``command``. Exit codes: 0 fine, 1 finding,
2 usage or environment, 3 nothing could be evaluated.
"""

from __future__ import annotations

import importlib
import keyword
import os
import sys
import traceback

import click

from agentdog import __version__
from agentdog.base.errors import AgentDogError
from agentdog.cli.common import FINE, USAGE, ReaderLeft

_INTERRUPTED = 130  # as shells count: 128 and the number of SIGINT

#: Command name → its one line of help; the order is the order of ``--help``.
COMMANDS = {
    "demo": "Start the sidecar, run a small agent through it, show what it found.",
    "up": "Run everything on this machine: store, receiver, worker, API, dashboard.",
    "serve": "Run the receiver and the API only.",
    "worker": "Run a worker only.",
    "ui": "Run the dashboard only.",
    "import": "Import what other tools recorded: exports, transcripts, OTLP files.",
    "reconstruct": "Rebuild trajectories from files: OTLP, exports, transcripts.",
    "judge": "Judge the trajectories in a file.",
    "list": "List stored trajectories.",
    "show": "Show one stored trajectory with its diagnosis.",
    "explain": "Have the guard write why it judged a step so.",
    "tune": "See what each threshold would have alerted, and set one.",
    "calibrate": "Fit a guard's threshold on benign runs.",
    "case": "Keep runs as regression cases, which `judge` fails until they are mended.",
    "fix": "Say what to change so that an incident does not happen again.",
    "attribute": "Say why: which earlier step and sentence drove an action or a verdict.",
    "review": "Say what is right and wrong about a run; export labelled rows.",
    "export": "Export stored runs: JSON lines, Parquet, ATIF, SARIF.",
    "mcp": "Serve read-only tools to assistants over MCP.",
    "outbound": "See who else was told, test whether it arrives.",
    "learn": "Learn a guard for one project from its reviewed runs.",
    "guards": "List guards, check what one can do.",
    "plan": "Say which guard fits a GPU, for how many agents.",
    "packs": "List prompts, use the official wording, measure short forms.",
    "tokens": "Make, list and revoke bearer tokens.",
    "forget": "Delete a run, a session, or all that is kept of a person.",
    "rejections": "List spans and records that were refused, and why.",
    "dead": "List what no try could work on, or try it again.",
    "audit": "List who read content, reviewed or deleted.",
    "doctor": "Say what is wrong and how to mend it.",
    "taxonomy": "Read the taxonomy: where, how, what.",
}


class _Lazy(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name  # no module can be called `import`
        command: click.Command = importlib.import_module(f"agentdog.cli.{module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="agentdog")
def cli() -> None:
    """Which step went wrong, where the risk came from, how the agent failed, what harm follows."""


def main() -> None:
    """Entry point: turns however a command ends into its exit code, and our errors into one line.

    Not left to click and Python, which end with 1 when Ctrl-C comes early, a reader leaves or we have a defect: here 1
    means a finding.
    """
    try:
        code = cli(prog_name="agentdog", standalone_mode=False)
    except AgentDogError as error:
        click.echo(f"agentdog: {error}", err=True)
        code = USAGE
    except click.ClickException as error:
        error.show()
        code = USAGE
    except click.Abort:
        code = _INTERRUPTED
    except ReaderLeft:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
        code = FINE
    except Exception:  # a defect, shown whole
        traceback.print_exc()
        code = USAGE
    sys.exit(code)
