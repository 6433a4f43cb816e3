"""Turns runs into columns that Great Expectations can compare with a range.

One column a check, named like the check, one row a run. NULL: the check does not apply to this
run, or there is nothing to tell it from. Indicators are 1 (the fault is there) or 0. A check
that is strict for runs with energy and lenient for others has two columns, the second one
ending in `__speed_only`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.results.schema import NO_GPU, Run
from benchmark_tasks.runtimes.environments import MOCK
from benchmark_tasks.vocabulary import RECHECK_CAMPAIGN, EnergySource, LengthControl, RunStatus, Runtime
from expectations.gate.evidence import Evidence
from expectations.gate.intake import Intake

SPEED_ONLY = "__speed_only"

_GIB = 2**30
_TURNOVERS, _TURNOVER_SECONDS = 5.0, 60.0  # what STEADY windows promise; see tolerances.TURNOVERS_OR_MINUTES
_BATCHES, _BATCHES_SECONDS = 3.0, 30.0  # the same of images and videos, whose turnovers are whole batches


@dataclass(frozen=True)
class RunFrame:
    """`values`: one column a check. `observed`: text for a person where a number says too little."""

    values: pd.DataFrame
    observed: pd.DataFrame


def run_frame(landed: Intake, catalog: Catalog, *, now: datetime) -> RunFrame:
    """All per-run residuals of the landed runs."""
    runs = _frame(landed, catalog)
    columns: dict[str, pd.Series] = {}
    observed: dict[str, pd.Series] = {}
    for part in (_whole, _requests, _windows, _energy, _power, _instruments, _client_and_clock, _identity):
        values, texts = part(runs)
        columns |= values
        observed |= texts
    ahead = (runs["started_at"] - pd.Timestamp(now)).dt.total_seconds()
    columns["not_from_the_future"] = ahead
    frame = pd.DataFrame({name: _number(column) for name, column in columns.items()}, index=runs.index)
    frame.insert(0, "run_id", runs.index)
    return RunFrame(frame.reset_index(drop=True), pd.DataFrame(observed, index=runs.index))


Columns = tuple[dict[str, pd.Series], dict[str, pd.Series]]


def _frame(landed: Intake, catalog: Catalog) -> pd.DataFrame:
    """Flat run rows, with what the files and the catalog say of each; nullable numbers are float."""
    runs = landed.table.to_pandas().set_index("run_id", drop=False)
    facts = [
        vars(landed.evidence[run.run_id]) | _record_facts(run, catalog) for run, _ in landed.listing.runs
    ]
    extra = pd.DataFrame(facts, columns=_extra_columns()).drop_duplicates("run_id").set_index("run_id")
    runs = runs.join(extra)
    gpus = {gpu.gpu_model: gpu for gpu in catalog.gpus.values()}
    runs["tdp_watts"] = runs["gpu_model"].map({name: gpu.tdp_watts for name, gpu in gpus.items()})
    runs["memory_gib"] = runs["gpu_model"].map({name: gpu.memory_gib for name, gpu in gpus.items()})
    runs["has_energy"] = runs["energy_source"] != EnergySource.NONE
    runs["completed"] = runs["status"] == RunStatus.COMPLETED
    return runs


_RECORD_FACTS = (
    "per_gpu_sum",
    "mlenergy_per_gpu_sum",
    "per_gpu_count",
    "gpu_names",
    "wrong_gpu",
    "gpus_seen",
    "smallest_memory_bytes",
    "largest_memory_bytes",
    "unknown_model",
    "unknown_task",
    "wrong_precision",
    "first_error",
    "blank_sample",
)


def _extra_columns() -> list[str]:
    return [*Evidence.__dataclass_fields__, *_RECORD_FACTS]


def _record_facts(run: Run, catalog: Catalog) -> dict[str, object]:
    """What the flat row leaves out: per-GPU energy, the GPUs themselves, the catalog's word."""
    steady = run.window_steady and run.window_steady.energy
    mlenergy = run.window_mlenergy and run.window_mlenergy.energy
    gpus, model = run.provenance.gpus, catalog.models.get(run.configuration.model_id)
    found = {gpu.name: catalog.gpu_named(gpu.name) for gpu in gpus}
    return {
        "per_gpu_sum": sum(steady.counter_joules_per_gpu) if steady else None,
        "mlenergy_per_gpu_sum": sum(mlenergy.counter_joules_per_gpu) if mlenergy else None,
        "per_gpu_count": len(steady.counter_joules_per_gpu) if steady else None,
        "gpu_names": ", ".join(sorted(found)),
        "wrong_gpu": any(
            entry is None or entry.gpu_model != run.configuration.gpu_model for entry in found.values()
        ),
        "gpus_seen": len({gpu.uuid for gpu in gpus}),
        "smallest_memory_bytes": min((gpu.memory_bytes for gpu in gpus), default=None),
        "largest_memory_bytes": max((gpu.memory_bytes for gpu in gpus), default=None),
        "unknown_model": model is None,
        "unknown_task": model is not None and run.configuration.task not in model.tasks,
        "wrong_precision": model is not None and model.weight_precision != run.configuration.weight_precision,
        "first_error": run.requests.first_error if run.requests else None,
        "blank_sample": run.sample.blank if run.sample else None,
    }


