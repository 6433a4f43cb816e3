"""`jouleboard measure` and `measure-all`: sweeps of a plan, or one that is described by options."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark_tasks.cli.inputs import installed_catalog, listing_of, machine_of, read_plan, sweeps_of
from benchmark_tasks.cli.options import Json, Note, RepeatsByHand, SleepLevels, WeightsOption, require_idle
from benchmark_tasks.cli.output import print_rows, say
from benchmark_tasks.errors import (
    CatalogError,
    DiskFull,
    GpuBusy,
    JouleboardError,
    SettingsError,
    first_problem,
    what_is_wrong,
)
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import AnswerForm, LengthControl, RuntimeName, Task, Weights

if TYPE_CHECKING:
    from benchmark_tasks.host.device_lock import Held
    from benchmark_tasks.host.machine import Machine
    from benchmark_tasks.plan.sweep import Plan, Sweep
    from benchmark_tasks.run import MeasureResult


PlanFile = Annotated[Path | None, typer.Option("--plan", help="Measure the sweeps of this file.")]
Index = Annotated[int | None, typer.Option(min=0, help="Only this sweep of the plan (from 0).")]
ModelId = Annotated[str | None, typer.Option(help="Model to measure, without --plan.")]
TaskOption = Annotated[Task, typer.Option(help="Task to measure, without --plan.")]
BatchSizes = Annotated[list[int] | None, typer.Option(min=1, help="Batch size (repeatable).")]
Rates = Annotated[
    list[str] | None,
    typer.Option(
        metavar="RATE",
        help="Without --plan: let requests arrive by themselves, so many per second (2.5, at most 1,000;"
        " 0: idle, the model loaded) or a share of the closed-loop maximum that was measured (50%);"
        " repeatable. The batch size is the most that is answered at once.",
    ),
]
Burstiness = Annotated[
    float | None,
    typer.Option(
        help="With --rate: shape of the gamma distribution of gaps, 0.01 to 1,000; 1 is Poisson, less is"
        " burstier."
    ),
]
Versions = Annotated[list[str] | None, typer.Option(help="Release (repeatable).")]
GpusToUse = Annotated[
    int | None, typer.Option(min=0, help="GPUs to use; default: 1, or 0 on a machine without a GPU.")
]
RequestSet = Annotated[str | None, typer.Option(help="A data set of the task, or synthetic.")]
Prompts = Annotated[
    Path | None,
    typer.Option(
        help="File with prompts of your own: JSON lines, Parquet or CSV, with a field `prompt` or `messages`."
    ),
]
MaxOutput = Annotated[int | None, typer.Option(min=1, help="Longest answer, tokens.")]
Temperature = Annotated[float | None, typer.Option(min=0, max=2, help="Temperature of sampling.")]
RequestSeed = Annotated[int | None, typer.Option(min=0, help="Seed of synthetic prompts, lengths and order.")]
KeepAnswers = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Keep the text of the answers of so many first requests in the bundle. "
        "Default: 32 of a data set on the hub; none of your own prompts, none of synthetic ones.",
    ),
]
AnswerFormOption = Annotated[
    AnswerForm | None,
    typer.Option(
        help="With --prompts: grade the answers after the load. What the right answer is: the letter of a"
        " choice, a number, or an exact text."
    ),
]
AnswerColumn = Annotated[
    str | None,
    typer.Option(
        help="With --answer-form: the field of the file with the right answer; `answer` if none is named."
    ),
]
Choices = Annotated[
    int | None,
    typer.Option(min=2, max=26, help="With --answer-form choice: how many letters there are to choose from."),
]
Length = Annotated[LengthControl | None, typer.Option(help="How answers end.")]
OtherRuntime = Annotated[
    RuntimeName | None, typer.Option(help="Without --plan: another runtime than the catalog's.")
]
Steps = Annotated[int | None, typer.Option(min=1, help="Denoising steps of an image or video.")]
Height = Annotated[int | None, typer.Option(min=1, help="Height of an image or video, pixels.")]
Width = Annotated[int | None, typer.Option(min=1, help="Width of an image or video, pixels.")]
Frames = Annotated[int | None, typer.Option(min=1, help="Frames of a video.")]
Ulysses = Annotated[int | None, typer.Option(min=1, help="Without --plan: Ulysses degree.")]
Ring = Annotated[int | None, typer.Option(min=1, help="Without --plan: ring degree.")]
WeightsFolder = Annotated[
    Path | None,
    typer.Option(
        help="Folder with real weights, in the form that the hub has: config.json, tokenizer, .safetensors."
        " Its content is hashed: the hash is the revision."
    ),
]
ServerPerPoint = Annotated[bool, typer.Option(help="Restart the server for every batch size.")]
ServerConfig = Annotated[
    Path | None, typer.Option(help="YAML file with further options for the runtime, in its own format.")
]
ServerEnv = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[=VALUE]",
        help="An environment variable for the runtime (repeatable). It is recorded in each run.",
    ),
]
Container = Annotated[
    str | None,
    typer.Option(
        metavar="IMAGE", help="Start the server in this image; {version} is replaced by the release."
    ),
]
ContainerClient = Annotated[str, typer.Option(help="Program that starts the container: docker or podman.")]
Endpoint = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Measure a server that is already running: http://host:port."),
]
GpuIndices = Annotated[
    list[int] | None,
    typer.Option(min=0, help="Index of a GPU of this machine that the endpoint runs on (repeatable)."),
]
OtherGpu = Annotated[
    str | None,
    typer.Option(
        help="GPU model of the endpoint, or another GPU model than the plan's; its name in the catalog."
    ),
]


def measure(
    plan_file: PlanFile = None,
    index: Index = None,
    model: ModelId = None,
    task: TaskOption = Task.LM_ARENA_CHAT,
    batch_size: BatchSizes = None,
    rate: Rates = None,
    burstiness: Burstiness = None,
    sleep: SleepLevels = None,
    runtime_version: Versions = None,
    gpus: GpusToUse = None,
    repeats: RepeatsByHand = 1,
    weights: WeightsOption = None,
    request_set: RequestSet = None,
    prompts: Prompts = None,
    max_output_tokens: MaxOutput = None,
    temperature: Temperature = None,
    request_seed: RequestSeed = None,
    keep_answers: KeepAnswers = None,
    answer_form: AnswerFormOption = None,
    answer_column: AnswerColumn = None,
    choices: Choices = None,
    length: Length = None,
    runtime: OtherRuntime = None,
    steps: Steps = None,
    height: Height = None,
    width: Width = None,
    frames: Frames = None,
    ulysses: Ulysses = None,
    ring: Ring = None,
    weights_folder: WeightsFolder = None,
    server_per_point: ServerPerPoint = False,
    server_config: ServerConfig = None,
    server_env: ServerEnv = None,
    container: Container = None,
    container_client: ContainerClient = "docker",
    endpoint: Endpoint = None,
    gpu_index: GpuIndices = None,
    gpu_model: OtherGpu = None,
    note: Note = None,
    as_json: Json = False,
) -> None:
    """Measure a plan, or one model by hand; every run is landed, a failed one too."""
    from benchmark_tasks.plan import chosen_requests

    settings = Settings.from_environment()
    requests = chosen_requests(
        prompts=None if prompts is None else prompts.absolute(),
        request_set=request_set,
        length=length,
        answer_form=answer_form,
        answer_column=answer_column,
        choices=choices,
        max_output_tokens=max_output_tokens,
        temperature=temperature,
        request_seed=request_seed,
        keep_answers=keep_answers,
    )
    server = _server(container, container_client, endpoint, gpu_index)
    serving = {
        "server": server,
        "server_options": server_config,
        "server_environment": _variables(server_env),
        "server_per_point": server_per_point or None,
    }
    generation = {"inference_steps": steps, "height": height, "width": width, "num_frames": frames}
    changes: dict[str, Any] = {**requests, **serving, **generation}
    turns = None
    _require_rates_possible(rate, burstiness, batch_size, plan_file)
    require_idle(sleep, rate)
    if plan_file is not None:
        plan = read_plan(plan_file)
        sweeps, turns = sweeps_of(plan, index), plan if plan.same_gpus else None
        changes |= {"gpu_model": gpu_model, "weights_folder": weights_folder}
    elif model is not None:
        runtime = runtime or installed_catalog().model(model).runtime
        versions = runtime_version or _endpoint_version(endpoint, runtime, settings.endpoint_key)
        machine = _measured_machine(endpoint, gpu_model, gpus)
        if endpoint is None:
            _require_gpu_or_wish(model, task, machine, gpu_model, gpus)
        options: dict[str, Any] = {
            "model_id": model,
            "task": task,
            "batch_sizes": batch_size,
            "repeats": repeats,
        }
        if endpoint is not None:
            weights = weights or Weights.REAL  # what it loads, only its owner knows
        options |= {"weights": weights, "note": note, "degrees": _degrees(ulysses, ring)}
        if weights_folder is not None:
            options["weights_folder"] = str(weights_folder.absolute())
        sweeps = _sweeps_by_hand(runtime, versions, machine, gpus, settings, **options)
    else:
        raise CatalogError("nothing to measure was given: use --plan FILE, or --model with --runtime-version")
    sweeps = _changed(sweeps, changes)
    if rate:
        sweeps = _at_rates(sweeps, rate, burstiness, sleep or (), settings)
    if turns is not None:
        anew = tuple(_changed(turns.anew, changes)) if index is None else ()
        turns = turns.model_copy(update={"sweeps": tuple(sweeps), "anew": anew})
    rows, failure = _measure_each(sweeps, settings, None) if turns is None else _in_turns(turns, settings)
    print_rows(rows, as_json, lambda row: (row["status"], row["path"]))
    if failure is not None:
        raise failure


def measure_all(
    plans: Annotated[
        list[str],
        typer.Argument(metavar="PLAN[:N[+N...]]", help="Plans; with numbers, only these sweeps (from 0)."),
    ],
    gpu_model: Annotated[
        str | None, typer.Option(help="Another GPU model than the plans'; its name in the catalog.")
    ] = None,
    server_env: ServerEnv = None,
) -> None:
    """Measure several plans at once, each on its own GPUs as soon as enough are free.

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
        changes = {"gpu_model": gpu_model, "server_environment": _variables(server_env)}
        chains.append(Chain(name, tuple(_changed(sweeps, changes))))
    measure_chains(chains, usable_indices(), Settings.from_environment(), say=say)


