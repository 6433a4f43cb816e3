"""`jouleboard measure` and `measure-all`: sweeps of a plan, or one that is described by options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark_tasks.cli.inputs import installed_catalog, machine_of, read_plan, sweeps_of
from benchmark_tasks.cli.options import Json, Note, WeightsOption
from benchmark_tasks.cli.output import print_rows, say
from benchmark_tasks.errors import CatalogError, DiskFull, GpuBusy, JouleboardError, SettingsError
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import LengthControl, RuntimeName, Task

if TYPE_CHECKING:
    from benchmark_tasks.host.machine import Machine
    from benchmark_tasks.plan.sweep import Sweep
    from benchmark_tasks.run import MeasureResult


def measure(
    plan_file: Annotated[Path | None, typer.Option("--plan", help="Measure the sweeps of this file.")] = None,
    index: Annotated[int | None, typer.Option(min=0, help="Only this sweep of the plan (from 0).")] = None,
    model: Annotated[str | None, typer.Option(help="Without a plan: the model.")] = None,
    task: Annotated[Task, typer.Option(help="Without a plan: the task.")] = Task.LM_ARENA_CHAT,
    batch_size: Annotated[list[int] | None, typer.Option(min=1, help="Batch size (repeatable).")] = None,
    runtime_version: Annotated[list[str] | None, typer.Option(help="Release (repeatable).")] = None,
    gpus: Annotated[int | None, typer.Option(min=0, help="GPUs to use; default 1, or 0 without any.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each batch size.")] = 1,
    weights: WeightsOption = None,
    request_set: Annotated[str | None, typer.Option(help="A data set of the task, or synthetic.")] = None,
    length: Annotated[LengthControl | None, typer.Option(help="How answers end.")] = None,
    runtime: Annotated[
        RuntimeName | None, typer.Option(help="Without a plan: another runtime than the catalog's.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps of an image or video.")] = None,
    height: Annotated[int | None, typer.Option(min=1, help="Its height, pixels.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Its width, pixels.")] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="Frames of a video.")] = None,
    ulysses: Annotated[int | None, typer.Option(min=1, help="Without a plan: Ulysses degree.")] = None,
    ring: Annotated[int | None, typer.Option(min=1, help="Without a plan: ring degree.")] = None,
    weights_folder: Annotated[
        Path | None, typer.Option(help="Real weights of an image or video model, as the hub has them.")
    ] = None,
    server_per_point: Annotated[bool, typer.Option(help="Restart the server for every batch size.")] = False,
    server_config: Annotated[
        Path | None, typer.Option(help="YAML file of further options, as the runtime takes it.")
    ] = None,
    container: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="Serve from this image; {version} is replaced.")
    ] = None,
    container_client: Annotated[str, typer.Option(help="docker or podman.")] = "docker",
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="Measure a server that runs already: http://host:port.")
    ] = None,
    gpu_index: Annotated[
        list[int] | None, typer.Option(min=0, help="A GPU here that the endpoint runs on (repeatable).")
    ] = None,
    gpu_model: Annotated[
        str | None, typer.Option(help="The endpoint's GPU, or another than the plan's, by its catalog name.")
    ] = None,
    note: Note = None,
    as_json: Json = False,
) -> None:
    """Measure a plan, or one model by hand; every run is landed, a failed one too."""
    settings = Settings.from_environment()
    changes: dict[str, Any] = {
        "request_set": request_set,
        "length_control": length,
        "server_options": server_config,
    }
    changes["server"] = _server(container, container_client, endpoint, gpu_index)
    if length is None and request_set not in (None, "synthetic"):
        changes["length_control"] = LengthControl.NATURAL  # what real prompts are for
    changes["server_per_point"] = server_per_point or None
    changes |= {"inference_steps": steps, "height": height, "width": width, "num_frames": frames}
    changes["weights_folder"] = None if weights_folder is None else str(weights_folder.absolute())
    if plan_file is not None:
        sweeps = sweeps_of(read_plan(plan_file), index)
        changes["gpu_model"] = gpu_model
    elif model is not None:
        options: dict[str, Any] = {
            "model_id": model,
            "task": task,
            "batch_sizes": batch_size,
            "repeats": repeats,
        }
        degrees = {"ulysses_degree": ulysses, "ring_degree": ring}
        options |= {"weights": weights, "note": note, "runtime": runtime}
        options["degrees"] = {name: degree for name, degree in degrees.items() if degree is not None}
        versions = runtime_version or _endpoint_version(
            endpoint, runtime or installed_catalog().model(model).runtime
        )
        machine = _measured_machine(endpoint, gpu_model, gpus)
        sweeps = _sweeps_by_hand(versions, machine, gpus, settings, **options)
    else:
        raise CatalogError("say what to measure: --plan FILE, or --model with --runtime-version")
    sweeps = _changed(sweeps, changes)
    rows, failure = _measure_all(sweeps, settings)
    print_rows(rows, as_json, lambda row: (row["status"], row["path"]))
    if failure is not None:
        raise failure


def measure_all(
    plans: Annotated[
        list[str], typer.Argument(metavar="PLAN[:N[+N...]]", help="Plans, or sweeps of them (from 0).")
    ],
    gpu_model: Annotated[
        str | None, typer.Option(help="Another GPU than the plans', by its catalog name.")
    ] = None,
) -> None:
    """Measure several plans at once, each on GPUs of its own as soon as enough are free.

    Sweeps of one argument share their GPUs, one after the other.
    """
    from benchmark_tasks.host.machine import usable_indices
    from benchmark_tasks.plan.host_queue import Chain, measure_chains, split_argument

    chains = []
    for number, argument in enumerate(plans, start=1):
        path, indices = split_argument(argument)
        plan = read_plan(path)
        sweeps = [sweep for index in indices or (None,) for sweep in sweeps_of(plan, index)]
        if not sweeps:
            raise JouleboardError(f"{path}: the plan has no sweeps: nothing to measure")
        name = "-".join(map(str, (number, path.stem, *indices)))
        chains.append(Chain(name, tuple(_changed(sweeps, {"gpu_model": gpu_model}))))
    measure_chains(chains, usable_indices(), Settings.from_environment(), say=say)


def _server(
    image: str | None, client: str, endpoint: str | None, gpu_index: list[int] | None
) -> dict[str, Any] | None:
    """Where the model server comes from, as a sweep says it; `None` leaves it as it is."""
    if image is not None and endpoint is not None:
        raise SettingsError("--container starts a server, --endpoint is one: give one of them")
    if gpu_index and endpoint is None:
        raise SettingsError("--gpu-index names an endpoint's GPUs; otherwise set CUDA_VISIBLE_DEVICES")
    if endpoint is not None:
        return {"kind": "endpoint", "url": endpoint, "gpu_indices": gpu_index or ()}
    return None if image is None else {"kind": "container", "image": image, "client": client}


def _endpoint_version(endpoint: str | None, runtime: RuntimeName) -> list[str] | None:
    if endpoint is None:
        return None
    from packaging.version import Version

    from benchmark_tasks.runtimes.endpoint import version_of
    from benchmark_tasks.runtimes.kinds import kind_of

    return [Version(version_of(endpoint, kind_of(runtime))).public]


def _measured_machine(endpoint: str | None, gpu_model: str | None, gpus: int | None) -> Machine:
    """This machine; for an endpoint, the machine that a person describes."""
    from benchmark_tasks.host.machine import this_machine
    from benchmark_tasks.results.identity import NO_GPU

    if endpoint is not None and gpu_model is not None:
        return machine_of(installed_catalog(), gpu_model, gpus)
    return this_machine(installed_catalog(), NO_GPU if gpus == 0 else gpu_model)


def _changed(sweeps: Sequence[Sweep], changes: dict[str, Any]) -> Sequence[Sweep]:
    """The sweeps with what the command line says differently."""
    from pydantic import ValidationError

    from benchmark_tasks.plan.sweep import Sweep
    from benchmark_tasks.runtimes.kinds import kind_of
    from benchmark_tasks.runtimes.server_options import read_server_options

    wanted = {name: value for name, value in changes.items() if value is not None}
    if "server_options" in wanted:
        refused = {option for sweep in sweeps for option in kind_of(sweep.runtime).refused_options}
        wanted["server_options"] = read_server_options(wanted["server_options"], refused)
    try:
        return [Sweep.model_validate({**sweep.model_dump(), **wanted}) for sweep in sweeps]
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "options"
        raise SettingsError(f"{field}: {first['msg']}") from error


def _sweeps_by_hand(
    versions: list[str] | None, machine: Machine, gpus: int | None, settings: Settings, **options: Any
) -> list[Sweep]:
    """One sweep per runtime version, on a machine; `options` are `single_sweep`'s."""
    from benchmark_tasks.plan import gpus_to_use, single_sweep, version_to_measure

    catalog = installed_catalog()
    num_gpus = gpus_to_use(machine, gpus)
    runtime = options["runtime"] or catalog.model(options["model_id"]).runtime
    chosen = versions or [
        version_to_measure(catalog, runtime, None, has_gpu=machine.has_gpu, settings=settings)
    ]
    where: dict[str, Any] = {"gpu_model": machine.gpu_model, "num_gpus": num_gpus}
    return [single_sweep(catalog, runtime_version=version, **where, **options) for version in chosen]


