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
    RepeatsByHand,
    RuntimeOption,
    SleepLevels,
    Tasks,
    Version,
    WeightsOption,
    require_idle,
)
from benchmark_tasks.cli.output import print_rows, say
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import DEFAULT_RUNTIME, Task


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
    sleep: SleepLevels = None,
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

    require_idle(sleep, rate)
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
        sleep_levels=sleep or (),
    )
    if not planned.sweeps:
        say("nothing to measure: the catalog has no configuration for this machine that is not landed")
    write_plan(planned, output)
    print_rows(
        [sweep.model_dump(mode="json") for sweep in planned.sweeps], as_json, _sweep_row, wrap="sweeps"
    )


def plan_prices(
    version: Version = None,
    *,
    model: Annotated[str, typer.Option(help="Model whose energy is to be priced.")],
    task: Annotated[Task, typer.Option(help="A text task of the model.")] = Task.LM_ARENA_CHAT,
    gpu_model: GpuModel = None,
    gpus: Gpus = None,
    repeats: RepeatsByHand = 1,
    weights: WeightsOption = None,
    core: Annotated[
        bool, typer.Option(help="Only the loads that a fit needs at least: about eight minutes on one GPU.")
    ] = False,
    note: Note = None,
    force: Annotated[bool, typer.Option(help="Plan loads that are landed, too.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the plan as JSON.")] = None,
    as_json: Json = False,
) -> None:
    """Show the designed loads that energy prices of a model are fitted to, as far as they are not landed.

    Prompts of 128 to 16,384 tokens with one token out, answers at 1k to 32k of held context, mixes for the
    proof, and idle, all on one server: `jouleboard measure --plan FILE`.
    """
    from benchmark_tasks.plan import designed_sweep, plan_single, runs_that_count, still_missing
    from benchmark_tasks.plan.sweep import Plan

    catalog, settings = installed_catalog(), Settings.from_environment()
    runs = [run for run, _ in listing_of(settings).runs]
    whole, _ = plan_single(
        machine_of(catalog, gpu_model, gpus),
        catalog,
        (),
        settings,
        model_id=model,
        task=task,
        version=version,
        batch_sizes=[1],
        repeats=repeats,
        weights=weights,
        note=note,
    )
    designed = designed_sweep(whole, catalog.model(model), core=core)
    left = still_missing(designed, runs_that_count(runs, campaign_id=None, force=force))
    if left is None:
        say("nothing to measure: all designed loads are landed; --force plans them again")
    planned = Plan(sweeps=() if left is None else (left,))
    write_plan(planned, output)
    points = [
        {**point.model_dump(mode="json"), "load": point.load_label}
        for sweep in planned.sweeps
        for point in sweep.points
    ]
    print_rows(points, as_json, lambda row: (model, task, f"{row['load']} x{row['repeats']}"), wrap="points")


def _sweep_row(row: dict[str, Any]) -> tuple[Any, ...]:
    from benchmark_tasks.plan.sweep import Sweep

    sweep = Sweep.model_validate(row)
    first = sweep.configuration(sweep.points[0])
    points = " ".join(f"{point.batch_size}x{point.repeats}" for point in sweep.points)
    if sweep.is_open:
        points = f"{sweep.loads} x{sweep.points[0].repeats}"
    runtime = f"{sweep.runtime} {sweep.runtime_version}"
    return sweep.model_id, sweep.task, runtime, first.where, first.size, points
