"""`jouleboard plan`: what is still to be measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from benchmark_tasks.cli.inputs import installed_catalog, listing_of, machine_of, write_plan
from benchmark_tasks.cli.options import (
    GpuModel,
    Gpus,
    Json,
    Models,
    Note,
    Repeats,
    RuntimeOption,
    Tasks,
    Version,
    WeightsOption,
)
from benchmark_tasks.cli.output import print_rows, say
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import DEFAULT_RUNTIME


def plan(
    version: Version = None,
    runtime: RuntimeOption = DEFAULT_RUNTIME,
    gpu_model: GpuModel = None,
    gpus: Gpus = None,
    model: Models = None,
    task: Tasks = None,
    repeats: Repeats = None,
    weights: WeightsOption = None,
    rate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RATE",
            help="Instead of batch sizes: requests that arrive at this rate (2.5; 0: idle; 50% of the"
            " closed-loop maximum that was landed); repeatable.",
        ),
    ] = None,
    note: Note = None,
    campaign: Annotated[
        str | None, typer.Option(help="Name that is recorded in all runs of this plan.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Plan configurations that are landed, too.")] = False,
    offline: Annotated[bool, typer.Option(help="Do not ask the index whether the release exists.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the plan as JSON.")] = None,
    as_json: Json = False,
) -> None:
    """Show what is still to be measured for a release: the catalog's configurations that are not landed."""
    from benchmark_tasks.plan import plan_release_on

    catalog, settings = installed_catalog(), Settings.from_environment()
    machine = machine_of(catalog, gpu_model, gpus)
    planned = plan_release_on(
        [machine],
        catalog,
        listing_of(settings),
        settings,
        runtime=runtime,
        version=version,
        offline=offline,
        repeats=repeats,
        models=model,
        tasks=task,
        weights=weights,
        campaign_id=campaign,
        note=note,
        force=force,
        rates=rate or (),
    )
    if not planned.sweeps:
        say("nothing to measure: the catalog has no configuration for this machine that is not landed")
    write_plan(planned, output)
    print_rows(
        [sweep.model_dump(mode="json") for sweep in planned.sweeps], as_json, _sweep_row, wrap="sweeps"
    )


def _sweep_row(row: dict[str, Any]) -> tuple[Any, ...]:
    from benchmark_tasks.plan.sweep import Sweep

    sweep = Sweep.model_validate(row)
    first = sweep.configuration(sweep.points[0])
    points = " ".join(f"{point.batch_size}x{point.repeats}" for point in sweep.points)
    if sweep.is_open:
        points = f"{sweep.loads} x{sweep.points[0].repeats}"
    runtime = f"{sweep.runtime} {sweep.runtime_version}"
    return sweep.model_id, sweep.task, runtime, first.where, first.size, points