def _measure_all(
    sweeps: Sequence[Sweep], settings: Settings
) -> tuple[list[dict[str, str]], Exception | None]:
    """What was landed, and the failure if there was one; a defect, whose traceback tells where, first.

    A sweep that fails does not keep the others from being measured, unless they would fail alike
    (no space left, or the GPU is held).
    """
    from benchmark_tasks.run import measure as measure_sweep

    rows: list[dict[str, str]] = []
    failures: list[Exception] = []
    for number, sweep in enumerate(sweeps, start=1):
        say(f"sweep {number} of {len(sweeps)}: {sweep.label()}")
        try:
            rows += _rows(measure_sweep(sweep, settings))
        except Exception as error:  # noqa: BLE001  a defect keeps no other sweep from being measured
            failures.append(error)
            if isinstance(error, DiskFull | GpuBusy):
                break
            if len(sweeps) > 1:
                say(f"sweep {number} failed: {error}")
    if not sweeps:
        say("nothing to measure")
    defects = [error for error in failures if not isinstance(error, JouleboardError)]
    if defects:
        return rows, defects[0]
    if len(failures) > 1:
        summary = f"{len(failures)} of {len(sweeps)} sweeps failed; the first: {failures[0]}"
        return rows, type(failures[0])(summary)
    return rows, failures[0] if failures else None


def _rows(result: MeasureResult) -> list[dict[str, str]]:
    return [{"status": "landed", "path": str(path)} for path in result.landed]
