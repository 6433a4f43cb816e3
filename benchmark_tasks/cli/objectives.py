"""`jouleboard objectives ...`: mounted by the command as the sub-command `objectives`."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from benchmark_tasks.catalog import load, own_objectives
from benchmark_tasks.catalog.objectives import Objective
from benchmark_tasks.settings import Settings

app = typer.Typer(help="Latency objectives of this installation.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits and hyphens.")]
Milliseconds = Annotated[float | None, typer.Option(metavar="MS", help="Ceiling in milliseconds.")]
Percentile = Annotated[int | None, typer.Option(help="50, 90, 95 or 99 (the default with a ceiling).")]


@app.callback()
def _group() -> None:
    """Ceilings on latencies that a load is judged by, from the next refresh on."""


@app.command("list")
def list_objectives() -> None:
    """List this installation's own objectives; the shipped ones are chat, code and batch."""
    own = load(overlay=Settings.from_environment().catalog).objectives
    for objective in own.values():
        typer.echo(line(objective))
    if not own:
        typer.echo("no objectives of its own", err=True)


@app.command("set")
def set_objective(
    name: Name,
    ttft_ms: Milliseconds = None,
    ttft_percentile: Percentile = None,
    itl_ms: Milliseconds = None,
    itl_percentile: Percentile = None,
    note: Annotated[str | None, typer.Option(help="Where the ceilings come from, or who wants them.")] = None,
) -> None:
    """Set an objective: ceilings on the time to the first token (TTFT) and between tokens (ITL)."""
    objective = own_objectives.objective_of(
        name,
        ttft_percentile=ttft_percentile,
        ttft_ceiling_ms=ttft_ms,
        itl_percentile=itl_percentile,
        itl_ceiling_ms=itl_ms,
        source=note or f"set by {getpass.getuser()}",
    )
    path = own_objectives.keep(objective, Settings.from_environment().catalog)
    typer.echo(f"{line(objective)}: counts from the next refresh on ({path})")


@app.command("remove")
def remove(name: Name) -> None:
    """Take an own objective away; a shipped one of that name counts again."""
    overlay = Settings.from_environment().catalog
    own_objectives.remove(name, overlay, load(overlay=overlay).objectives)
    typer.echo(f"{name} is removed; it no longer counts from the next refresh on")


def line(objective: Objective) -> str:
    """An objective in one line."""
    ceilings = [
        f"{percentile}th percentile of {latency} at most {ceiling:g} ms"
        for latency, percentile, ceiling in (
            ("TTFT", objective.ttft_percentile, objective.ttft_ceiling_ms),
            ("ITL", objective.itl_percentile, objective.itl_ceiling_ms),
        )
        if ceiling is not None
    ]
    return f"{objective.objective}: {', '.join(ceilings)} ({objective.source})"