def _server(
    image: str | None, client: str, endpoint: str | None, gpu_index: list[int] | None
) -> dict[str, Any] | None:
    """Where the model server comes from, as a sweep says it; `None` leaves it as it is."""
    if image is not None and endpoint is not None:
        raise SettingsError(
            "--container starts a server, --endpoint names a running one: they cannot be used together"
        )
    if gpu_index and endpoint is None:
        from benchmark_tasks.meters.vendors import vendor_here

        variable = vendor_here().visible_variable
        raise SettingsError(f"--gpu-index needs --endpoint; without an endpoint, set {variable}")
    if endpoint is not None:
        from pydantic import ValidationError

        from benchmark_tasks.runtimes.launch import AtEndpoint

        try:
            return AtEndpoint(url=endpoint, gpu_indices=tuple(gpu_index or ())).model_dump()
        except ValidationError as error:
            first = error.errors()[0]
            option = "--gpu-index" if first["loc"][0] == "gpu_indices" else "--endpoint"
            raise SettingsError(f"{option}: {what_is_wrong(first)}") from error
    return None if image is None else {"kind": "container", "image": image, "client": client}


def _require_rates_possible(
    rate: list[str] | None, burstiness: float | None, batch_size: list[int] | None, plan_file: Path | None
) -> None:
    if rate and plan_file is not None:
        raise SettingsError("--rate cannot change a plan: the plan says its loads; use --model")
    if rate and len(set(batch_size or ())) > 1:
        raise SettingsError("--rate needs one --batch-size: the most that is answered at once")
    if burstiness is not None and (not rate or burstiness <= 0):
        raise SettingsError("--burstiness needs --rate, and a number above 0")


