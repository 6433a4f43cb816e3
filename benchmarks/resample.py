"""Grows the published data by resampling: new model ids, distributions kept, every identity intact.

Copy 0 is the original. In each further copy a model gets a new id, and each of its rows power and
latency of the original scaled by two random factors near 1, and what follows from them scaled
alike, so that the import's checks hold. The few repeat measurements are in copy 0 only.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from benchmark_tasks.imports.rows import MAX_LITTLE_RATIO, MIN_WATTS_PER_GPU

BY_POWER = ("avg_power_watts", "energy_per_token_joules", "energy_per_request_joules")
BY_LATENCY = ("median_itl_ms", "p90_itl_ms", "p95_itl_ms", "p99_itl_ms", "batch_latency_s")
BY_BOTH = ("energy_per_image_joules", "energy_per_video_joules")
BY_SPEED = ("throughput_images_per_sec", "throughput_videos_per_sec")
LARGEST_CHANGE = 0.03
"""Power is scaled by 0.97 to 1 (upwards it would pass the TDP), latency by 1 to 1.03."""


def grow(source: Path, target: Path, copies: int, seed: int = 1) -> int:
    """Write the leaderboard layout `copies` times as large into `target`; returns the number of rows."""
    randomness = random.Random(seed)
    (target / "tasks").mkdir(parents=True)
    (target / "models").mkdir()
    index = json.loads((source / "index.json").read_text())
    rows_written = 0
    for task in index["tasks"]:
        content = json.loads((source / "tasks" / f"{task}.json").read_text())
        grown: list[dict[str, Any]] = []
        for model_id in dict.fromkeys(row["model_id"] for row in content["configurations"]):
            rows = [row for row in content["configurations"] if row["model_id"] == model_id]
            file = json.loads((source / _model_file(model_id, task)).read_text())
            for copy in range(copies):
                grown += _copy_model(target, task, model_id, rows, file, copy=copy, randomness=randomness)
        _write(target / "tasks" / f"{task}.json", content | {"configurations": grown})
        rows_written += len(grown)
    models = {
        _name(model_id, copy): fields | {"nickname": _name(fields["nickname"], copy)}
        for model_id, fields in index["models"].items()
        for copy in range(copies)
    }
    _write(target / "index.json", index | {"models": models})
    return rows_written


def _copy_model(
    target: Path,
    task: str,
    model_id: str,
    rows: list[dict[str, Any]],
    file: dict[str, Any],
    *,
    copy: int,
    randomness: random.Random,
) -> list[dict[str, Any]]:
    """One copy of one model: its file is written, its rows for the task file are returned."""
    kept, in_file, seen = [], [], set()
    for row, detail in zip(rows, file["configurations"], strict=True):
        key = (row["gpu_model"], row["num_gpus"], row.get("max_num_seqs"))
        if copy and key[2] is not None and key in seen:
            continue
        seen.add(key)
        factors = _factors(row, randomness) if copy else (1.0, 1.0)
        kept.append(_scaled(row, *factors) | _identity(row, model_id, copy))
        in_file.append(_scaled(detail, *factors))
    name = _name(model_id, copy)
    described = file | {"configurations": in_file, "model_id": name}
    if "nickname" in file:
        described["nickname"] = _name(file["nickname"], copy)
    _write(target / _model_file(name, task), described)
    return kept


def _factors(row: dict[str, Any], randomness: random.Random) -> tuple[float, float]:
    """Factors of power and latency that keep the row within the import's limits."""
    lowest = MIN_WATTS_PER_GPU * row["num_gpus"] / row["avg_power_watts"]
    highest = 1 + LARGEST_CHANGE
    if "median_itl_ms" in row:
        tokens_per_itl = row["output_throughput_tokens_per_sec"] * row["median_itl_ms"] / 1e3
        highest = min(highest, MAX_LITTLE_RATIO * row["avg_batch_size"] / tokens_per_itl)
    return randomness.uniform(max(1 - LARGEST_CHANGE, lowest), 1), randomness.uniform(1, highest)


def _scaled(row: dict[str, Any], power: float, latency: float) -> dict[str, Any]:
    factors = (
        dict.fromkeys(BY_POWER, power)
        | dict.fromkeys(BY_LATENCY, latency)
        | dict.fromkeys(BY_BOTH, power * latency)
        | dict.fromkeys(BY_SPEED, 1 / latency)
    )
    return row | {name: row[name] * factor for name, factor in factors.items() if name in row}


def _identity(row: dict[str, Any], model_id: str, copy: int) -> dict[str, Any]:
    return {"model_id": _name(model_id, copy), "nickname": _name(row["nickname"], copy)}


def _name(name: str, copy: int) -> str:
    return f"{name}-r{copy}" if copy else name


def _model_file(model_id: str, task: str) -> str:
    return f"models/{model_id.replace('/', '__')}__{task}.json"


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content))