def _whole(runs: pd.DataFrame) -> Columns:
    """The bundle as such."""
    content = runs["content_digest"]
    replayed = content.notna() & content.duplicated(keep="first")
    first_of = runs[content.notna()].drop_duplicates("content_digest").set_index("content_digest")["run_id"]
    folder = runs["bundle_path"].str.split("/").str[-3:].str.join("/")
    expected = runs["task"] + "/" + runs["started_at"].dt.strftime("%Y-%m") + "/" + runs["run_id"]
    return {
        "bundle_whole": runs["problem"].notna(),
        "in_its_place": folder != expected,
        "run_completed": ~runs["completed"],
        "not_a_replay": replayed,
        "no_crash_in_log": runs["crash"].notna().where(runs["completed"]),
        "samples_are_numbers": runs["bad_samples"],
    }, {
        "bundle_whole": runs["problem"],
        "in_its_place": folder,
        "run_completed": runs["status"] + ": " + runs["failure_message"].fillna("no message"),
        "not_a_replay": "same content as run " + content.map(first_of).astype("string"),
        "no_crash_in_log": runs["crash"],
    }


def _requests(runs: pd.DataFrame) -> Columns:
    completed = runs["completed"]
    natural = runs["length_control"] == LengthControl.NATURAL
    missing = runs["requests_sent"] - runs["requests_completed"]
    language = runs["architecture"] != "diffusion"
    says_hits = completed & (runs["runtime"] == Runtime.VLLM)
    return {
        "all_requests_completed": np.maximum(missing.abs(), runs["requests_failed"]).where(completed),
        "has_request_counts": runs["requests_sent"].isna().where(completed),
        "some_output": runs["output_tokens"].where(language, runs["requests_completed"]).where(completed),
        "outputs_not_capped": _ratio(runs["requests_at_length_cap"], runs["requests_completed"]).where(
            completed & natural
        ),
        "sample_is_a_picture": runs["blank_sample"],
        "request_file_counts_agree": runs["request_count_difference"].where(completed),
        "request_file_tokens_agree": runs["request_token_difference"].where(completed),
        "request_times_in_order": runs["request_disorders"],
        "no_prefix_cache_hits": runs["prefix_cache_hits"],
        "no_multimodal_cache_hits": runs["multimodal_cache_hits"],
        "prefix_cache_hits_known": runs["prefix_cache_hits"].isna().where(says_hits),
        "multimodal_cache_hits_known": runs["multimodal_cache_hits"]
        .isna()
        .where(says_hits & (runs["architecture"] == "mllm")),
        "no_preemptions": runs["preemptions"],
        "kv_cache_usage_is_a_share": runs["max_kv_cache_usage"],
    }, {
        "all_requests_completed": _counts(runs) + (": " + runs["first_error"].fillna("")).str.rstrip(": "),
    }