def _at_rates(
    sweeps: Sequence[Sweep],
    rates: list[str],
    burstiness: float | None,
    sleep_levels: Sequence[int],
    settings: Settings,
) -> list[Sweep]:
    """The sweeps as open loops; what was landed is read only if a rate is a share of it."""
    from benchmark_tasks.plan import at_rates, read_rate
    from benchmark_tasks.results.identity import POISSON

    shares = any(is_share for _, is_share in map(read_rate, rates))
    runs = [run for run, _ in listing_of(settings).runs] if shares else []
    shape = POISSON if burstiness is None else burstiness
    return [at_rates(sweep, rates, runs, burstiness=shape, sleep_levels=sleep_levels) for sweep in sweeps]


def _variables(wanted: list[str] | None) -> dict[str, str] | None:
    """`NAME=VALUE`, or `NAME` with the value that it has here; `None` leaves a sweep as it is."""
    if not wanted:
        return None
    variables = {}
    for text in wanted:
        name, separator, value = text.partition("=")
        if not separator and name not in os.environ:
            raise SettingsError(f"--server-env {name}: the variable is not set here; give {name}=VALUE")
        variables[name] = value if separator else os.environ[name]
    return variables


def _endpoint_version(endpoint: str | None, runtime: RuntimeName, key: str | None) -> list[str] | None:
    if endpoint is None:
        return None
    from packaging.version import Version

    from benchmark_tasks.runtimes.endpoint import version_of
    from benchmark_tasks.runtimes.kinds import kind_of

    return [Version(version_of(endpoint, kind_of(runtime), key)).public]


