"""Rows as ML.ENERGY's compiled Parquet: what the package `mlenergy-data` reads with `from_directory`.

<folder>/runs/llm.parquet, runs/diffusion.parquet     one row per configuration, with that package's names

The rows are those of the JSON layout (`mlenergy.py`). What a row of the leaderboard does not say is NULL:
energy, duration and totals of the run, its mean inter-token latency, and the paths of raw files.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.imports.rows import LanguageRow
from benchmark_tasks.vocabulary import DataSource
from expectations.exports.folder import new_folder
from expectations.exports.mlenergy import Entry, Exported, require_entries
from expectations.publications import MART_SCHEMA, Publication, attached

if TYPE_CHECKING:
    import duckdb

_TEXT, _NUMBER, _WHOLE, _FLAG = pa.string(), pa.float64(), pa.int64(), pa.bool_()


def _schema(kinds: Iterable[tuple[pa.DataType, str]]) -> pa.Schema:
    return pa.schema([(name, kind) for kind, names in kinds for name in names.split()])


_COMMON = (
    (_TEXT, "domain task model_id nickname weight_precision gpu_model"),
    (_NUMBER, "total_params_billions activated_params_billions avg_power_watts"),
    (_WHOLE, "num_gpus"),
    (_TEXT, "results_path"),
)
LANGUAGE = _schema(
    (
        *_COMMON,
        (_TEXT, "architecture unstable_reason prometheus_path"),
        (_WHOLE, "max_num_seqs seed num_request_repeats tensor_parallel expert_parallel data_parallel"),
        (_NUMBER, "steady_state_energy_joules steady_state_duration_seconds energy_per_token_joules"),
        (_NUMBER, "energy_per_request_joules output_throughput_tokens_per_sec"),
        (_NUMBER, "request_throughput_req_per_sec total_output_tokens completed_requests"),
        (_NUMBER, "avg_output_len avg_batch_size mean_itl_ms"),
        (_NUMBER, "median_itl_ms p50_itl_ms p90_itl_ms p95_itl_ms p99_itl_ms"),
        (_FLAG, "is_stable"),
    )
)
"""Fields of `mlenergy.data.LLMRun`, version 0.4."""

DIFFUSION = _schema(
    (
        *_COMMON,
        (_WHOLE, "batch_size inference_steps height width num_frames fps ulysses_degree ring_degree"),
        (_NUMBER, "batch_latency_s energy_per_generation_joules throughput_generations_per_sec"),
        (_FLAG, "use_torch_compile"),
    )
)
"""Fields of `mlenergy.data.DiffusionRun`, version 0.4."""


def export_mlenergy_runs(
    publication: Publication, folder: Path, source: DataSource, catalog: Catalog
) -> Exported:
    """Write the rows of one source as ML.ENERGY's compiled Parquet into a new folder.

    Raises:
        PublicationError: no row fits, or `folder` has something in it. DiskFull.
    """
    with new_folder(folder) as target, attached(published=publication.database) as connection:
        connection.execute(f"use published.{MART_SCHEMA}")
        return write_runs(connection, target, source, catalog)


def write_runs(
    connection: duckdb.DuckDBPyConnection, folder: Path, source: DataSource, catalog: Catalog
) -> Exported:
    """Write the rows of one source from the marts of a connection."""
    entries, left_out = require_entries(connection, source, catalog)
    (folder / "runs").mkdir()
    language = [_language(one) for one in entries if isinstance(one.row, LanguageRow)]
    diffusion = [_diffusion(one) for one in entries if not isinstance(one.row, LanguageRow)]
    for name, rows, schema in (("llm", language, LANGUAGE), ("diffusion", diffusion, DIFFUSION)):
        if rows:
            pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "runs" / f"{name}.parquet")
    tasks, models = {one.task for one in entries}, {one.row.model_id for one in entries}
    return Exported(len(entries), len(tasks), len(models), left_out)


def _language(entry: Entry) -> dict[str, Any]:
    row = entry.row.model_dump()
    return {
        **row,
        "domain": "llm",
        "task": entry.task.value,
        "is_stable": True,
        "unstable_reason": "",
        "p50_itl_ms": row["median_itl_ms"],
        "completed_requests": None if entry.lengths is None else sum(entry.lengths.counts),
    }


def _diffusion(entry: Entry) -> dict[str, Any]:
    row, item = entry.row.model_dump(), entry.task.output_unit
    return {
        **row,
        "domain": "diffusion",
        "task": entry.task.value,
        "height": row[f"{item}_height"],
        "width": row[f"{item}_width"],
        "energy_per_generation_joules": row[f"energy_per_{item}_joules"],
        "throughput_generations_per_sec": row[f"throughput_{item}s_per_sec"],
    }
