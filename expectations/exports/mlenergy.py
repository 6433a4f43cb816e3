"""Rows in the JSON layout of ML.ENERGY's leaderboard: what its web app and `jouleboard import mlenergy` read.

<folder>/index.json                       models, tasks, architectures, last_updated
<folder>/tasks/<task>.json                every configuration of a task
<folder>/models/<model, / as __>__<task>.json   the same rows again, with histograms of output lengths

That layout has one row per model, GPUs, parallelism and batch size. Of our rows that differ in more (release,
weights, requests, power cap) one stands for them: of the current revision, with the weights nearest to
trained ones, measured last. Every row has to pass ML.ENERGY's own checks; what does not is left out and
counted.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.errors import PublicationError
from benchmark_tasks.imports.leaderboard import Key, key_of
from benchmark_tasks.imports.rows import (
    IDENTITY_TOLERANCE,
    DiffusionRow,
    LanguageRow,
    Model,
    OutputLengths,
    Row,
    broken_checks,
    broken_histogram,
    row_type,
)
from benchmark_tasks.vocabulary import Architecture, DataSource, Task
from expectations.exports.folder import new_folder
from expectations.publications import MART_SCHEMA, Publication, attached
from expectations.sql import rows_of_query

if TYPE_CHECKING:
    import duckdb

_DEGREES = frozenset({"tensor_parallel", "expert_parallel", "data_parallel", "ulysses_degree", "ring_degree"})
_OF_MODEL = frozenset({"model_id", *Model.model_fields})


@dataclass(frozen=True)
class Exported:
    """What was written. left_out: rows by the reason why they do not fit the layout."""

    rows: int
    tasks: int
    models: int
    left_out: Mapping[str, int]

    def __str__(self) -> str:
        reasons = "".join(f"; left out {count}: {why}" for why, count in self.left_out.items())
        return f"{self.rows} rows of {self.models} models and {self.tasks} tasks{reasons}"


@dataclass(frozen=True)
class Entry:
    """A row that fits the layout; `lengths`: its histogram of output lengths, of text only."""

    task: Task
    row: Row
    lengths: OutputLengths | None


def export_mlenergy(publication: Publication, folder: Path, source: DataSource, catalog: Catalog) -> Exported:
    """Write the rows of one source in ML.ENERGY's layout into a new folder.

    Raises:
        PublicationError: no row fits, or `folder` has something in it. DiskFull.
    """
    day = date.fromisoformat(publication.manifest["published_at"][:10])
    with new_folder(folder) as target, attached(published=publication.database) as connection:
        connection.execute(f"use published.{MART_SCHEMA}")
        return write_layout(connection, target, source, catalog, day)


def write_layout(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    source: DataSource,
    catalog: Catalog,
    published_at: date,
) -> Exported:
    """Write the rows of one source from the marts of a connection.

    published_at: stands in `last_updated` unless others published the rows, on a day of their own.
    """
    entries, left_out = require_entries(connection, source, catalog)
    (said,) = rows_of_query(
        connection,
        "select max(published_on) as published_on from row_evidence where data_source = $source",
        {"source": source.value},
    )
    models = {entry.row.model_id: _model(entry.row) for entry in entries}
    by_task = {task: [one for one in entries if one.task is task] for task in Task}
    by_task = {task: found for task, found in by_task.items() if found}
    architectures: dict[str, list[str]] = {}
    for task in sorted(by_task):
        architectures.setdefault(task.architecture.value, []).append(task.value)
    (folder / "tasks").mkdir()
    (folder / "models").mkdir()
    _write(
        folder / "index.json",
        {
            "architectures": dict(sorted(architectures.items())),
            "last_updated": str(said["published_on"] or published_at),
            "models": {name: _fields(models[name]) for name in sorted(models)},
            "tasks": sorted(task.value for task in by_task),
        },
    )
    for task, found in by_task.items():
        _write_task(folder, task, found, models, catalog)
    return Exported(len(entries), len(by_task), len(models), left_out)


def require_entries(
    connection: duckdb.DuckDBPyConnection, source: DataSource, catalog: Catalog
) -> tuple[list[Entry], Counter[str]]:
    """The rows of a source that fit, and how many do not, by reason.

    Raises:
        PublicationError: none fits.
    """
    entries, left_out = _entries(connection, source, catalog)
    if not entries:
        why = "; ".join(f"{count}: {reason}" for reason, count in left_out.items()) or "there is none"
        raise PublicationError(f"no row of {source} fits ML.ENERGY's layout ({why})")
    return entries, left_out


def _entries(
    connection: duckdb.DuckDBPyConnection, source: DataSource, catalog: Catalog
) -> tuple[list[Entry], Counter[str]]:
    """The rows that fit, one per key, in the order of ids; and how many do not, by reason."""
    tdp_watts = {name: gpu.tdp_watts for name, gpu in catalog.gpus.items()}
    lengths = _lengths(connection, source)
    found: dict[Key, Entry] = {}
    left_out: Counter[str] = Counter()
    for columns in rows_of_query(
        connection,
        "select * from leaderboard where data_source = $source order by is_current_revision desc,"
        " weights_order, last_measured_at desc nulls last, leaderboard_id",
        {"source": source.value},
    ):
        if columns.get("acceptance_is_prescribed"):
            left_out["the acceptance of its drafts was prescribed"] += 1
            continue
        task = Task(columns["task"])
        entry = _entry(task, columns, lengths.get(columns["leaderboard_id"]), tdp_watts)
        if isinstance(entry, str):
            left_out[entry] += 1
        elif found.setdefault(key_of(task, entry.row), entry) is not entry:
            left_out["another row stands for the same configuration"] += 1
    return sorted(found.values(), key=lambda one: key_of(one.task, one.row)), left_out


def _entry(
    task: Task, columns: Mapping[str, Any], lengths: OutputLengths | None, tdp_watts: Mapping[str, float]
) -> Entry | str:
    """A row of the layout, or why the row does not fit."""
    kind = row_type(task)
    named = _named(task, columns)
    try:
        row: Row = kind.model_validate({name: named.get(name) for name in kind.model_fields})
    except ValidationError as error:
        return f"no {error.errors()[0]['loc'][0]}"
    broken = next(broken_checks(row, tdp_watts), None)
    if broken is None and isinstance(row, LanguageRow):
        if lengths is None:
            return "no histogram of output lengths"
        broken = next(broken_histogram(row, lengths), None)
    return f"{broken.field} does not pass ML.ENERGY's checks" if broken else Entry(task, row, lengths)


def _named(task: Task, columns: Mapping[str, Any]) -> dict[str, Any]:
    """A row under the layout's names. What ML.ENERGY defines as a product is that product, also of means."""
    energy, length = columns["energy_per_output_joules"], columns["output_tokens_per_response"]
    rate, latency, batch = (
        columns["throughput_per_second"],
        columns["batch_latency_seconds"],
        columns["batch_size"],
    )
    watts, response = columns["mean_power_watts"], columns["energy_per_response_joules"]
    named = dict(columns) | {"architecture": columns["model_architecture"], "avg_power_watts": watts}
    if task.architecture is not Architecture.DIFFUSION:
        return named | {
            "max_num_seqs": batch,
            "avg_batch_size": columns["mean_running_requests"],
            "avg_output_len": length,
            "energy_per_token_joules": energy,
            "energy_per_request_joules": _defined(response, energy, length),
            "output_throughput_tokens_per_sec": rate,
            "avg_power_watts": _defined(watts, rate, energy),
        }
    unit = task.output_unit.value
    defined_rate = _defined(rate, batch, None if latency is None else 1 / latency)
    return named | {
        "batch_latency_s": latency,
        "fps": columns["frames_per_second"],
        f"{unit}_height": columns["height"],
        f"{unit}_width": columns["width"],
        f"energy_per_{unit}_joules": energy,
        f"throughput_{unit}s_per_sec": defined_rate,
        "avg_power_watts": _defined(watts, energy, defined_rate),
    }