def _counts(runs: pd.DataFrame) -> pd.Series:
    def whole(name: str) -> pd.Series:
        return runs[name].astype("Int64").astype("string")

    return (
        whole("requests_completed")
        + " of "
        + whole("requests_sent")
        + " completed, "
        + whole("requests_failed")
        + " failed"
    )


def _windows(runs: pd.DataFrame) -> Columns:
    completed = runs["completed"]
    settled = completed & _true(runs["steady_settled"])
    seconds = runs["steady_end_seconds"] - runs["steady_start_seconds"]
    mlenergy_seconds = runs["mlenergy_end_seconds"] - runs["mlenergy_start_seconds"]
    language = runs["architecture"] != "diffusion"
    turnovers = language.map({True: _TURNOVERS, False: _BATCHES})
    enough = language.map({True: _TURNOVER_SECONDS, False: _BATCHES_SECONDS})
    progress = np.maximum(runs["steady_turnovers"] / turnovers, seconds / enough)
    overhang = np.fmax(
        np.fmax(runs["steady_end_seconds"], runs["mlenergy_end_seconds"]) - runs["duration_seconds"],
        np.fmax(-seconds, -mlenergy_seconds),
    )
    values = {
        "mlenergy_window_settled": (~_true(runs["mlenergy_settled"])).where(completed & language),
        "steady_window_settled": (~_true(runs["steady_settled"])).where(completed),
        "windows_inside_run": overhang.where(completed),
        "window_tokens_inside_run": (
            np.fmax(runs["steady_output_tokens"], runs["mlenergy_output_tokens"])
            > _number(runs["request_tokens"])
        ).where(completed),
        "window_items_inside_run": (runs["steady_output_items"] > runs["requests_completed"]).where(
            completed & ~language
        ),
        "no_power_trend": runs["steady_power_trend"].where(settled),
        "no_throughput_trend": runs["steady_throughput_trend"].where(settled),
    }
    values |= _graded(runs, "steady_window_long_enough", seconds.where(settled & language))
    values |= _graded(runs, "batches_long_enough", seconds.where(settled & ~language))
    values |= _graded(runs, "steady_window_turned_over", progress.where(settled))
    values |= _graded(
        runs,
        "batch_saturated",
        _ratio(runs["steady_mean_running_requests"], runs["batch_size"]).where(settled),
    )
    tokens_per_second = _ratio(runs["steady_output_tokens"], seconds)
    ratio = _ratio(tokens_per_second * runs["itl_p50_ms"] / 1000, runs["steady_mean_running_requests"])
    values["throughput_fits_latency"] = ratio.where(settled)
    values |= _graded(runs, "throughput_near_latency", ratio.where(settled))
    values |= {
        "latency_quantiles_in_order": _disordered(runs).where(completed),
    }
    return values, {
        "mlenergy_window_settled": runs["mlenergy_reason"],
        "steady_window_settled": runs["steady_reason"],
    }


def _disordered(runs: pd.DataFrame) -> pd.Series:
    wrong = pd.Series(False, index=runs.index)
    for name in ("ttft", "itl", "e2e"):
        for low, high in (("p50", "p90"), ("p90", "p95"), ("p95", "p99")):
            wrong |= runs[f"{name}_{low}_ms"] > runs[f"{name}_{high}_ms"]
    return wrong | (runs["ttft_p50_ms"] > runs["e2e_p50_ms"])


