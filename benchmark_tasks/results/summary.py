"""One flat row per run: the form in which the warehouse reads raw bundles.

`COLUMNS` are the columns that dbt's staging model `stg_jouleboard__runs` reads. A column may be added. If
the meaning or unit of a column changes, it gets a new name and a CHANGELOG line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pyarrow as pa

from benchmark_tasks.results.identity import Comparability, Configuration
from benchmark_tasks.results.record import Record
from benchmark_tasks.results.schema import (
    Arrivals,
    Client,
    Device,
    Failure,
    Grades,
    Latency,
    Phase,
    Provenance,
    Quantiles,
    Requests,
    Run,
    Server,
    Sleep,
    Window,
)
from benchmark_tasks.results.speculation import speculation_row
from benchmark_tasks.statistics import energy_interval, ratio_interval

_WINDOW_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("settled", pa.bool_()),
    ("reason", pa.string()),
    ("start_seconds", pa.float64()),
    ("end_seconds", pa.float64()),
    ("output_tokens", pa.int64()),
    ("output_items", pa.int64()),
    ("completed_requests", pa.int64()),
    ("turnovers", pa.float64()),
    ("mean_running_requests", pa.float64()),
    ("power_trend", pa.float64()),
    ("throughput_trend", pa.float64()),
    ("counter_joules", pa.float64()),
    ("counter_seconds", pa.float64()),
    ("integral_joules", pa.float64()),
    ("power_samples", pa.int64()),
]
_ARRIVALS = {
    "scheduled": "scheduled_arrivals",
    "arrived": "arrived_requests",
    "error_p50_ms": "arrival_error_p50_ms",
    "error_p99_ms": "arrival_error_p99_ms",
    "error_max_ms": "arrival_error_max_ms",
    "mean_backlog": "mean_backlog",
    "backlog_growth_per_second": "backlog_growth_per_second",
    "backlog_deviate": "backlog_deviate",
    "busy_share": "busy_share",
    "sustained": "is_sustained",
    "reason": "unsustained_reason",
}
"""Columns of the fields of `Arrivals`."""
_GRADES = {
    "grader": "grader",
    "form": "answer_form",
    "choices": "answer_choices",
    "answers": "graded_answers",
    "questions": "graded_questions",
    "right": "right_answers",
    "unreadable": "unreadable_answers",
    "cut": "cut_answers",
    "unanswered": "unanswered_questions",
    "output_tokens": "graded_output_tokens",
}
"""Columns of the fields of `Grades`."""
_QUANTILES = ("p50", "p90", "p95", "p99")
_PHASES = ("server-start", "warm-up", "measure")
SLEEP_LEVELS = (1, 2)
"""The levels of sleep that have columns."""
_SLEEP = (
    "falling_asleep_seconds",
    "falling_asleep_joules",
    "asleep_counter_joules",
    "asleep_counter_seconds",
    "asleep_integral_joules",
    "waking_seconds",
    "waking_joules",
)


def key_columns(keys: type[Record]) -> list[tuple[str, pa.DataType]]:
    """The columns of configuration or comparability keys, in their order."""
    return [(name, _arrow_type(field.annotation)) for name, field in keys.model_fields.items()]


def _arrow_type(annotation: Any) -> pa.DataType:
    """Integers have 32 bits; enums are text."""
    kinds = set(_types_in(annotation))
    if int in kinds:
        return pa.int32()
    return pa.float64() if float in kinds else pa.string()


def _types_in(annotation: Any) -> Iterator[Any]:
    """The plain types of a union, without what `Annotated` adds."""
    if get_origin(annotation) is Annotated:
        yield from _types_in(get_args(annotation)[0])
    elif parts := get_args(annotation):
        for part in parts:
            yield from _types_in(part)
    else:
        yield annotation


COLUMNS: pa.Schema = pa.schema(
    [
        ("run_id", pa.string()),
        ("schema_version", pa.int32()),
        ("status", pa.string()),
        ("started_at", pa.timestamp("us", tz="UTC")),
        ("finished_at", pa.timestamp("us", tz="UTC")),
        ("sweep_id", pa.string()),
        ("note", pa.string()),
        ("bundle_path", pa.string()),
        ("configuration_id", pa.string()),
        ("architecture", pa.string()),
        *key_columns(Configuration),
        *key_columns(Comparability),
        ("energy_source", pa.string()),
        ("energy_absent_reason", pa.string()),
        ("requests_sent", pa.int64()),
        ("requests_completed", pa.int64()),
        ("requests_failed", pa.int64()),
        ("requests_cancelled", pa.int64()),
        ("mean_output_tokens", pa.float64()),
        ("requests_at_length_cap", pa.int64()),
        ("prompt_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("duration_seconds", pa.float64()),
        *[(f"mlenergy_{name}", kind) for name, kind in _WINDOW_COLUMNS],
        *[(f"steady_{name}", kind) for name, kind in _WINDOW_COLUMNS],
        ("steady_within_run_interval", pa.float64()),
        ("steady_parts", pa.int32()),
        *[(f"{latency}_{q}_ms", pa.float64()) for latency in ("ttft", "itl", "e2e") for q in _QUANTILES],
        ("idle_watts_before_server", pa.float64()),
        ("idle_watts_before_server_max_per_gpu", pa.float64()),
        ("idle_watts_loaded", pa.float64()),
        ("temperature_min_celsius", pa.float64()),
        ("temperature_max_celsius", pa.float64()),
        ("sm_clock_median_mhz", pa.float64()),
        ("memory_clock_median_mhz", pa.float64()),
        ("power_max_watts_per_gpu", pa.float64()),
        ("throttle_reasons", pa.string()),
        ("peak_memory_bytes_per_gpu", pa.int64()),
        ("cpu_joules", pa.float64()),
        ("dram_joules", pa.float64()),
        ("server_kind", pa.string()),
        ("server_session_id", pa.string()),
        ("server_metric_samples", pa.int64()),
        ("max_kv_cache_usage", pa.float64()),
        ("mean_kv_cache_usage", pa.float64()),
        ("mean_preprocessing_ms", pa.float64()),
        ("server_cpu_seconds", pa.float64()),
        ("server_frontend_cpu_seconds", pa.float64()),
        ("preemptions", pa.int64()),
        ("prefix_cache_hits", pa.int64()),
        ("multimodal_cache_hits", pa.int64()),
        ("received_tokens", pa.int64()),
        ("generated_tokens", pa.int64()),
        ("generated_tokens_in_window", pa.float64()),
        ("generated_tokens_absent_reason", pa.string()),
        ("drafts_in_window", pa.float64()),
        ("accepted_tokens_in_window", pa.float64()),
        ("client_processes", pa.int32()),
        ("client_cpu_seconds", pa.float64()),
        ("client_cpu_share", pa.float64()),
        ("client_loop_lag_p99_ms", pa.float64()),
        ("client_loop_lag_max_ms", pa.float64()),
        ("client_lagged", pa.bool_()),
        ("scheduled_arrivals", pa.int64()),
        ("arrived_requests", pa.int64()),
        ("arrival_error_p50_ms", pa.float64()),
        ("arrival_error_p99_ms", pa.float64()),
        ("arrival_error_max_ms", pa.float64()),
        ("mean_backlog", pa.float64()),
        ("backlog_growth_per_second", pa.float64()),
        ("backlog_deviate", pa.float64()),
        ("busy_share", pa.float64()),
        ("is_sustained", pa.bool_()),
        ("unsustained_reason", pa.string()),
        ("grader", pa.int32()),
        ("answer_form", pa.string()),
        ("answer_choices", pa.int32()),
        ("graded_answers", pa.int64()),
        ("graded_questions", pa.int64()),
        ("right_answers", pa.int64()),
        ("unreadable_answers", pa.int64()),
        ("cut_answers", pa.int64()),
        ("unanswered_questions", pa.int64()),
        ("graded_output_tokens", pa.int64()),
        *[
            (f"{name.replace('-', '_')}_{unit}", pa.float64())
            for name in _PHASES
            for unit in ("seconds", "joules")
        ],
        *[(f"{name}_level_{level}", pa.float64()) for level in SLEEP_LEVELS for name in _SLEEP],
        ("jouleboard_version", pa.string()),
        ("git_commit", pa.string()),
        ("catalog_hash", pa.string()),
        ("runtime_distribution", pa.string()),
        ("torch_version", pa.string()),
        ("weights_digest", pa.string()),
        ("weights_seed", pa.int64()),
        ("speculative_method", pa.string()),
        ("speculative_tokens", pa.int64()),
        ("draft_hash", pa.string()),
        ("acceptance_is_prescribed", pa.bool_()),
        ("prescribed_acceptance_length", pa.float64()),
        ("other_server_options", pa.int64()),
        ("driver_version", pa.string()),
        ("cuda_version", pa.string()),
        ("gpu_uuids", pa.string()),
        ("host", pa.string()),
        ("failure_phase", pa.string()),
        ("failure_error", pa.string()),
        ("failure_message", pa.string()),
    ]
)


def runs_table(runs: Iterable[tuple[Run, Path]]) -> pa.Table:
    """A table with one row per run, ordered by run id. Units are in the column names."""
    rows = sorted((run_row(run, path) for run, path in runs), key=lambda row: row["run_id"])
    return pa.Table.from_pylist(rows, schema=COLUMNS)


def run_row(run: Run, bundle_path: Path) -> dict[str, Any]:
    """The flat row of one run; absent measurements are `None`."""
    return {
        "run_id": run.run_id,
        "schema_version": run.schema_version,
        "status": run.status.value,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "sweep_id": run.campaign_id,
        "note": run.note,
        "bundle_path": str(bundle_path),
        "configuration_id": run.configuration.configuration_id,
        "architecture": run.configuration.architecture.value,
        **run.configuration.model_dump(mode="json"),
        **run.comparability.model_dump(mode="json"),
        "energy_source": run.energy_source.value,
        "energy_absent_reason": run.energy_absent_reason,
        **_window_row("mlenergy", run.window_mlenergy),
        **_window_row("steady", run.window_steady),
        "steady_within_run_interval": run.window_steady
        and within_run_interval(run.window_steady, is_open=run.configuration.is_open),
        "steady_parts": run.window_steady and (len(run.window_steady.sub_windows) or None),
        **_device_row(run.device),
        **_provenance_row(run.provenance),
        "gpu_uuids": gpu_uuids(run),
        **_phases_row(run.phases),
        **_sleeps_row(run.sleeps),
        **_requests_row(run.requests),
        **_latency_row(run.latency),
        **_server_row(run.server),
        **_client_row(run.client),
        **_arrivals_row(run.arrivals),
        **_grades_row(run.grades),
        **_failure_row(run.failure),
    }


def gpu_uuids(run: Run) -> str | None:
    """The UUIDs of its GPUs, sorted, so that the same GPUs always give the same text; `None` without GPUs."""
    return ",".join(sorted(gpu.uuid for gpu in run.provenance.gpus)) or None


def within_run_interval(window: Window, *, is_open: bool = False) -> float | None:
    """95 % half-width of energy per output over the sub-windows, as a share; `None` without sub-windows.

    In an open loop parts have as many outputs as chance brings: there it is that of a ratio of totals.
    """
    parts, interval = window.sub_windows, ratio_interval if is_open else energy_interval
    return interval([part.counter_joules for part in parts], [part.outputs for part in parts])


def _window_row(prefix: str, window: Window | None) -> dict[str, Any]:
    if window is None:
        return {}
    values = window.model_dump(exclude={"energy", "sub_windows"})
    if window.energy is not None:
        values |= window.energy.model_dump(exclude={"counter_joules_per_gpu"})
    return {f"{prefix}_{name}": value for name, value in values.items()}


def _device_row(device: Device) -> dict[str, Any]:
    values = device.model_dump(exclude={"throttle_reasons"})
    reasons = device.throttle_reasons
    return {**values, "throttle_reasons": None if reasons is None else ",".join(reasons)}


def _provenance_row(provenance: Provenance) -> dict[str, Any]:
    names = {
        "jouleboard_version",
        "git_commit",
        "catalog_hash",
        "server_kind",
        "runtime_distribution",
        "driver_version",
        "cuda_version",
        "host",
    }
    values = provenance.model_dump(mode="json", include=names)
    drawn = provenance.stand_in
    return {
        **values,
        "torch_version": provenance.runtime_packages.get("torch"),
        "weights_digest": drawn and drawn.digest,
        "weights_seed": drawn and drawn.seed,
        **speculation_row(provenance.server_options),
    }


def _phases_row(phases: Iterable[Phase]) -> dict[str, Any]:
    """Seconds and joules of each phase that the record has."""
    row: dict[str, Any] = {}
    for phase in phases:
        if phase.name in _PHASES:
            prefix = phase.name.replace("-", "_")
            row |= {f"{prefix}_seconds": phase.seconds, f"{prefix}_joules": phase.joules}
    return row


def _sleeps_row(sleeps: Iterable[Sleep]) -> dict[str, Any]:
    """What each level of sleep took, as far as the levels have columns."""
    row: dict[str, Any] = {}
    for sleep in sleeps:
        if sleep.level not in SLEEP_LEVELS:
            continue
        asleep = sleep.window.energy if sleep.window else None
        values = {
            "falling_asleep_seconds": sleep.falling_asleep and sleep.falling_asleep.seconds,
            "falling_asleep_joules": sleep.falling_asleep and sleep.falling_asleep.joules,
            "asleep_counter_joules": asleep and asleep.counter_joules,
            "asleep_counter_seconds": asleep and asleep.counter_seconds,
            "asleep_integral_joules": asleep and asleep.integral_joules,
            "waking_seconds": sleep.waking and sleep.waking.seconds,
            "waking_joules": sleep.waking and sleep.waking.joules,
        }
        row |= {f"{name}_level_{sleep.level}": value for name, value in values.items()}
    return row


def _requests_row(requests: Requests | None) -> dict[str, Any]:
    if requests is None:
        return {}
    return {
        "requests_sent": requests.sent,
        "requests_completed": requests.completed,
        "requests_failed": requests.failed,
        "requests_cancelled": requests.cancelled,
        "mean_output_tokens": requests.mean_output_tokens,
        "requests_at_length_cap": requests.at_length_cap,
        "prompt_tokens": requests.prompt_tokens,
        "output_tokens": requests.output_tokens,
        "duration_seconds": requests.duration_seconds,
    }


def _latency_row(latency: Latency | None) -> dict[str, Any]:
    if latency is None:
        return {}
    return {
        **_quantile_row("ttft", latency.ttft_ms),
        **_quantile_row("itl", latency.itl_ms),
        **_quantile_row("e2e", latency.e2e_ms),
    }


def _server_row(server: Server | None) -> dict[str, Any]:
    if server is None:
        return {}
    return {
        "server_session_id": server.session_id,
        "server_metric_samples": server.metric_samples,
        "max_kv_cache_usage": server.max_kv_cache_usage,
        "mean_kv_cache_usage": server.mean_kv_cache_usage,
        "mean_preprocessing_ms": server.mean_preprocessing_ms,
        "server_cpu_seconds": server.cpu_seconds,
        "server_frontend_cpu_seconds": server.frontend_cpu_seconds,
        "preemptions": server.preemptions,
        "prefix_cache_hits": server.prefix_cache_hits,
        "multimodal_cache_hits": server.multimodal_cache_hits,
        "received_tokens": server.received_tokens,
        "generated_tokens": server.generated_tokens,
        "generated_tokens_in_window": server.generated_tokens_in_window,
        "generated_tokens_absent_reason": server.generated_tokens_absent_reason,
        "drafts_in_window": server.drafts_in_window,
        "accepted_tokens_in_window": server.accepted_tokens_in_window,
    }


def _client_row(client: Client | None) -> dict[str, Any]:
    if client is None:
        return {}
    return {f"client_{name}": value for name, value in client.model_dump().items()}


def _arrivals_row(arrivals: Arrivals | None) -> dict[str, Any]:
    if arrivals is None:
        return {}
    values = arrivals.model_dump()
    return {_ARRIVALS[name]: value for name, value in values.items()}


def _grades_row(grades: Grades | None) -> dict[str, Any]:
    values = {} if grades is None else grades.model_dump(mode="json")
    return {_GRADES[name]: value for name, value in values.items()}


def _failure_row(failure: Failure | None) -> dict[str, Any]:
    if failure is None:
        return {}
    return {
        "failure_phase": failure.phase,
        "failure_error": failure.error,
        "failure_message": failure.message,
    }


def _quantile_row(prefix: str, quantiles: Quantiles | None) -> dict[str, Any]:
    if quantiles is None:
        return {}
    return {f"{prefix}_{q}_ms": value for q, value in quantiles.model_dump().items()}