def _defined(stored: float | None, one: float | None, other: float | None) -> float | None:
    """What is stored, if it is the product up to rounding; else the product."""
    if stored is None or one is None or other is None:
        return None
    product = one * other
    return stored if abs(stored - product) <= IDENTITY_TOLERANCE / 2 * abs(product) else product


def _lengths(connection: duckdb.DuckDBPyConnection, source: DataSource) -> dict[str, OutputLengths]:
    """Histograms by row. Bins without answers are not in the mart: they are put back."""
    bins: dict[str, list[_Bin]] = {}
    for row in rows_of_query(
        connection,
        "select leaderboard_id, bin_start_tokens, bin_end_tokens, responses from output_length_distribution"
        " where data_source = $source order by leaderboard_id, bin_start_tokens",
        {"source": source.value},
    ):
        found = float(row["bin_start_tokens"]), float(row["bin_end_tokens"]), int(row["responses"])
        bins.setdefault(row["leaderboard_id"], []).append(found)
    return {name: _histogram(found) for name, found in bins.items()}


_Bin = tuple[float, float, int]
"""Where it begins and ends, tokens, and its responses."""


def _histogram(bins: Sequence[_Bin]) -> OutputLengths:
    """A histogram without gaps, of bins in rising order."""
    edges, counts = [bins[0][0]], list[int]()
    for begin, end, responses in bins:
        empty = max(1, round((begin - edges[-1]) / (end - begin))) if begin > edges[-1] else 0
        edges += [edges[-1] + (begin - edges[-1]) * part / empty for part in range(1, empty)]
        edges += [begin, end] if empty else [end]
        counts += [*[0] * empty, responses]
    return OutputLengths(bins=edges, counts=counts)