def _energy(runs: pd.DataFrame) -> Columns:
    completed, has_energy = runs["completed"], runs["has_energy"]
    joules, integral = runs["steady_counter_joules"], runs["steady_integral_joules"]
    seconds = runs["steady_end_seconds"] - runs["steady_start_seconds"]
    any_joules = joules.notna() | runs["mlenergy_counter_joules"].notna()
    settled = _true(runs["steady_settled"])
    mlenergy_settled = _true(runs["mlenergy_settled"])
    unsettled = (~settled & joules.notna()) | (~mlenergy_settled & runs["mlenergy_counter_joules"].notna())
    sums = np.fmax(
        (_ratio(runs["per_gpu_sum"], joules) - 1).abs(),
        (_ratio(runs["mlenergy_per_gpu_sum"], runs["mlenergy_counter_joules"]) - 1).abs(),
    )
    return {
        "no_energy_without_counter": any_joules & ~has_energy,
        "counter_has_energy": (joules.isna() & settled & has_energy).where(completed),
        "absence_has_a_reason": (runs["energy_absent_reason"].isna() & ~has_energy).where(completed),
        "energy_was_measured_here": runs["energy_source"] == EnergySource.REPLAY,
        "no_energy_in_unsettled_window": unsettled,
        "two_instruments_present": (joules.notna() & ~(integral > 0)),
        "two_instruments_agree": _ratio(joules, integral) - 1,
        "two_instruments_agree_mlenergy": _ratio(
            runs["mlenergy_counter_joules"], runs["mlenergy_integral_joules"]
        )
        - 1,
        "integral_follows_from_timeline": (_ratio(runs["timeline_joules"], integral) - 1).where(settled),
        "counter_spans_window": (_ratio(runs["steady_counter_seconds"], seconds) - 1).where(joules.notna()),
        "energy_sums_over_gpus": sums,
        "energy_of_every_gpu": (runs["per_gpu_count"] != runs["num_gpus"]).where(joules.notna()),
        "energy_per_token_plausible": _ratio(joules, runs["steady_output_tokens"]),
        "energy_per_item_plausible": _ratio(joules, runs["steady_output_items"]),
    }, {}


def _power(runs: pd.DataFrame) -> Columns:
    watts = _ratio(runs["steady_counter_joules"], runs["steady_counter_seconds"])
    per_gpu = _ratio(watts, runs["num_gpus"])
    limit, tdp = runs["power_limit_watts"], runs["tdp_watts"]
    # Runs recorded before the busiest GPU was told have the mean over their GPUs only.
    idle, busiest = runs["idle_watts_before_server"], _number(runs["idle_watts_before_server_max_per_gpu"])
    throttled = runs["throttle_reasons"].fillna("").str.lower().str.replace(r"[^a-z,]", "", regex=True)
    heat_or_hardware = throttled.str.contains("thermal|slowdown|brake")
    return {
        "power_within_tdp": _ratio(per_gpu, tdp),
        "power_peak_within_tdp": _ratio(runs["power_max_watts_per_gpu"], tdp),
        "power_within_limit": _ratio(per_gpu, limit),
        "power_over_idle": _ratio(watts, idle),
        "idle_was_idle": _ratio(busiest.fillna(_ratio(idle, runs["num_gpus"])), tdp),
        "limit_within_tdp": _ratio(limit, tdp),
        "not_too_cold": runs["temperature_min_celsius"],
        "not_too_hot": runs["temperature_max_celsius"],
        "no_thermal_or_hardware_throttling": heat_or_hardware,
        "not_at_power_cap": throttled.str.contains("powercap"),
    }, {
        "power_within_tdp": _text(per_gpu, "W a GPU of ") + _text(tdp, "W TDP"),
        "no_thermal_or_hardware_throttling": runs["throttle_reasons"],
        "not_at_power_cap": runs["throttle_reasons"],
    }


