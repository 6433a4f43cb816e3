"""`jouleboard pack-runtimes`: runtimes in one archive, for GPU hosts that reach no package index."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark_tasks.cli.output import say
from benchmark_tasks.errors import SettingsError
from benchmark_tasks.settings import Settings

MEGABYTE = 10**6


def pack_runtimes(
    runtimes: Annotated[
        list[str], typer.Argument(metavar="RUNTIME==VERSION...", help="Distributions with their versions.")
    ],
    host: Annotated[
        Path,
        typer.Option(
            help="What the host has: a file with the output of `python3 -m pip list --format=freeze` there."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write the parts to.")],
    python: Annotated[str, typer.Option(help="The host's Python.")] = "3.12",
    capability: Annotated[str, typer.Option(help="Compute capability of the host's GPUs.")] = "9.0",
    part_size: Annotated[int, typer.Option(min=1, help="Largest part, in megabytes.")] = 50,
) -> None:
    """Pack runtimes for a GPU host that reaches no package index."""
    from benchmark_tasks.runtimes.packing import pack

    parts = pack(
        runtimes,
        output.absolute(),
        Settings.from_environment(),
        host=_packages(host),
        python=python,
        capability=capability,
        part_bytes=part_size * MEGABYTE,
        progress=say,
    )
    size = sum(part.stat().st_size for part in parts) / MEGABYTE
    print(f"{len(parts)} parts, {size:,.0f} MB in {output}")


def _packages(file: Path) -> dict[str, str]:
    """Versions by name, of lines `name==version`; other lines say no version and are passed over."""
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    found = dict(line.strip().split("==", 1) for line in lines if "==" in line)
    if not found:
        raise SettingsError(
            f"{file} has no line name==version: write it there with `python3 -m pip list --format=freeze`"
        )
    return found