def _sum(histograms: Iterable[OutputLengths]) -> OutputLengths | None:
    """Histograms added up, in the widest of their bins; `None` where others do not lie within these."""
    bins = [
        (low, high, count)
        for each in histograms
        for low, high, count in zip(each.bins, each.bins[1:], each.counts, strict=False)
        if count
    ]
    width, origin = max((high - low, low) for low, high, _ in bins)
    added: Counter[int] = Counter()
    for low, high, count in bins:
        place = math.floor((low - origin) / width + _ROUNDING)
        if high > origin + (place + 1 + _ROUNDING) * width:
            return None
        added[place] += count
    places = range(min(added), max(added) + 1)
    edges = [origin + place * width for place in (*places, places[-1] + 1)]
    return OutputLengths(bins=edges, counts=[added[place] for place in places])


_ROUNDING = 1e-6
"""Part of a bin by which edges of one grid may differ."""


def _model(row: Row) -> Model:
    return Model(**row.model_dump(include=set(Model.model_fields)))


def _fields(model: Model) -> dict[str, Any]:
    return model.model_dump(exclude_none=True)


def _write_task(
    folder: Path, task: Task, entries: Sequence[Entry], models: Mapping[str, Model], catalog: Catalog
) -> None:
    extra = {"architecture": "diffusion"} if task.architecture is Architecture.DIFFUSION else {}
    configurations = [one.row.model_dump(exclude_none=True) for one in entries]
    named = {"task": task.value, "task_display_name": catalog.tasks[task].display_name}
    _write(folder / "tasks" / f"{task}.json", {**extra, "configurations": configurations, **named})
    for model_id in dict.fromkeys(one.row.model_id for one in entries):
        mine = [one for one in entries if one.row.model_id == model_id]
        content = {"model_id": model_id, "task": task.value} | _fields(models[model_id])
        content["configurations"] = [_repeated(one) for one in mine]
        lengths = [one.lengths for one in mine if one.lengths is not None]
        if lengths and (added := _sum(lengths)) is not None:  # without it, the web app draws none of them
            content["output_length_distribution"] = added.model_dump()
        _write(folder / "models" / f"{model_id.replace('/', '__')}__{task}.json", content)


def _repeated(entry: Entry) -> dict[str, Any]:
    """The row as in the model's file: degrees apart, with the histogram."""
    values = entry.row.model_dump(exclude=set(_OF_MODEL))
    fields = {name: value for name, value in values.items() if name not in _DEGREES}
    fields["parallelization"] = {name: value for name, value in values.items() if name in _DEGREES}
    if entry.lengths is not None and not isinstance(entry.row, DiffusionRow):
        fields["output_length_distribution"] = entry.lengths.model_dump()
    return fields


def _write(path: Path, content: Mapping[str, Any] | Iterable[Any]) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
