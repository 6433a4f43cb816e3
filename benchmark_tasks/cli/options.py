"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmark_tasks.errors import SettingsError
from benchmark_tasks.vocabulary import MOST_REPEATS, RuntimeName, Task, Weights

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Version = Annotated[str | None, typer.Argument(metavar="[VERSION]", help="Release; default: the latest.")]
RuntimeOption = Annotated[RuntimeName, typer.Option("--runtime", help="Runtime that serves the model.")]
GpuModel = Annotated[
    str | None, typer.Option(help="Plan for this GPU of the catalog instead of this machine's.")
]
Gpus = Annotated[int | None, typer.Option(min=0, help="Number of these GPUs.")]
Models = Annotated[list[str] | None, typer.Option("--model", help="Only this model (repeatable).")]
Tasks = Annotated[list[Task] | None, typer.Option("--task", help="Only this task (repeatable).")]
Repeats = Annotated[
    int | None,
    typer.Option(
        min=1, max=MOST_REPEATS, help="Completed runs per configuration; default: 3, or 1 without a GPU."
    ),
]
RepeatsByHand = Annotated[int, typer.Option(min=1, max=MOST_REPEATS, help="Runs per load.")]
WeightsOption = Annotated[
    Weights | None,
    typer.Option("--weights", help="Which weights; default: the catalog's choice, else stand-in.1 or real."),
]
SleepLevels = Annotated[
    list[int] | None,
    typer.Option(
        "--sleep",
        metavar="LEVEL",
        min=1,
        help="With --rate 0 alone: then put the server to sleep at this level and wake it (repeatable)."
        " 1 keeps the weights in the host's memory, 2 reads them again (needs real weights).",
    ),
]
Note = Annotated[str | None, typer.Option(help="Note, recorded in each run.")]


def require_idle(sleep: list[int] | None, rates: list[str] | None) -> None:
    """Sleep is measured beside idle alone.

    Raises:
        SettingsError: no rate is asked for, or more than one.
    """
    if sleep and (rates is None or len(rates) != 1):
        raise SettingsError("--sleep needs --rate 0 and no other rate: it is measured without requests")
