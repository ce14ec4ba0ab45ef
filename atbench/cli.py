"""``atbench``: score a guard on labelled trajectories."""

from __future__ import annotations

import sys

import click

from agentdog import __version__
from agentdog.base.errors import AgentDogError
from atbench.commands.compare import compare
from atbench.commands.gate import gate
from atbench.commands.make import make
from atbench.commands.published import published
from atbench.commands.replicate import replicate
from atbench.commands.report import report
from atbench.commands.run import run
from atbench.commands.scenarios import scenarios
from atbench.commands.score import score


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="atbench")
def cli() -> None:
    """Score a guard offline, through the same code as online."""


for command in (run, score, report, compare, gate, published, replicate, scenarios, make):
    cli.add_command(command)


def main() -> None:
    """Entry point: turns our errors into one line and exit code 2."""
    try:
        cli(prog_name="atbench")
    except AgentDogError as error:
        click.echo(f"atbench: {error}", err=True)
        sys.exit(2)
