"""The `jouleboard` command. Bodies are short: they call the functions that Airflow's tasks call.

Nothing heavy is imported before a command runs. Results go to stdout, progress and errors to
stderr; an error is one line, `error: ...`.
"""

from __future__ import annotations

import importlib
import json
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark_tasks.errors import (
    ERROR_PREFIX,
    CatalogError,
    DiskFull,
    GpuBusy,
    JouleboardError,
    SettingsError,
    one_line,
)
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import DEFAULT_RUNTIME, LengthControl, RuntimeName, Task, Weights

if TYPE_CHECKING:
    from benchmark_tasks.plan.sweep import Plan, Sweep
    from benchmark_tasks.run import MeasureResult

app = typer.Typer(
    help="An energy leaderboard of generative-AI inference: measured, audited, published.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Version = Annotated[str | None, typer.Argument(metavar="[VERSION]", help="Release; default: the latest.")]
RuntimeOption = Annotated[RuntimeName, typer.Option("--runtime", help="Inference engine.")]
GpuModel = Annotated[
    str | None, typer.Option(help="Plan for this GPU of the catalog instead of this machine's.")
]
Gpus = Annotated[int | None, typer.Option(min=0, help="How many of them.")]
Models = Annotated[list[str] | None, typer.Option("--model", help="Only this model (repeatable).")]
Tasks = Annotated[list[Task] | None, typer.Option("--task", help="Only this task (repeatable).")]
Repeats = Annotated[int | None, typer.Option(min=1, help="Completed runs wanted: 3, without a GPU 1.")]
WeightsOption = Annotated[
    Weights | None, typer.Option("--weights", help="Real or dummy weights, instead of the catalog's choice.")
]
Note = Annotated[str | None, typer.Option(help="Why; recorded in each run.")]


UsageError = typer.BadParameter.__bases__[0]
"""Typer carries its own copy of Click and exports only this child of its usage errors."""


def main() -> None:
    """Run the command; an error that a person is meant to read is one line on stderr. A defect's line
    comes below its traceback."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        sys.exit(app(prog_name="jouleboard", standalone_mode=False))
    except JouleboardError as error:
        print(f"{ERROR_PREFIX}{one_line(error)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except UsageError as error:
        _show_usage_error(error)
        sys.exit(error.exit_code)
    except typer.Abort:
        sys.exit(130)
    except Exception as error:
        traceback.print_exc()
        said = f"{type(error).__name__}: {one_line(error)}".rstrip(": ")
        print(
            f"{ERROR_PREFIX}{said}; a defect of jouleboard: report it with the lines above", file=sys.stderr
        )
        sys.exit(1)


def _show_usage_error(error: Any) -> None:
    """One line and where to read on; a command without a command is its help."""
    said = error.format_message()
    if said and "\n" not in said.strip():
        path = error.ctx.command_path if error.ctx else "jouleboard"
        print(f"{ERROR_PREFIX}{said.strip().rstrip('.')}; see `{path} --help`", file=sys.stderr)
    else:
        error.show()


def _leave(number: int, _frame: object) -> None:
    """Told to stop: unwind, so that servers are stopped and folders removed on the way out."""
    raise SystemExit(128 + number)


@app.command()
def releases(
    project: Annotated[str | None, typer.Argument(help="Default: every watched project.")] = None,
    floor: Annotated[str | None, typer.Option(help="Oldest release to list; default: the catalog's.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those below the floor.")] = False,
    as_json: Json = False,
) -> None:
    """What the package index offers; yanked releases and pre-releases are marked."""
    from benchmark_tasks.releases.index import list_releases

    settings = Settings.from_environment()
    rows = [
        release.model_dump(mode="json")
        for name, lowest in _projects(project).items()
        for release in list_releases(name, settings, floor=None if everything else floor or lowest)
    ]
    _print(rows, as_json, lambda row: (row["project"], row["version"], row["uploaded_at"], _marks(row)))


@app.command()
def plan(
    version: Version = None,
    runtime: RuntimeOption = DEFAULT_RUNTIME,
    gpu_model: GpuModel = None,
    gpus: Gpus = None,
    model: Models = None,
    task: Tasks = None,
    repeats: Repeats = None,
    weights: WeightsOption = None,
    note: Note = None,
    campaign: Annotated[str | None, typer.Option(help="Name that ties the runs together.")] = None,
    force: Annotated[bool, typer.Option(help="Plan what is landed already, too.")] = False,
    offline: Annotated[bool, typer.Option(help="Do not ask the index whether the release exists.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the plan as JSON.")] = None,
    as_json: Json = False,
) -> None:
    """What is still to be measured for a release: catalog x release - what is landed."""
    from benchmark_tasks.plan import plan_release_on

    catalog, settings = _catalog(), Settings.from_environment()
    machine = _machine(catalog, gpu_model, gpus)
    made = plan_release_on(
        [machine],
        catalog,
        _listing(settings),
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
    )
    if not made.sweeps:
        _say("nothing to measure: the catalog plans nothing of this here that is not landed")
    _write_plan(made, output)
    _print([sweep.model_dump(mode="json") for sweep in made.sweeps], as_json, _sweep_row, wrap="sweeps")


@app.command()
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
    changes = {"request_set": request_set, "length_control": length, "server_options": server_config}
    changes["server"] = _server(container, container_client, endpoint, gpu_index)
    if length is None and request_set not in (None, "synthetic"):
        changes["length_control"] = LengthControl.NATURAL  # what real prompts are for
    changes["server_per_point"] = server_per_point or None
    changes |= {"inference_steps": steps, "height": height, "width": width, "num_frames": frames}
    changes["weights_folder"] = None if weights_folder is None else str(weights_folder.absolute())
    if plan_file is not None:
        sweeps = _sweeps_of(_read_plan(plan_file), index)
        changes["gpu_model"] = gpu_model
    elif model is not None:
        options = {"model_id": model, "task": task, "batch_sizes": batch_size, "repeats": repeats}
        degrees = {"ulysses_degree": ulysses, "ring_degree": ring}
        options |= {"weights": weights, "note": note, "runtime": runtime}
        options["degrees"] = {name: degree for name, degree in degrees.items() if degree is not None}
        versions = runtime_version or _endpoint_version(endpoint, runtime or _catalog().model(model).runtime)
        machine = _measured_machine(endpoint, gpu_model, gpus)
        sweeps = _sweeps_by_hand(versions, machine, gpus, settings, **options)
    else:
        raise CatalogError("say what to measure: --plan FILE, or --model with --runtime-version")
    sweeps = _changed(sweeps, changes)
    rows, failure = _measure_all(sweeps, settings)
    _print(rows, as_json, lambda row: (row["status"], row["path"]))
    if failure is not None:
        raise failure


@app.command("measure-all")
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
        made = _read_plan(path)
        sweeps = [sweep for index in indices or (None,) for sweep in _sweeps_of(made, index)]
        if not sweeps:
            raise JouleboardError(f"{path}: the plan has no sweeps: nothing to measure")
        name = "-".join(map(str, (number, path.stem, *indices)))
        chains.append(Chain(name, tuple(_changed(sweeps, {"gpu_model": gpu_model}))))
    measure_chains(chains, usable_indices(), Settings.from_environment(), say=_say)


@app.command()
def land(
    paths: Annotated[list[Path] | None, typer.Argument(help="Bundles, or folders that hold some.")] = None,
    as_json: Json = False,
) -> None:
    """Copy bundles measured elsewhere into the landing zone; landing one twice changes nothing.

    What an outage of an object store left here is sent, too; without PATHS, only that.
    """
    from benchmark_tasks.errors import BundleError
    from benchmark_tasks.results.store import Store

    store = Store.of(Settings.from_environment())
    rows, broken = [], []
    for path in _bundles(paths or []):
        try:
            rows.append({"status": "landed", "path": str(store.land_copy(path))})
        except BundleError as error:
            broken.append(error)
    store.send()
    _print(rows, as_json, lambda row: (row["status"], row["path"]))
    if broken:
        raise BundleError(f"{len(broken)} of {len(broken) + len(rows)} not landed: {broken[0]}")


@app.command("data-set")
def data_set(
    name: Annotated[str, typer.Argument(help="A data set of the catalog's tasks, e.g. lm-arena.")],
    folder: Annotated[Path, typer.Argument(help="JOULEBOARD_DATA_SETS of the machine it is for.")],
) -> None:
    """Copy a data set from the model hub, for a machine that does not reach it."""
    from benchmark_tasks.workloads.catalog_sets import data_set_named
    from benchmark_tasks.workloads.data_sets import rows_of, save

    found = rows_of(name, data_set_named(name, _catalog().tasks), Settings.from_environment())
    print(f"{len(found.rows)} rows at {found.revision} in {save(name, found, folder)}")


@app.command()
def doctor(as_json: Json = False) -> None:
    """What this machine can measure, what is missing, and what to do about it."""
    from dataclasses import asdict

    from benchmark_tasks.doctor import examine

    diagnosis = examine(Settings.from_environment())
    rows = [asdict(finding) for finding in diagnosis.findings]
    _print(rows, as_json, lambda row: (f"[{row['state']}]", row["name"], _with_remedy(row)))
    if not diagnosis.can_measure:
        raise JouleboardError("nothing can be measured on this machine; see the lines marked broken")


# Commands that live in other packages: imported only when they are called.
_ELSEWHERE = {
    "proposals": ("benchmark_tasks.cli.proposals", (), "New models on the hub: find, show, accept, reject."),
    "import": ("benchmark_tasks.cli.imports", (), "Import results that others published."),
    "refresh": ("expectations.cli", ("refresh",), "Build the marts, audit them, publish or refuse."),
    "publications": ("expectations.cli", ("publications",), "List, show, verify or roll back publications."),
    "quarantine": ("expectations.cli", ("quarantine",), "Runs that the gate refused, and why."),
    "query": ("expectations.cli", ("query",), "Ask the current publication in SQL, read-only."),
}


def _forward(module: str, prefix: tuple[str, ...], name: str) -> Callable[[typer.Context], None]:
    def run(context: typer.Context) -> None:
        try:
            other = importlib.import_module(module)
        except ModuleNotFoundError as error:
            missing = f"`jouleboard {name}` needs {error.name}"
            raise JouleboardError(f"{missing}: install the control plane (pip install jouleboard)") from error
        command = typer.main.get_command(other.app)
        prog_name = "jouleboard" if prefix else f"jouleboard {name}"
        code = command.main([*prefix, *context.args], prog_name=prog_name, standalone_mode=False)
        if isinstance(code, int) and code:
            raise typer.Exit(code)

    return run


for _name, (_module, _prefix, _help) in _ELSEWHERE.items():
    app.command(
        _name,
        help=_help,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )(_forward(_module, _prefix, _name))


def _catalog() -> Any:
    from benchmark_tasks.catalog import load

    return load(overlay=Settings.from_environment().catalog)


def _projects(project: str | None) -> dict[str, str | None]:
    """Projects to list, each with its floor; one that is not watched has none."""
    watched = {entry.project: entry.floor for entry in _catalog().watch.projects}
    return watched if project is None else {project: watched.get(project)}


def _machine(catalog: Any, gpu_model: str | None, gpus: int | None) -> Any:
    """This machine, or the one described."""
    from benchmark_tasks.host.machine import Machine, this_machine
    from benchmark_tasks.results.identity import NO_GPU

    if gpu_model is None or (gpu_model == NO_GPU and not gpus):
        found = this_machine(catalog, gpu_model)
        return found if gpus is None else Machine(found.gpu_model, gpus)
    if gpu_model not in catalog.gpus:
        raise CatalogError(f"GPU {gpu_model!r} is not in the catalog; it has {', '.join(catalog.gpus)}")
    return Machine(gpu_model, 1 if gpus is None else gpus)


def _listing(settings: Settings) -> Any:
    from benchmark_tasks.results.store import Store

    listing = Store.of(settings).records()
    if listing.broken:
        _say(f"warning: {len(listing.broken)} broken bundles skipped: {listing.broken[0].reason}")
    return listing


def _write_plan(made: Plan, output: Path | None) -> None:
    if output is None:
        return
    try:
        output.write_text(made.model_dump_json(indent=1) + "\n")
    except OSError as error:
        raise JouleboardError(f"{output}: cannot be written: {error.strerror}") from error
    _say(f"wrote {output}")


def _read_plan(path: Path) -> Plan:
    from pydantic import ValidationError

    from benchmark_tasks.plan.sweep import Plan

    try:
        return Plan.model_validate_json(path.read_bytes())
    except OSError as error:
        raise JouleboardError(f"{path}: {error.strerror}; `jouleboard plan -o {path}` writes one") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "file"
        raise JouleboardError(f"{path}: {field}: {first['msg']}; `jouleboard plan -o` writes one") from error


def _sweeps_of(made: Plan, index: int | None) -> Sequence[Sweep]:
    if index is None:
        return made.sweeps
    if index >= len(made.sweeps):
        raise JouleboardError(f"the plan has {len(made.sweeps)} sweeps, none with index {index}")
    return [made.sweeps[index]]


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


def _measured_machine(endpoint: str | None, gpu_model: str | None, gpus: int | None) -> Any:
    """This machine; for an endpoint, the machine that a person describes."""
    from benchmark_tasks.host.machine import this_machine
    from benchmark_tasks.results.identity import NO_GPU

    if endpoint is not None and gpu_model is not None:
        return _machine(_catalog(), gpu_model, gpus)
    return this_machine(_catalog(), NO_GPU if gpus == 0 else gpu_model)


def _changed(sweeps: Sequence[Sweep], changes: dict[str, Any]) -> Sequence[Sweep]:
    """The sweeps with what the command line says differently."""
    from pydantic import ValidationError

    from benchmark_tasks.plan.sweep import Sweep
    from benchmark_tasks.runtimes.kinds import kind_of
    from benchmark_tasks.runtimes.server_options import read_server_options

    given = {name: value for name, value in changes.items() if value is not None}
    if "server_options" in given:
        refused = {option for sweep in sweeps for option in kind_of(sweep.runtime).refused_options}
        given["server_options"] = read_server_options(given["server_options"], refused)
    try:
        return [Sweep.model_validate({**sweep.model_dump(), **given}) for sweep in sweeps]
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "options"
        raise SettingsError(f"{field}: {first['msg']}") from error


def _sweeps_by_hand(
    versions: list[str] | None, machine: Any, gpus: int | None, settings: Settings, **options: Any
) -> list[Sweep]:
    """One sweep a runtime version, on a machine; `options` are `single_sweep`'s."""
    from benchmark_tasks.plan import gpus_to_use, single_sweep, version_to_measure

    catalog = _catalog()
    num_gpus = gpus_to_use(machine, gpus)
    runtime = options["runtime"] or catalog.model(options["model_id"]).runtime
    chosen = versions or [
        version_to_measure(catalog, runtime, None, has_gpu=machine.has_gpu, settings=settings)
    ]
    where = {"gpu_model": machine.gpu_model, "num_gpus": num_gpus}
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
        _say(f"sweep {number} of {len(sweeps)}: {sweep.label()}")
        try:
            rows += _rows(measure_sweep(sweep, settings))
        except Exception as error:  # a defect keeps no other sweep from being measured, either
            failures.append(error)
            if isinstance(error, DiskFull | GpuBusy):
                break
            if len(sweeps) > 1:
                _say(f"sweep {number} failed: {error}")
    if not sweeps:
        _say("nothing to measure")
    defects = [error for error in failures if not isinstance(error, JouleboardError)]
    if defects:
        return rows, defects[0]
    if len(failures) > 1:
        summary = f"{len(failures)} of {len(sweeps)} sweeps failed; the first: {failures[0]}"
        return rows, type(failures[0])(summary)
    return rows, failures[0] if failures else None


def _rows(result: MeasureResult) -> list[dict[str, str]]:
    return [{"status": "landed", "path": str(path)} for path in result.landed]


def _bundles(paths: Iterable[Path]) -> list[Path]:
    """The bundles named, and those anywhere under the folders named."""
    from benchmark_tasks.errors import BundleError
    from benchmark_tasks.results.bundle import CHECKSUMS_FILE, RUN_FILE

    found: list[Path] = []
    for path in paths:
        marked = {file.parent for name in (RUN_FILE, CHECKSUMS_FILE) for file in path.rglob(name)}
        if not marked:
            raise BundleError(f"{path}: no bundle here (a folder with {RUN_FILE} and {CHECKSUMS_FILE})")
        found += sorted(marked)
    return found


def _print(
    rows: list[dict[str, Any]],
    as_json: bool,
    columns: Callable[[dict[str, Any]], tuple[Any, ...]],
    wrap: str | None = None,
) -> None:
    """Rows as JSON (under the key `wrap`), or as aligned columns."""
    if as_json:
        print(json.dumps({wrap: rows} if wrap else rows, indent=1))
        return
    table = [[str(cell) if cell is not None else "-" for cell in columns(row)] for row in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))] if table else []
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _marks(row: dict[str, Any]) -> str:
    return ", ".join(mark for mark in ("yanked", "prerelease") if row[mark])


def _sweep_row(row: dict[str, Any]) -> tuple[Any, ...]:
    from benchmark_tasks.plan.sweep import Sweep

    sweep = Sweep.model_validate(row)
    one = sweep.configuration(sweep.points[0])
    points = " ".join(f"{point.batch_size}x{point.repeats}" for point in sweep.points)
    runtime = f"{sweep.runtime} {sweep.runtime_version}"
    return sweep.model_id, sweep.task, runtime, one.where, one.size, points


def _with_remedy(row: dict[str, Any]) -> str:
    return row["detail"] if row["remedy"] is None else f"{row['detail']} -> {row['remedy']}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
