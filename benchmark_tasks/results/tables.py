"""Columns of the Parquet files of a bundle. Times are seconds since the run's first request."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

REQUESTS = pa.schema(
    [
        ("request_index", pa.int32()),
        ("process", pa.int16()),
        ("slot", pa.int32()),
        ("due_seconds", pa.float64()),
        ("sent_seconds", pa.float64()),
        ("first_token_seconds", pa.float64()),
        ("finished_seconds", pa.float64()),
        ("prompt_tokens", pa.int32()),
        ("output_tokens", pa.int32()),
        ("max_tokens", pa.int32()),
        ("under_way", pa.bool_()),
        ("error", pa.string()),
        ("chunk_gap_us", pa.list_(pa.int32())),
        ("chunk_tokens", pa.list_(pa.int32())),
    ]
)
"""One row per request. `under_way` requests stand for the rest of an answer that the load began with;
latencies and mean lengths leave them out. `chunk_gap_us[i]` is the time from the (i-1)-th to the i-th
chunk; the first entry is 0. `chunk_tokens` counts each chunk's tokens. Both are NULL for requests whose
chunks were not kept (`Procedure.kept_chunk_requests`). `prompt_tokens` is NULL if the server did not
report it, which it does when an answer ends. `due_seconds` is when the schedule of an open loop had it; NULL
in a closed loop, and in bundles from before 2026-11-29."""

ANSWERS = pa.schema(
    [
        ("request_index", pa.int32()),
        ("prompt_row", pa.int32()),
        ("text", pa.string()),
        ("text_cut", pa.bool_()),
        ("finish_reason", pa.string()),
        ("output_tokens", pa.int32()),
        ("right_answer", pa.string()),
        ("verdict", pa.string()),
    ]
)
"""One row per answer that is kept or graded: complete ones of the first requests, without those that the
load began with. `prompt_row`: row of the file of prompts, from 1; NULL for other request sets. `text` is NULL
where it is not kept; `text_cut` says that only its beginning is (`client/kept_answers.py`). `verdict`: right,
wrong, unreadable or cut; NULL where answers are not graded, as in bundles from before 2026-11-30.
`right_answer` stands beside a kept text, so that it can be graded again."""


class Series(StrEnum):
    """Names in `timelines.parquet`; the unit is in the name."""

    POWER_WATTS = "power_watts"
    TEMPERATURE_CELSIUS = "temperature_celsius"
    SM_CLOCK_MHZ = "sm_clock_mhz"
    MEMORY_CLOCK_MHZ = "memory_clock_mhz"
    THROTTLE_REASON_BITS = "throttle_reason_bits"
    ENERGY_COUNTER_JOULES = "energy_counter_joules"
    CPU_COUNTER_JOULES = "cpu_counter_joules"
    DRAM_COUNTER_JOULES = "dram_counter_joules"
    RUNNING_REQUESTS = "running_requests"
    WAITING_REQUESTS = "waiting_requests"
    KV_CACHE_USAGE = "kv_cache_usage"
    PREEMPTIONS = "preemptions"
    PREFIX_CACHE_HITS = "prefix_cache_hits"
    MULTIMODAL_CACHE_HITS = "multimodal_cache_hits"
    GENERATED_TOKENS = "generated_tokens"
    DRAFTS = "drafts"
    ACCEPTED_TOKENS = "accepted_tokens"
    FINISHED_REQUESTS = "finished_requests"
    REQUEST_SECONDS = "request_seconds"
    QUEUE_SECONDS = "queue_seconds"
    INFERENCE_SECONDS = "inference_seconds"
    SERVER_CPU_SECONDS = "server_cpu_seconds"
    FRONTEND_CPU_SECONDS = "frontend_cpu_seconds"


TIMELINES = pa.schema(
    [
        ("series", pa.dictionary(pa.int8(), pa.string())),
        ("gpu_index", pa.int16()),
        ("seconds", pa.float64()),
        ("value", pa.float64()),
    ]
)
"""Long format: one row per sample. `gpu_index` is NULL for series of the server or the host."""


_DIFFERENT = ("chunk_gap_us", "prompt_tokens", "output_tokens", "max_tokens")
"""Whole numbers of many different values, where a dictionary is longer than the values."""
_COUNTING = ("request_index",)
"""Whole numbers that go up by one."""
_REPEATED = ("value",)
"""Numbers that are often the same, as clocks and states are."""


def write_table(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    """Write rows as zstd-compressed Parquet with exactly `schema`, as DuckDB can read it."""
    table = pa.Table.from_pylist(rows, schema=schema)
    encodings: dict[str, str] = {}
    with_dictionary = []
    for each in schema:
        leaf = f"{each.name}.list.element" if pa.types.is_list(each.type) else each.name
        if pa.types.is_floating(each.type) and each.name not in _REPEATED:
            encodings[leaf] = "BYTE_STREAM_SPLIT"  # DuckDB reads it of floats only
        elif each.name in _DIFFERENT:
            encodings[leaf] = "PLAIN"
        elif each.name in _COUNTING:
            encodings[leaf] = "DELTA_BINARY_PACKED"
        else:
            with_dictionary.append(leaf)
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=19,
        use_dictionary=with_dictionary,
        column_encoding=encodings,
    )
