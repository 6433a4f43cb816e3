"""Measuring again what is published: the sweep of a published configuration."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.errors import CatalogError
from benchmark_tasks.plan.single import single_sweep
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.results.identity import (
    LOAD_KEYS,
    PARALLELISM_KEYS,
    WORKLOAD_KEYS,
    Comparability,
    Configuration,
)
from benchmark_tasks.results.schema import Run
from benchmark_tasks.runtimes.weights_folder import is_content_hash
from benchmark_tasks.vocabulary import RECHECK_CAMPAIGN, Task, Weights
from benchmark_tasks.workloads.set_names import OWN_PROMPTS, name_of


def recheck_campaign(run_id: str) -> str:
    """The campaign of a recheck's runs; the gate knows them by its beginning."""
    return f"{RECHECK_CAMPAIGN}{run_id}"


def last_rechecks(runs: Iterable[Run]) -> dict[str, datetime]:
    """When each configuration was last measured again, by its id, from the runs of rechecks."""
    finished: dict[str, datetime] = {}
    for run in runs:
        key = run.configuration.configuration_id
        finished[key] = max(finished.get(key, run.finished_at), run.finished_at)
    return finished


def sweep_again(
    catalog: Catalog,
    configuration: Configuration,
    comparability: Comparability,
    *,
    repeats: int = 1,
    note: str | None = None,
) -> Sweep:
    """The sweep that measures a published configuration again, at the revision that was published.

    Placement, steps, size and frames are those that were published, not those of the catalog today.

    Raises:
        CatalogError: says why it cannot be measured again.
    """
    keys = comparability
    if "+" in keys.runtime_version or "+" in keys.request_set_id:
        raise CatalogError("it was measured by hand, with its own server options, server or load")
    sweep = single_sweep(
        _at_revision(catalog, configuration.model_id, keys) if keys.weights is Weights.REAL else catalog,
        model_id=configuration.model_id,
        task=configuration.task,
        runtime_version=keys.runtime_version,
        gpu_model=configuration.gpu_model,
        num_gpus=configuration.num_gpus,
        batch_sizes=[configuration.batch_size],
        repeats=repeats,
        weights=keys.weights,
        runtime=keys.runtime,
        note=note,
    )
    as_published = {name: getattr(configuration, name) for name in PARALLELISM_KEYS + WORKLOAD_KEYS}
    as_published |= _weights_as_published(sweep, configuration, keys)
    requests = _requests_as_published(catalog, configuration.task, keys)
    load = {name: getattr(configuration, name) for name in LOAD_KEYS}
    points = tuple(point.model_copy(update=load) for point in sweep.points)
    sweep = sweep.model_copy(update=as_published | requests | {"points": points})
    if sweep.configuration(sweep.points[0]) != configuration:
        raise CatalogError("the catalog now lists its weights in another precision")
    return sweep


def _requests_as_published(catalog: Catalog, task: Task, keys: Comparability) -> dict[str, object]:
    """The request set that was published.

    Raises:
        CatalogError: its prompts came from a file that the catalog does not name.
    """
    name = name_of(keys.request_set_id)
    if name.startswith(OWN_PROMPTS) and name not in catalog.tasks[task].data_sets:
        raise CatalogError(f"its prompts came from a file: add a data set {name!r} to the catalog's overlay")
    entry = catalog.added_data_set(task, name)
    return {"length_control": keys.length_control, "request_set": name, "data_set": entry}


def _weights_as_published(
    sweep: Sweep, configuration: Configuration, keys: Comparability
) -> dict[str, object]:
    """Where the weights come from. A folder is compared with what was published when it is read."""
    if not is_content_hash(keys.model_revision):
        return {"weights_folder": None}
    return {
        "weights_folder": sweep.weights_folder,
        "weights_revision": keys.model_revision,
        "weight_precision": configuration.weight_precision,
    }


def _at_revision(catalog: Catalog, model_id: str, keys: Comparability) -> Catalog:
    """The catalog with the model at the revision that was published.

    Raises:
        CatalogError: that revision was not recorded, and the hub may have another one now; or it is that of a
            folder, and the catalog does not say where the folder is.
    """
    model = catalog.model(model_id)
    if is_content_hash(keys.model_revision):
        if model.weights_folder is None:
            raise CatalogError(
                "its weights came from a folder: name the folder as weights_folder in the model's entry"
            )
        return catalog
    if keys.model_revision == model.revision:
        return catalog
    if keys.model_revision is None:
        raise CatalogError(f"its revision was not recorded; the catalog now has {model.revision}")
    return catalog.with_models([model.model_copy(update={"revision": keys.model_revision})])
