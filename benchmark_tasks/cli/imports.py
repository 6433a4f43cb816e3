"""`jouleboard import ...`: mounted by the command as the sub-command `import`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from benchmark_tasks.imports.mlenergy import import_results
from benchmark_tasks.imports.source import PUBLIC_ADDRESS
from benchmark_tasks.settings import Settings

app = typer.Typer(help="Published results of others.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Published results of others, checked and kept apart from our own."""


@app.command("mlenergy")
def mlenergy(
    source: Annotated[
        str | None,
        typer.Argument(
            help="Folder or http(s) address with index.json, tasks/ and models/; or the web app's sources.",
            show_default=PUBLIC_ADDRESS,
        ),
    ] = None,
    note: Annotated[str | None, typer.Option(help="Note, kept with the import.")] = None,
    expect: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="Refuse other content: the content hash of an earlier import."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Import ML.ENERGY's published results; importing the same files again changes nothing.

    Without a source, the address where ML.ENERGY publishes them is read. If the connection breaks, the rest
    is fetched; after exit code 75 run it again. If the source has a file SHA256SUMS, every file must be as it
    says. Results of v1 (2023) and v2 (2024) are refused with the reason: they do not say what a row needs.
    """
    result = import_results(source, Settings.from_environment(), note=note, expect=expect)
    if as_json:
        typer.echo(json.dumps(asdict(result), default=str))
        return
    counts = f"{result.configurations:,} configurations, {result.models} models, {result.tasks} tasks"
    if result.changed:
        typer.echo(f"imported {counts} into {result.directory}; `jouleboard refresh` publishes them")
    else:
        typer.echo(f"unchanged: {counts} of {result.content_hash} are already the current import")
