"""The Parquet tables of an import: what dbt's `stg_mlenergy__*` models read. Units are in the names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark_tasks.imports.leaderboard import Measurement
from benchmark_tasks.imports.rows import DiffusionRow, ImageRow, LanguageRow, Model, Row, VideoRow
from benchmark_tasks.results.identity import KEYS_ADDED_LATER, Configuration
from benchmark_tasks.results.summary import key_columns
from benchmark_tasks.vocabulary import Task, WeightPrecision

CONFIGURATIONS = pa.schema(
    [
        ("measurement_id", pa.string()),
        ("row_number", pa.int32()),
        ("replicate", pa.int32()),
        ("configuration_id", pa.string()),
        ("architecture", pa.string()),
        ("nickname", pa.string()),
        *key_columns(Configuration),
        ("fps", pa.int32()),
        ("completed_requests", pa.int64()),
        ("avg_batch_size", pa.float64()),
        ("avg_output_len", pa.float64()),
        ("avg_power_watts", pa.float64()),
        ("energy_per_token_joules", pa.float64()),
        ("energy_per_request_joules", pa.float64()),
        ("energy_per_image_joules", pa.float64()),
        ("energy_per_video_joules", pa.float64()),
        ("output_throughput_tokens_per_sec", pa.float64()),
        ("throughput_images_per_sec", pa.float64()),
        ("throughput_videos_per_sec", pa.float64()),
        ("median_itl_ms", pa.float64()),
        ("p90_itl_ms", pa.float64()),
        ("p95_itl_ms", pa.float64()),
        ("p99_itl_ms", pa.float64()),
        ("batch_latency_s", pa.float64()),
        ("published_on", pa.date32()),
    ]
)
"""One row per published measurement. `replicate` counts the measurements of one configuration in the
published order: the marts take 1 (a rule that does not depend on a value); 2 is its repeat."""

MODELS = pa.schema(
    [
        ("model_id", pa.string()),
        ("nickname", pa.string()),
        ("architecture", pa.string()),
        ("total_params_billions", pa.float64()),
        ("activated_params_billions", pa.float64()),
        ("weight_precision", pa.string()),
    ]
)

OUTPUT_LENGTHS = pa.schema(
    [
        ("measurement_id", pa.string()),
        ("task", pa.string()),
        ("model_id", pa.string()),
        ("bin_edges_tokens", pa.list_(pa.float64())),
        ("request_counts", pa.list_(pa.int64())),
    ]
)
"""One row per LLM or MLLM measurement: the histogram of its output lengths."""

SCHEMAS: dict[str, pa.Schema] = {
    "mlenergy_configurations": CONFIGURATIONS,
    "mlenergy_models": MODELS,
    "mlenergy_output_lengths": OUTPUT_LENGTHS,
}


def models_table(models: dict[str, Model]) -> pa.Table:
    """One row per model, ordered by id."""
    rows = [{"model_id": model_id} | models[model_id].model_dump() for model_id in sorted(models)]
    return pa.Table.from_pylist(rows, schema=MODELS)


def measurement_tables(measurements: Iterable[Measurement], published_on: date) -> dict[str, pa.Table]:
    """The rows of one task as `mlenergy_configurations` and `mlenergy_output_lengths`."""
    configurations: list[dict[str, Any]] = []
    lengths: list[dict[str, Any]] = []
    for measurement, configuration, replicate in _with_replicates(measurements):
        measurement_id = f"{measurement.task}/{configuration.configuration_id}/{replicate}"
        configurations.append(
            _measured(measurement.row)
            | configuration.model_dump(mode="json")
            | {
                "measurement_id": measurement_id,
                "row_number": measurement.row_number,
                "replicate": replicate,
                "configuration_id": configuration.configuration_id,
                "architecture": configuration.architecture.value,
                "completed_requests": measurement.lengths and measurement.lengths.completed_requests,
                "published_on": published_on,
            }
        )
        if measurement.lengths is not None:
            lengths.append(
                {
                    "measurement_id": measurement_id,
                    "task": measurement.task.value,
                    "model_id": measurement.row.model_id,
                    "bin_edges_tokens": measurement.lengths.bins,
                    "request_counts": measurement.lengths.counts,
                }
            )
    return {
        "mlenergy_configurations": pa.Table.from_pylist(configurations, schema=CONFIGURATIONS),
        "mlenergy_output_lengths": pa.Table.from_pylist(lengths, schema=OUTPUT_LENGTHS),
    }


def configuration_of(task: Task, row: Row) -> Configuration:
    """The row's configuration; its id equals that of our own runs of this configuration."""
    shared: dict[str, Any] = {
        "model_id": row.model_id,
        "weight_precision": WeightPrecision(row.weight_precision),
        "task": task,
        "gpu_model": row.gpu_model,
        "num_gpus": row.num_gpus,
        "batch_size": row.items_together,
    }
    if isinstance(row, LanguageRow):
        shared |= row.model_dump(include={"tensor_parallel", "expert_parallel", "data_parallel"})
    if isinstance(row, DiffusionRow):
        shared |= row.model_dump(include={"ulysses_degree", "ring_degree", "inference_steps"})
    if isinstance(row, ImageRow):
        shared |= {"height": row.image_height, "width": row.image_width}
    if isinstance(row, VideoRow):
        shared |= {"height": row.video_height, "width": row.video_width, "num_frames": row.num_frames}
    return Configuration(**shared)


def _with_replicates(
    measurements: Iterable[Measurement],
) -> Iterator[tuple[Measurement, Configuration, int]]:
    """Each measurement with its configuration and its number among the configuration's measurements."""
    seen: Counter[str] = Counter()
    for measurement in measurements:
        configuration = configuration_of(measurement.task, measurement.row)
        seen[configuration.configuration_id] += 1
        yield measurement, configuration, seen[configuration.configuration_id]


def _measured(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.model_dump().items() if name in CONFIGURATIONS.names}


def write_with_every_key(source: Path, target: Path, schema: pa.Schema) -> None:
    """Copy an imported table; keys of `schema` that were added after the import become NULL."""
    table = pq.read_table(source)
    for key in KEYS_ADDED_LATER:
        if key in schema.names and key not in table.column_names:
            table = table.append_column(key, pa.nulls(len(table), schema.field(key).type))
    pq.write_table(table, target)