def _measured_machine(endpoint: str | None, gpu_model: str | None, gpus: int | None) -> Machine:
    """This machine; for an endpoint, the machine that a person describes."""
    from benchmark_tasks.host.machine import this_machine
    from benchmark_tasks.results.identity import NO_GPU

    if endpoint is not None and gpu_model is not None:
        return machine_of(installed_catalog(), gpu_model, gpus)
    return this_machine(installed_catalog(), NO_GPU if gpus == 0 else gpu_model)


def _require_gpu_or_wish(
    model: str, task: Task, machine: Machine, gpu_model: str | None, gpus: int | None
) -> None:
    """A model of GPUs goes to the CPU only if that is asked for, by number or by name."""
    from benchmark_tasks.plan import require_gpu_or_wish
    from benchmark_tasks.results.identity import NO_GPU

    wanted = 0 if gpu_model == NO_GPU else gpus
    require_gpu_or_wish(installed_catalog().model(model), task, machine, wanted=wanted)


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
    if "weights_folder" in wanted:
        models = sorted({sweep.model_id for sweep in sweeps})
        if len(models) > 1:
            raise SettingsError(f"--weights-folder: the plan has {len(models)} models: choose one by --index")
        wanted |= {"weights_folder": str(wanted["weights_folder"].absolute()), "weights_revision": None}
    try:
        return [
            Sweep.model_validate({**sweep.model_dump(), **wanted, **_data_set_of(sweep, wanted)})
            for sweep in sweeps
        ]
    except ValidationError as error:
        raise SettingsError(first_problem(error, "options")) from error


def _data_set_of(sweep: Sweep, wanted: dict[str, Any]) -> dict[str, Any]:
    """The entry of another request set, for the sweep to carry if it is not a shipped one."""
    if "request_set" not in wanted or "data_set" in wanted:
        return {}
    return {"data_set": installed_catalog().added_data_set(sweep.task, wanted["request_set"])}


def _degrees(ulysses: int | None, ring: int | None) -> dict[str, int]:
    """How an image or video model is spread, as far as it was said."""
    degrees = {"ulysses_degree": ulysses, "ring_degree": ring}
    return {name: degree for name, degree in degrees.items() if degree is not None}


def _sweeps_by_hand(
    runtime: RuntimeName,
    versions: list[str] | None,
    machine: Machine,
    gpus: int | None,
    settings: Settings,
    **options: Any,
) -> list[Sweep]:
    """One sweep per runtime version, on a machine; `options` are `single_sweep`'s."""
    from benchmark_tasks.plan import gpus_to_use, single_sweep, version_to_measure

    catalog = installed_catalog()
    where: dict[str, Any] = {"gpu_model": machine.gpu_model, "num_gpus": gpus_to_use(machine, gpus)}
    chosen = versions or [
        version_to_measure(catalog, runtime, None, has_gpu=machine.has_gpu, settings=settings)
    ]
    return [
        single_sweep(catalog, runtime=runtime, runtime_version=version, **where, **options)
        for version in chosen
    ]


def _in_turns(plan: Plan, settings: Settings) -> tuple[list[dict[str, str]], Exception | None]:
    """What was landed, and the failure, as `_measure_each`: all sweeps on the GPUs that the first one gets.

    Those are the ones that the plan names, if they are here and free; on others its sweeps begin anew.
    """
    from benchmark_tasks.measuring.devices import are_held, hold_for

    if not plan.sweeps:
        return _measure_each((), settings, None)
    try:
        with hold_for(plan.sweeps, settings.home, plan.gpu_uuids) as held:
            if not plan.anew or are_held(plan.gpu_uuids, held):
                return _measure_each(plan.sweeps, settings, held)
            say(f"not free or not here: {', '.join(plan.gpu_uuids)}; all turns are measured on other GPUs")
            return _measure_each(plan.anew, settings, held)
    except JouleboardError as error:
        return [], error


def _measure_each(
    sweeps: Sequence[Sweep], settings: Settings, held: Held | None
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
            rows += _rows(measure_sweep(sweep, settings, held=held))
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
