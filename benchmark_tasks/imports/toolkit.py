"""ML.ENERGY's raw results and compiled Parquet, read by their own package `mlenergy-data`.

The package is optional and imported only here: the leaderboard layout needs none of it. The
rows that it reads get the same checks; these files have no histograms of output lengths.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmark_tasks.errors import ImportRefused
from benchmark_tasks.imports.leaderboard import Measurement, check_row
from benchmark_tasks.imports.rows import Model, Row, row_type
from benchmark_tasks.vocabulary import Architecture, Task

COMPILED = ("runs/llm.parquet", "runs/diffusion.parquet")
"""Layout of the compiled data set; raw results lie under llm/ and diffusion/ instead."""


@dataclass(frozen=True)
class ToolkitResults:
    """The rows that the package read, checked and grouped by task."""

    models: dict[str, Model]
    by_task: dict[Task, list[Measurement]]
    published_on: date
    content_hash: str


def is_raw(root: Path) -> bool:
    """Whether a folder has compiled Parquet or raw results instead of the leaderboard layout."""
    if (root / "index.json").exists():
        return False
    return any((root / name).exists() for name in COMPILED) or any(
        (root / kind).is_dir() for kind in ("llm", "diffusion")
    )


def read(root: Path, tdp_watts: Mapping[str, float]) -> ToolkitResults:
    """Read and check every stable run.

    Raises:
        ImportRefused: the package is not installed, or a run does not pass a check; names the run.
    """
    frames = _load(root)
    models: dict[str, Model] = {}
    by_task: dict[Task, list[Measurement]] = {}
    digest = hashlib.sha256()
    for number, fields in enumerate(frames):
        where = f"{root}: run {number}"
        task, row = _row(fields, where)
        check_row(row, tdp_watts, f"{where} ({row.label()})")
        measurements = by_task.setdefault(task, [])
        measurements.append(Measurement(task, len(measurements), row, None))
        _remember(models, row, where)
        digest.update(row.model_dump_json().encode())
    if not by_task:
        raise ImportRefused(f"{root}: mlenergy-data found no stable run in it")
    return ToolkitResults(models, by_task, _newest(root), digest.hexdigest()[:16])


def _load(root: Path) -> Iterable[Mapping[str, Any]]:
    try:
        from mlenergy.data.records import DiffusionRuns, LLMRuns
    except ImportError as error:
        raise ImportRefused(
            f"{root}: raw results and Parquet need ML.ENERGY's own package: run `pip install mlenergy-data`"
            " in this environment, or give the leaderboard folder (index.json, tasks/, models/)"
        ) from error
    records: list[Mapping[str, Any]] = []
    for kind, compiled in zip((LLMRuns, DiffusionRuns), COMPILED, strict=True):
        try:
            if (root / compiled).exists():
                runs = kind.from_directory(root)
            elif not any((root / name).exists() for name in COMPILED):
                runs = kind.from_raw_results(root)
            else:
                continue
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise ImportRefused(f"{root}: mlenergy-data could not read it ({error})") from error
        records += runs.to_dataframe().to_dict(orient="records")
    return records


def _row(fields: Mapping[str, Any], where: str) -> tuple[Task, Row]:
    try:
        task = Task(fields["task"])
    except (KeyError, ValueError) as error:
        raise ImportRefused(f"{where}: task: {fields.get('task')!r} is not a known task") from error
    renamed = dict(fields)
    if task.architecture is Architecture.DIFFUSION:
        item = task.output_unit
        renamed[f"{item}_height"], renamed[f"{item}_width"] = fields["height"], fields["width"]
        renamed[f"energy_per_{item}_joules"] = fields["energy_per_generation_joules"]
        renamed[f"throughput_{item}s_per_sec"] = fields["throughput_generations_per_sec"]
    kind = row_type(task)
    try:
        return task, kind.model_validate(
            {name: _plain(renamed.get(name), field.annotation) for name, field in kind.model_fields.items()}
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise ImportRefused(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _plain(value: Any, annotation: Any) -> Any:
    """A frame's number as a Python number; a frame stores integers that may be missing as floats."""
    value = value.item() if hasattr(value, "item") else value
    if annotation is int and isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    return value


def _remember(models: dict[str, Model], row: Row, where: str) -> None:
    model = Model(**row.model_dump(include=set(Model.model_fields)))
    if models.setdefault(row.model_id, model) != model:
        raise ImportRefused(f"{where}: {row.model_id} has two different descriptions")


def _newest(root: Path) -> date:
    newest = max(path.stat().st_mtime for path in root.rglob("*") if path.is_file())
    return datetime.fromtimestamp(newest, UTC).date()
