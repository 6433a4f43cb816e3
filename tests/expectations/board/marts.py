"""A leaderboard for tests of the board: every column of the mart's contract, rows that look measured."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

ROOT = Path(__file__).parents[3]
CONTRACT = ROOT / "dbt_project" / "models" / "marts" / "leaderboard" / "leaderboard.yml"
HOSTILE = "</script><img src=x onerror=alert(1)>"
GPUS = ("B200", "H100", "H200")
BATCHES = (8, 16, 32, 64, 128, 256)


def contract() -> dict[str, str]:
    """Column and type, in the order of the mart."""
    [model] = yaml.safe_load(CONTRACT.read_text())["models"]
    return {column["name"]: column["data_type"] for column in model["columns"]}


def embedded_rows(page: str, task: str) -> list[dict[str, Any]]:
    """The rows of a task as the page's scripts read them from its text."""
    (data,) = re.findall(r'id="leaderboard-data">(.*?)</script>', page)
    table = json.loads(data)[task]
    columns = {name: _unpacked(form, table["count"]) for name, form in table["columns"].items()}
    return [{name: column[row] for name, column in columns.items()} for row in range(table["count"])]


def _unpacked(form: Any, count: int) -> list[Any]:
    match form:
        case list():
            return form
        case {"all": value}:
            return [value] * count
        case {"hex": digits, "base64": text}:
            whole = base64.b64decode(text).hex()
            return [whole[start : start + digits] for start in range(0, len(whole), digits)]
        case {"values": values, "rows": places}:
            return [values[place] for place in places]
        case {"values": values, "runs": runs}:
            return [values[place] for place, length in runs for _ in range(length)]
        case {"values": values, "at": rows}:
            present = dict(zip(rows, values, strict=True))
            return [present.get(row) for row in range(count)]
    raise ValueError(form)


def write_leaderboard(database: Path, rows: int = 0, source: str = "jouleboard") -> None:
    """Write `marts.leaderboard`: two tasks, models, GPU models, GPU counts and batch sizes.

    rows: how many; 0 for each combination once.
    """
    import duckdb

    columns = contract()
    connection = duckdb.connect(str(database))
    connection.execute("create schema if not exists marts")
    listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    connection.execute(f"create or replace table marts.leaderboard ({listed})")
    connection.execute(
        "comment on column marts.leaderboard.energy_per_output_joules"
        " is 'Energy per output, J: <b>measured</b>.'"
    )
    each = [{name: row.get(name) for name in columns} for row in _rows(source)]
    table = pa.Table.from_pylist(
        [
            {**each[number % len(each)], "leaderboard_id": f"{number:032x}"[::-1]}
            for number in range(rows or len(each))
        ]
    )
    connection.register("rows_as_measured", table)
    connection.execute("insert into marts.leaderboard by name select * from rows_as_measured")
    connection.close()


def _rows(source: str) -> Iterator[dict[str, Any]]:
    drawn = random.Random(20)
    for task, unit, models in (("lm-arena-chat", "token", 7), ("text-to-image", "image", 4)):
        for model in range(models):
            for gpu in GPUS:
                for gpus in (1, 2):
                    for batch in BATCHES:
                        yield _row(drawn, source, task, unit, model, gpu, gpus, batch)


def _row(
    drawn: random.Random, source: str, task: str, unit: str, model: int, gpu: str, gpus: int, batch: int
) -> dict[str, Any]:
    token = unit == "token"
    joules = (1 if token else 300) * (model + 1) * gpus**0.3 / batch**0.5 * drawn.uniform(0.9, 1.1)
    latency = (6 + batch / 8) * (model + 1) ** 0.5 / gpus**0.6 * drawn.uniform(0.95, 1.05)
    identity = f"{task} {model} {gpu} {gpus} {batch}"
    speed = batch / latency * 1000
    common = {
        "configuration_id": hashlib.sha256(identity.encode()).hexdigest()[:16],
        "comparability_id": "c" * 32,
        "data_source": source,
        "architecture": "llm" if token else "diffusion",
        "nickname": HOSTILE if model == 6 else f"Model {model} of {task}",
        "organisation": f"Organisation {model % 3}",
        "model_id": f"some/model-{model}-{task}",
        "weight_precision": "fp8" if model % 2 else "bfloat16",
        "task": task,
        "gpu_model": gpu,
        "num_gpus": gpus,
        "batch_size": batch,
        "runtime": "vllm",
        "runtime_version": "0.26.0" if model % 2 else "0.27.0",
        "request_set_id": "requests",
        "length_control": "fixed",
        # One third of the models: dummy weights take less energy than those drawn like trained ones.
        "weights": "real" if model % 3 != 2 else "dummy" if gpus == 1 else "stand-in.1",
        "weights_order": 0 if model % 3 != 2 else 2 if gpus == 1 else 1,
        "generation_order": 0,
        "energy_boundary": "gpu",
        "is_current_revision": True,
        "energy_source": "nvml-counter",
        "output_unit": unit,
        "repeats": 1,
        "energy_repeats": 1,
        "energy_per_output_joules": joules,
        "energy_per_response_joules": joules * (500 + 100 * model if token else 1),
        "throughput_per_second": speed,
        "throughput_per_watt": 1 / joules,
        "mean_power_watts": joules * speed,
        "mean_power_per_gpu_watts": joules * speed / gpus,
    }
    if not token:
        return common | {"batch_latency_seconds": latency, "height": 1024, "width": 1024}
    # Half of the models have no time to first token.
    ttft = {"median_ttft_ms": 20 + batch, "p99_ttft_ms": 40.0 + 2 * batch} if model % 2 else {}
    percentiles = {
        f"{name}_itl_ms": latency * factor
        for name, factor in (("median", 1.0), ("p90", 1.2), ("p95", drawn.uniform(1.2, 2)), ("p99", 2.5))
    }
    return common | percentiles | ttft | {"output_tokens_per_response": 500.0 + 100 * model}
