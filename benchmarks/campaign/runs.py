"""The runs of a campaign: read from bundles, with the words that name them in tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run
from benchmark_tasks.vocabulary import RunStatus
from benchmarks.parts import parts_of

NOTES_OF_WHAT_RUNS_RECORD = (
    "one server for the sweep",
    "one server per batch size",
    "four client processes",
    "A",
    "B",
)
"""Notes of plans that only repeat what the record states."""

GPU_CHARACTERS = 8
"""Length to which tables cut the UUID of a GPU."""


def runs_of(folder: Path) -> list[Run]:
    """The completed runs under a folder; those of ML.ENERGY's procedure with the parts of its window.

    Raises:
        JouleboardError: a bundle is damaged, or there is none.
    """
    folders = sorted(path.parent for path in folder.rglob("run.json"))
    if not folders:
        raise JouleboardError(f"no bundle under {folder}")
    runs = [(place, bundle.verify(place)) for place in folders]
    return [_with_their_parts(place, run) for place, run in runs if run.status is RunStatus.COMPLETED]


def _with_their_parts(folder: Path, run: Run) -> Run:
    window = run.window_mlenergy
    if not is_mlenergy_procedure(run) or window is None or window.energy is None or window.sub_windows:
        return run
    window = window.model_copy(update={"sub_windows": parts_of(folder, window, Procedure().sub_windows)})
    return run.model_copy(update={"window_mlenergy": window})


def is_mlenergy_procedure(run: Run) -> bool:
    """Whether it had ML.ENERGY's fixed number of requests."""
    return any(mark.endswith("-requests") for mark in run.comparability.request_set_id.split("+"))


def by_server(runs: Sequence[Run]) -> list[tuple[Run, list[Run]]]:
    """Each run with all those of its server or pipeline, itself included."""
    served: dict[str, list[Run]] = {}
    for run in runs:
        served.setdefault(run.server.session_id if run.server else run.run_id, []).append(run)
    return [(run, siblings) for siblings in served.values() for run in siblings]


def group_of(run: Run, served: int) -> str:
    """`served`: how many runs this one's server or pipeline measured."""
    server = "one for the sweep" if served > 1 else "own server"
    sizes = [re.fullmatch(r"--max-num-seqs=(\d+)", part) for part in run.provenance.server_arguments]
    server += "".join(f" of {size[1]}" for size in sizes if size)
    parts = [run.comparability.runtime_version, server]
    if run.client and run.client.processes > 1:
        parts.append(f"{run.client.processes} client processes")
    if run.note and run.note not in NOTES_OF_WHAT_RUNS_RECORD:
        parts.append(run.note)
    return ", ".join(parts)


def gpus_of(run: Run) -> str:
    """The first characters of each GPU's UUID."""
    return "+".join(sorted(gpu.uuid.removeprefix("GPU-")[:GPU_CHARACTERS] for gpu in run.provenance.gpus))


def workload_of(run: Run) -> str:
    """Everything that two runs must share to be compared, but for batch size and version."""
    c, keys = run.configuration, run.comparability
    rate = c.load_label if c.is_open else None
    cap = keys.power_limit_watts and f"{keys.power_limit_watts:g} W"
    model = [c.model_id, c.weight_precision, keys.weights, keys.model_revision]
    parts = [*model, c.task, keys.runtime, c.where, cap, c.size]
    parts += [keys.request_set_id, keys.length_control, rate]
    return " | ".join(part for part in parts if part)
