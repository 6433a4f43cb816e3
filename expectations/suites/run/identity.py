"""Identity: the run is of the model, GPUs and configuration that it names."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from benchmark_tasks.runtimes.kinds import MOCK, all_kinds
from benchmark_tasks.runtimes.weights_folder import is_content_hash
from benchmark_tasks.vocabulary import RECHECK_CAMPAIGN, ServerKind
from expectations.gate.record_facts import SEPARATOR
from expectations.suites.checks import Tolerance
from expectations.suites.landed_runs import LandedRuns
from expectations.suites.run_check import critical, ratio, warning

_GIB = 2**30
_MEMORY_SOURCE = "the driver reserves up to a tenth; a larger difference means another GPU"


def _other_gpu(runs: LandedRuns) -> pd.Series:
    def other(names: str | None, gpu_model: str) -> bool:
        entries = [runs.catalog.gpu_named(name) for name in names.split(SEPARATOR)] if names else []
        return any(entry is None or entry.gpu_model != gpu_model for entry in entries)

    return runs.each(other, "gpu_names", "gpu_model")


def _other_task(runs: LandedRuns) -> pd.Series:
    def other(model_id: str, task: str) -> bool:
        model = runs.catalog.models.get(model_id)
        return model is not None and task not in model.tasks

    return runs.each(other, "model_id", "task")


def _other_precision(runs: LandedRuns) -> pd.Series:
    def other(model_id: str, precision: str, revision: str | None) -> bool:
        model = runs.catalog.models.get(model_id)
        if model is None or is_content_hash(revision):
            return False  # of a folder, the files themselves say what they hold
        return model.weight_precision != precision

    return runs.each(other, "model_id", "weight_precision", "model_revision")


def _other_version(runs: LandedRuns) -> pd.Series:
    """Of environments; images do not list what is installed in them."""
    installed, measured = (
        runs[name].str.partition("+")[0] for name in ("installed_version", "runtime_version")
    )
    known = runs["installed_version"].notna() & (runs["server_kind"] == ServerKind.ENVIRONMENT)
    other: pd.Series = (installed != measured).where(known)
    return other


def _memory(runs: LandedRuns, extreme: Literal["least", "most"]) -> pd.Series:
    """Smallest or largest memory of the run's GPUs, as a share of the GPU model's."""
    return ratio(runs[f"{extreme}_memory_bytes"] / _GIB, runs["memory_gib"])


def _gpus_left_over(runs: LandedRuns) -> pd.Series:
    """Whether the parallel degrees do not multiply to the number of GPUs, or another kind has some."""
    replicas = runs["tensor_parallel"] * runs["data_parallel"]
    language = pd.Series(np.maximum(replicas, runs["expert_parallel"]))
    generating = runs["ulysses_degree"] * runs["ring_degree"]
    degree = language.where(runs["language"], generating)
    other_kind = generating.where(runs["language"], language) > 1
    gpus = runs["num_gpus"].clip(lower=1)
    doubling = [kind.name for kind in all_kinds() if kind.cfg_parallel]
    doubled_by_guidance = runs["runtime"].isin(doubling) & (2 * degree == gpus)
    left_over: pd.Series = ((degree != gpus) & ~doubled_by_guidance) | other_kind
    return left_over


def _has_generation_settings(runs: LandedRuns) -> pd.Series:
    settings = [runs[name].notna() for name in ("inference_steps", "height", "width", "num_frames")]
    return pd.Series(np.logical_or.reduce(settings), index=runs.table.index)


CHECKS = (
    critical(
        "not_a_recheck",
        "this run is a recheck: it is compared with what is published and does not count, unless a person"
        " releases it",
        lambda runs: runs["sweep_id"].fillna("").str.startswith(RECHECK_CAMPAIGN),
    ),
    critical(
        "not_the_mock_server",
        "the mock server was measured, not a runtime",
        lambda runs: runs["runtime_distribution"] == MOCK,
    ),
    critical(
        "model_in_catalog",
        "the model is not in the catalog",
        lambda runs: ~runs["model_id"].isin(list(runs.catalog.models)),
        observed=lambda runs: runs["model_id"],
    ),
    warning(
        "task_in_catalog",
        "the catalog does not list this task for the model",
        _other_task,
        observed=lambda runs: runs["task"],
    ),
    critical(
        "precision_as_in_catalog",
        "the catalog lists the model in another weight precision",
        _other_precision,
        observed=lambda runs: runs["weight_precision"],
    ),
    critical(
        "version_as_installed",
        "the version of the runtime is not the one that was installed",
        _other_version,
        observed=lambda runs: (
            runs["installed_version"] + " installed, measured as " + runs["runtime_version"]
        ),
    ),
    critical(
        "gpu_in_catalog",
        "the GPU model is not in the catalog, so its power cannot be judged",
        lambda runs: runs["on_gpu"] & runs["tdp_watts"].isna(),
        observed=lambda runs: runs["gpu_model"],
    ),
    critical(
        "gpu_count_fits_gpu",
        "the number of GPUs and the GPU model contradict each other",
        lambda runs: runs["on_gpu"] != (runs["num_gpus"] > 0),
    ),
    critical(
        "gpu_is_the_one_named",
        "the GPU of the machine is not the GPU model of the configuration",
        lambda runs: _other_gpu(runs).where(runs["completed"] & runs["on_gpu"]),
        observed=lambda runs: (
            runs["gpu_names"].fillna("").str.replace(SEPARATOR, ", ") + " measured as " + runs["gpu_model"]
        ),
    ),
    critical(
        "gpus_all_seen",
        "the record lists more or fewer GPUs than the configuration, or one of them twice",
        lambda runs: (
            (runs["gpus_seen"] != runs["num_gpus"]) | (runs["gpus_listed"] != runs["num_gpus"])
        ).where(runs["completed"] & runs["on_gpu"]),
    ),
    critical(
        "text_has_no_steps",
        "a run of text has steps, a size or frames, which only generated images and videos have",
        lambda runs: runs["language"] & _has_generation_settings(runs),
    ),
    critical(
        "gpu_memory_too_small",
        "the GPU has less memory than its GPU model",
        lambda runs: _memory(runs, "least"),
        within=Tolerance(0.85, None, "of the GPU's memory", _MEMORY_SOURCE),
    ),
    critical(
        "gpu_memory_too_large",
        "the GPU has more memory than its GPU model",
        lambda runs: _memory(runs, "most"),
        within=Tolerance(None, 1.1, "of the GPU's memory", _MEMORY_SOURCE),
    ),
    critical(
        "parallelism_fills_gpus",
        "the parallel degrees do not multiply to the number of GPUs",
        _gpus_left_over,
    ),
)
