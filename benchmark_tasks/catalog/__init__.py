"""Models, tasks, GPUs and what to watch upstream: typed YAML, one file per model.

The catalog says what exists and what to measure; it never holds a measured value. `load()` reads the
shipped catalog (`data/`), or another folder of the same layout:

    tasks/<task>.yaml  gpus/<gpu>.yaml  models/<organisation>__<name>.yaml  watch.yaml  canaries.yaml
    housekeeping.yaml

An installation adds to it without touching it (`overlay`, in practice `$JOULEBOARD_HOME/catalog`):

    gpus/<gpu>.yaml                         more GPUs
    models/<organisation>__<name>.yaml      more models, or other entries for shipped ones
    revisions/<organisation>__<name>.yaml   which revision of a model is measured (`releases/revisions.py`)
    tasks/<task>.yaml                       data sets of a task, on the hub or in files; its default requests
    objectives/<name>.yaml                  more latency objectives, or other ceilings for shipped ones
    watch/<project>.yaml                    more projects whose releases are watched, or other policies
    canaries.yaml, housekeeping.yaml        sections that replace those of the shipped policy

A YAML file of the overlay that nothing would read is refused: what it says would count for nothing.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from benchmark_tasks.catalog.canaries import Canary, CanaryPolicy
from benchmark_tasks.catalog.gpus import GpuEntry
from benchmark_tasks.catalog.housekeeping import Housekeeping, Weekly
from benchmark_tasks.catalog.models import Deployment, Model, ModelArchitecture, ModelTask
from benchmark_tasks.catalog.objectives import Objective
from benchmark_tasks.catalog.reading import Entry, read
from benchmark_tasks.catalog.revisions import Revisions
from benchmark_tasks.catalog.tasks import (
    AnswerKey,
    DataSetEntry,
    LengthDistribution,
    PromptForm,
    RequestDefaults,
    SyntheticMedia,
    TaskAddition,
    TaskEntry,
)
from benchmark_tasks.catalog.watch import Asking, HubWatch, Watch, WatchedFamily, WatchedProject
from benchmark_tasks.errors import CatalogError
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.results.record import Record
from benchmark_tasks.vocabulary import RuntimeName, Task

__all__ = [
    "AnswerKey",
    "Asking",
    "Canary",
    "CanaryPolicy",
    "Catalog",
    "DataSetEntry",
    "Deployment",
    "GpuEntry",
    "Housekeeping",
    "HubWatch",
    "LengthDistribution",
    "Model",
    "ModelArchitecture",
    "ModelTask",
    "PromptForm",
    "RequestDefaults",
    "Revisions",
    "SyntheticMedia",
    "TaskAddition",
    "TaskEntry",
    "Watch",
    "WatchedFamily",
    "WatchedProject",
    "Weekly",
    "load",
    "load_housekeeping",
]

SHIPPED = Path(__file__).parent / "data"
HOUSEKEEPING_FILE = "housekeeping.yaml"
CANARIES_FILE = "canaries.yaml"
OVERLAY_FOLDERS = ("gpus", "models", "objectives", "revisions", "tasks", "watch")
OVERLAY_FILES = (CANARIES_FILE, HOUSEKEEPING_FILE)

Key = TypeVar("Key")


class Catalog(Record):
    """Everything that can be measured. Look-ups that find nothing raise `CatalogError`.

    added: ids of models that are not, or not in this way, in the shipped catalog. added_data_sets: names of
        data sets that are not in it.
    """

    models: dict[str, Model]
    tasks: dict[Task, TaskEntry]
    gpus: dict[str, GpuEntry]
    watch: Watch
    canaries: CanaryPolicy = CanaryPolicy()
    objectives: dict[str, Objective] = {}
    added: tuple[str, ...] = Field(default=(), exclude=True)
    added_data_sets: tuple[str, ...] = Field(default=(), exclude=True)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the parsed content: comments, layout and file order do not change it."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def model(self, model_id: str) -> Model:
        """The model of that id, whatever the case of its letters."""
        if model_id in self.models:
            return self.models[model_id]
        lowered = {known.lower(): known for known in self.models}
        if model_id.lower() in lowered:
            return self.models[lowered[model_id.lower()]]
        close = difflib.get_close_matches(model_id.lower(), lowered, n=1)
        hint = (
            f"did you mean {lowered[close[0]]}?"
            if close
            else "add a file under benchmark_tasks/catalog/data/models"
        )
        raise CatalogError(f"model {model_id!r} is not in the catalog; {hint}")

    def with_models(self, models: Iterable[Model]) -> Catalog:
        """This catalog with further models, or other entries for its own."""
        more = {model.model_id: model for model in models}
        return self._with(models={**self.models, **more}, added=(*self.added, *more))

    def with_projects(self, projects: Iterable[WatchedProject]) -> Catalog:
        """This catalog with further watched projects, or other entries for its own."""
        watched = {entry.project: entry for entry in (*self.watch.projects, *projects)}
        return self._with(watch=self.watch.model_copy(update={"projects": tuple(watched.values())}))

    def with_task_additions(self, additions: Iterable[TaskAddition]) -> Catalog:
        """This catalog with further data sets, and other default requests, of its tasks.

        Raises:
            CatalogError: a data set has the name of another one, or there is no such request set.
        """
        tasks, names = dict(self.tasks), list(self.added_data_sets)
        for addition in additions:
            tasks[addition.task] = _with_addition(tasks[addition.task], addition, tasks.values())
            names += addition.data_sets
        return self._with(tasks=tasks, added_data_sets=tuple(names))

    def _with(self, **changes: Any) -> Catalog:
        # Not `model_copy`, which would copy a hash that was computed already.
        return Catalog(**{name: getattr(self, name) for name in Catalog.model_fields} | changes)

    def added_data_set(self, task: Task, name: str) -> DataSetEntry | None:
        """A data set that is not in the shipped catalog, for sweeps to carry; `None` for any other name."""
        return self.tasks[task].data_sets.get(name) if name in self.added_data_sets else None

    def gpu_named(self, driver_name: str) -> GpuEntry | None:
        """The GPU that its driver calls `driver_name` ("NVIDIA H200"); `None` if the catalog lacks it."""
        for gpu in self.gpus.values():
            if any(re.match(pattern, driver_name) for pattern in gpu.driver_names):
                return gpu
        return None

    def watched(self, project: str) -> WatchedProject:
        """The watched project of that name."""
        for entry in self.watch.projects:
            if entry.project == project:
                return entry
        known = ", ".join(entry.project for entry in self.watch.projects)
        raise CatalogError(f"{project!r} is not watched; catalog/data/watch.yaml has {known}")

    def project_of(self, runtime: RuntimeName) -> WatchedProject:
        """The project that provides a runtime."""
        for entry in (*self.watch.projects, *self.watch.on_demand):
            if entry.runtime == runtime:
                return entry
        raise CatalogError(f"no project in catalog/data/watch.yaml provides {runtime}")


def load(directory: Path | None = None, *, overlay: Path | None = None) -> Catalog:
    """Read and check every file of the catalog, and of an installation's overlay if it has one.

    Raises:
        CatalogError: names file, line and field of the first thing wrong.
    """
    root = directory or SHIPPED
    gpus = _read_all(root / "gpus", GpuEntry, lambda gpu: gpu.gpu_model)
    if overlay is not None:
        _refuse_unread(overlay)
        gpus |= _added_gpus(gpus, overlay)
    context = {"gpu_models": {*gpus, NO_GPU}}
    shipped = Catalog(
        gpus=gpus,
        tasks=_read_all(root / "tasks", TaskEntry, lambda entry: entry.task),
        models=_read_all(root / "models", Model, lambda model: model.model_id, context),
        watch=read(root / "watch.yaml", Watch, context=context),
        canaries=_policy(root / CANARIES_FILE, CanaryPolicy, overlay),
    )
    if overlay is None:
        return shipped
    projects = _read_folder(overlay / "watch", WatchedProject, lambda entry: entry.project)
    additions = _read_folder(overlay / "tasks", TaskAddition, lambda entry: entry.task)
    with_tasks = shipped.with_projects(projects.values()).with_task_additions(additions.values())
    objectives = _read_folder(overlay / "objectives", Objective, lambda entry: entry.objective)
    return with_tasks._with(objectives=objectives).with_models(_added(shipped, overlay, context))


def load_housekeeping(*, overlay: Path | None = None) -> Housekeeping:
    """What to keep and for how long: the shipped policy, with the sections that the overlay replaces.

    It is no part of `Catalog`: it changes nothing that is published.

    Raises:
        CatalogError: names file, line and field of the first thing wrong.
    """
    return _policy(SHIPPED / HOUSEKEEPING_FILE, Housekeeping, overlay)


def _refuse_unread(overlay: Path) -> None:
    for path in sorted(overlay.rglob("*")):
        inside = path.relative_to(overlay)
        hidden = any(part.startswith(".") for part in inside.parts)
        if hidden or path.suffix.lower() not in (".yaml", ".yml") or not path.is_file():
            continue
        folder, name = str(inside.parent), path.name
        if name in OVERLAY_FILES if folder == "." else folder in OVERLAY_FOLDERS and path.suffix == ".yaml":
            continue
        places = ", ".join([*OVERLAY_FILES, *(f"{each}/*.yaml" for each in OVERLAY_FOLDERS)])
        raise CatalogError(f"{path}:1: nothing reads this file; move or remove it (read are: {places})")


def _added_gpus(shipped: dict[str, GpuEntry], overlay: Path) -> dict[str, GpuEntry]:
    """More GPUs. The limits of a shipped one are those by which its published rows were checked."""
    added = _read_folder(overlay / "gpus", GpuEntry, lambda gpu: gpu.gpu_model)
    for name in sorted(added.keys() & shipped.keys()):
        raise CatalogError(f"{overlay / 'gpus' / name}.yaml:1: the catalog has {name}; remove this file")
    return added


def _policy(shipped: Path, kind: type[Entry], overlay: Path | None) -> Entry:
    """A shipped policy, with the sections that the file of the same name in the overlay replaces."""
    policy = read(shipped, kind)
    own = None if overlay is None else overlay / shipped.name
    if own is None or not own.exists():
        return policy
    replaced = read(own, kind)
    return policy.model_copy(update={name: getattr(replaced, name) for name in replaced.model_fields_set})


def _with_addition(task: TaskEntry, addition: TaskAddition, tasks: Iterable[TaskEntry]) -> TaskEntry:
    taken = {name for entry in tasks for name in entry.data_sets}
    for name in addition.data_sets:
        if name in taken or name.startswith("synthetic"):
            raise CatalogError(f"data set {name!r} of {task.task}: there is one of this name: choose another")
    data_sets = {**task.data_sets, **addition.data_sets}
    wanted = addition.request_set
    if wanted is not None and wanted != "synthetic" and wanted not in data_sets:
        has = ", ".join(["synthetic", *data_sets])
        raise CatalogError(f"{task.task} has no request set {wanted!r}; it has: {has}")
    chosen = {"request_set": wanted, "length_control": addition.length_control}
    changes = {name: value for name, value in chosen.items() if value is not None}
    requests = task.requests.model_copy(update=changes) if task.requests else None
    return task.model_copy(update={"data_sets": data_sets, "requests": requests})


def _added(shipped: Catalog, overlay: Path, context: dict[str, set[str]]) -> Iterable[Model]:
    """The overlay's models, and those of either catalog whose revision it knows."""
    models = _read_folder(overlay / "models", Model, lambda model: model.model_id, context)
    revisions = _read_folder(overlay / "revisions", Revisions, lambda known: known.model_id)
    for model_id, known in revisions.items():
        model = models.get(model_id) or shipped.models.get(model_id)
        if model is not None:
            models[model_id] = model.model_copy(update={"revision": known.current.revision})
    return models.values()


def _read_all(
    folder: Path, kind: type[Entry], key: Callable[[Entry], Key], context: dict[str, set[str]] | None = None
) -> dict[Key, Entry]:
    """Every file of a folder that must have some, by key."""
    entries = _read_folder(folder, kind, key, context)
    if not entries:
        raise CatalogError(f"{folder}: no catalog files here; the catalog is incomplete")
    return entries


def _read_folder(
    folder: Path, kind: type[Entry], key: Callable[[Entry], Key], context: dict[str, set[str]] | None = None
) -> dict[Key, Entry]:
    """Every file of a folder, by key; a file is named after its key, so that no key comes twice."""
    entries: dict[Key, Entry] = {}
    for path in sorted(folder.glob("[!.]*.yaml")):
        entry = read(path, kind, context=context)
        name = str(key(entry)).replace("/", "__")
        if path.stem != name:
            raise CatalogError(f"{path}:1: the file of {key(entry)} must be named {name}.yaml")
        entries[key(entry)] = entry
    return entries
