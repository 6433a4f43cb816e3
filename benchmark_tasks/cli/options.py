"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmark_tasks.vocabulary import RuntimeName, Task, Weights

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
    int | None, typer.Option(min=1, help="Completed runs per configuration; default: 3, or 1 without a GPU.")
]
WeightsOption = Annotated[
    Weights | None,
    typer.Option("--weights", help="Which weights; default: the catalog's choice, else stand-in.1 or real."),
]
Note = Annotated[str | None, typer.Option(help="Note, recorded in each run.")]
