"""The catalog as the warehouse reads it: `catalog_{models,gpus,tasks,canaries,objectives}.parquet`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark_tasks.catalog import Catalog

MODELS = pa.schema(
    [
        ("model_id", pa.string()),
        ("nickname", pa.string()),
        ("organisation", pa.string()),
        ("family", pa.string()),
        ("architecture", pa.string()),
        ("total_params_billions", pa.float64()),
        ("activated_params_billions", pa.float64()),
        ("weight_precision", pa.string()),
        ("modality", pa.string()),
        ("kind", pa.string()),
    ]
)
GPUS = pa.schema([("gpu_model", pa.string()), ("tdp_watts", pa.float64()), ("memory_gib", pa.float64())])
TASKS = pa.schema(
    [
        ("task", pa.string()),
        ("display_name", pa.string()),
        ("architecture", pa.string()),
        ("output_unit", pa.string()),
        ("input_media", pa.string()),
        ("reference_tasks", pa.list_(pa.string())),
        ("median_itl_ceilings_ms", pa.list_(pa.float64())),
        ("batch_latency_ceilings_seconds", pa.list_(pa.float64())),
    ]
)
"""All that the warehouse knows of a task; no SQL names a task."""


OBJECTIVES = pa.schema(
    [
        ("objective", pa.string()),
        ("ttft_percentile", pa.int32()),
        ("ttft_ceiling_ms", pa.float64()),
        ("itl_percentile", pa.int32()),
        ("itl_ceiling_ms", pa.float64()),
        ("source", pa.string()),
    ]
)
CANARIES = pa.schema(
    [
        ("kind", pa.string()),
        ("model_id", pa.string()),
        ("task", pa.string()),
        ("batch_size", pa.int64()),
        ("margin", pa.float64()),
    ]
)
"""One row per canary and batch size, in the order of the policy."""


def write_tables(catalog: Catalog, directory: Path) -> None:
    """Write the tables into `directory`, rows in order of their keys."""
    tables: tuple[tuple[str, Mapping[Any, Any], pa.Schema], ...] = (
        ("models", catalog.models, MODELS),
        ("gpus", catalog.gpus, GPUS),
        ("tasks", catalog.tasks, TASKS),
        ("objectives", catalog.objectives, OBJECTIVES),
    )
    for name, entries, schema in tables:
        rows = [{column: getattr(entries[key], column) for column in schema.names} for key in sorted(entries)]
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), directory / f"catalog_{name}.parquet")
    policy = catalog.canaries
    canaries = [
        (kind, canary.model_id, canary.task, size, policy.margin)
        for kind, listed in policy.kinds.items()
        for canary in listed
        for size in canary.batch_sizes
    ]
    rows = [dict(zip(CANARIES.names, row, strict=True)) for row in canaries]
    pq.write_table(pa.Table.from_pylist(rows, schema=CANARIES), directory / "catalog_canaries.parquet")