def _instruments(runs: pd.DataFrame) -> Columns:
    has_joules = runs["steady_counter_joules"].notna()
    return {
        "power_sampled_throughout": runs["power_coverage"]
        .fillna(0)
        .where(has_joules & runs["problem"].isna()),
        "power_of_every_gpu": (runs["power_gpus"] != runs["num_gpus"]).where(
            has_joules & runs["power_gpus"].notna()
        ),
        "power_not_frozen": runs["power_frozen_seconds"].where(has_joules),
        "server_metrics_present": runs["metrics_coverage"]
        .isna()
        .where(runs["completed"] & runs["problem"].isna() & (runs["architecture"] != "diffusion")),
        **_graded(runs, "server_metrics_throughout", runs["metrics_coverage"].where(runs["completed"])),
    }, {}


def _client_and_clock(runs: pd.DataFrame) -> Columns:
    wall = (runs["finished_at"] - runs["started_at"]).dt.total_seconds()
    return {
        **_graded(runs, "client_kept_up", _true(runs["client_lagged"]).where(runs["completed"])),
        **_graded(runs, "client_not_saturated", runs["client_cpu_share"]),
        "clock_did_not_jump": (wall - runs["duration_seconds"].fillna(0)),
    }, {}


def _identity(runs: pd.DataFrame) -> Columns:
    """Whether the run is of what it says."""
    on_gpu = runs["gpu_model"] != NO_GPU
    completed_on_gpu = runs["completed"] & on_gpu
    llm_degree = np.maximum(runs["tensor_parallel"] * runs["data_parallel"], runs["expert_parallel"])
    diffusion_degree = runs["ulysses_degree"] * runs["ring_degree"]
    degree = llm_degree.where(runs["architecture"] != "diffusion", diffusion_degree)
    gpus, cfg_parallel = runs["num_gpus"].clip(lower=1), runs["runtime"] == Runtime.XDIT
    return {
        "not_a_recheck": runs["sweep_id"].fillna("").str.startswith(RECHECK_CAMPAIGN),
        "not_the_mock_server": runs["runtime_distribution"] == MOCK,
        "model_in_catalog": runs["unknown_model"],
        "task_in_catalog": runs["unknown_task"],
        "precision_as_in_catalog": runs["wrong_precision"],
        "gpu_in_catalog": on_gpu & runs["tdp_watts"].isna(),
        "gpu_count_fits_gpu": on_gpu != (runs["num_gpus"] > 0),
        "gpu_is_the_one_named": runs["wrong_gpu"].where(completed_on_gpu),
        "gpus_all_seen": (runs["gpus_seen"] != runs["num_gpus"]).where(completed_on_gpu),
        "gpu_memory_too_small": _ratio(runs["smallest_memory_bytes"] / _GIB, runs["memory_gib"]),
        "gpu_memory_too_large": _ratio(runs["largest_memory_bytes"] / _GIB, runs["memory_gib"]),
        "parallelism_fills_gpus": (degree != gpus) & ~(cfg_parallel & (2 * degree == gpus)),
    }, {
        "model_in_catalog": runs["model_id"],
        "task_in_catalog": runs["task"],
        "precision_as_in_catalog": runs["weight_precision"],
        "gpu_in_catalog": runs["gpu_model"],
        "gpu_is_the_one_named": runs["gpu_names"] + " measured as " + runs["gpu_model"],
    }


def _graded(runs: pd.DataFrame, name: str, values: pd.Series) -> dict[str, pd.Series]:
    """Strict for runs with energy, lenient for those that count for speed only."""
    return {
        name: values.where(runs["has_energy"]),
        name + SPEED_ONLY: values.where(~runs["has_energy"]),
    }


def _ratio(top: pd.Series, bottom: pd.Series) -> pd.Series:
    """top / bottom; NULL where either is missing or the bottom is zero."""
    bottom = _number(bottom)
    return _number(top) / bottom.where(bottom != 0)


def _true(column: pd.Series) -> pd.Series:
    return column.eq(True)


def _number(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column, errors="coerce").astype("float64")


def _text(column: pd.Series, unit: str) -> pd.Series:
    return column.map(lambda value: f"{value:.4g}").astype("string") + " " + unit
