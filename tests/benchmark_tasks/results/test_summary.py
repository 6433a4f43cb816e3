"""The flat row says what the record says, and nothing where the record has nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark_tasks.results.identity import KEYS_ADDED_LATER, WORKLOAD_KEYS
from benchmark_tasks.results.schema import Device, Failure, SubWindow
from benchmark_tasks.results.summary import COLUMNS, runs_table
from benchmark_tasks.testing.samples import on_gpus, sample_open_run, sample_run
from benchmark_tasks.vocabulary import RunStatus

NOTHING: dict[str, Any] = {
    "requests": None,
    "window_mlenergy": None,
    "window_steady": None,
    "latency": None,
    "device": Device(),
    "server": None,
    "client": None,
    "phases": (),
}
OF_ARRIVALS = {
    "scheduled_arrivals",
    "arrived_requests",
    "arrival_error_p50_ms",
    "arrival_error_p99_ms",
    "arrival_error_max_ms",
    "mean_backlog",
    "backlog_growth_per_second",
    "backlog_deviate",
    "busy_share",
    "is_sustained",
    "unsustained_reason",
}
"""Columns that only a run at a rate fills."""
OF_SPECULATION = {
    "speculative_method",
    "speculative_tokens",
    "draft_hash",
    "acceptance_is_prescribed",
    "prescribed_acceptance_length",
    "other_server_options",
    "drafts_in_window",
    "accepted_tokens_in_window",
}
"""Columns that only a run with speculative decoding fills."""
OF_GRADES = {
    "grader",
    "answer_form",
    "answer_choices",
    "graded_answers",
    "graded_questions",
    "right_answers",
    "unreadable_answers",
    "cut_answers",
    "unanswered_questions",
    "graded_output_tokens",
}
"""Columns that only a run of graded prompts fills."""


def test_a_completed_run_fills_its_row() -> None:
    run = sample_run(power_watts=500.0, tokens_per_second=4000.0)
    [row] = runs_table([(run, Path("/raw/x"))]).to_pylist()
    assert row["run_id"] == run.run_id
    assert row["steady_counter_joules"] == 30_000.0
    assert row["steady_output_tokens"] == 240_000
    assert row["itl_p50_ms"] == 8.0
    assert row["server_start_seconds"] == 90.0
    assert row["measure_joules"] == 40_000.0
    assert row["throttle_reasons"] == ""
    absent = {name for name, value in row.items() if value is None}
    assert absent <= {
        "sweep_id",
        "mean_output_tokens",
        "note",
        *WORKLOAD_KEYS,
        *KEYS_ADDED_LATER,
        *OF_GRADES,
        "energy_absent_reason",
        "mlenergy_reason",
        "mlenergy_output_items",
        "steady_reason",
        "steady_within_run_interval",
        "steady_parts",
        "steady_output_items",
        "cpu_joules",
        "dram_joules",
        "peak_memory_bytes_per_gpu",
        "git_commit",
        "model_revision",
        "failure_phase",
        "failure_error",
        "failure_message",
        "received_tokens",
        "generated_tokens",
        "generated_tokens_in_window",
        "generated_tokens_absent_reason",
        "weights_digest",
        "weights_seed",
        *OF_SPECULATION,
        *OF_ARRIVALS,
        *(name for name in row if name.endswith(("_level_1", "_level_2"))),
    }


def test_a_run_at_a_rate_says_how_its_requests_arrived() -> None:
    [row] = runs_table([(sample_open_run(request_rate=5.0), Path("/raw/x"))]).to_pylist()
    assert (row["request_rate"], row["burstiness"], row["is_sustained"]) == (5.0, 1.0, True)
    assert {name for name in OF_ARRIVALS if row[name] is None} == {"unsustained_reason"}


def test_the_same_gpus_have_one_name() -> None:
    run = sample_run()
    several = on_gpus(run, "GPU-b", "GPU-a")
    rows = runs_table((one, Path("/raw/x")) for one in (run, several, sample_run(gpu=False))).to_pylist()
    assert {row["run_id"]: row["gpu_uuids"] for row in rows}[several.run_id] == "GPU-a,GPU-b"
    assert {row["gpu_uuids"] for row in rows} == {"GPU-sample", "GPU-a,GPU-b", None}
    assert {row["server_kind"] for row in rows} == {"environment"}


def test_the_parts_of_a_window_say_how_much_it_varies() -> None:
    run = sample_run()
    parts = tuple(SubWindow(outputs=10, counter_joules=joules) for joules in (9.0, 10.0, 11.0))
    window = run.window_steady.model_copy(update={"sub_windows": parts})
    [row] = runs_table([(run.model_copy(update={"window_steady": window}), Path("/raw/x"))]).to_pylist()
    assert row["steady_within_run_interval"] == pytest.approx(4.302653 * 0.1 / 3**0.5), (
        "t(0.975, 2) s/sqrt(n)"
    )
    assert row["steady_parts"] == 3


def test_without_a_counter_every_energy_is_null() -> None:
    [row] = runs_table([(sample_run(gpu=False), Path("/raw/x"))]).to_pylist()
    assert {name for name in row if "joules" in name and row[name] is not None} == set()
    assert row["energy_source"] == "none"
    assert row["throttle_reasons"] is None
    assert row["steady_output_tokens"] == 240_000


def test_a_failed_run_has_a_row_with_its_reason() -> None:
    failure = Failure(phase="server-start", error="ServerDied", message="gone")
    run = sample_run(status=RunStatus.FAILED, failure=failure, **NOTHING)
    [row] = runs_table([(run, Path("/raw/x"))]).to_pylist()
    assert (row["status"], row["failure_error"], row["failure_message"]) == ("failed", "ServerDied", "gone")
    assert row["requests_sent"] is None
    assert row["steady_settled"] is None


def test_rows_are_ordered_and_an_empty_table_has_the_same_columns() -> None:
    runs = sorted((sample_run() for _ in range(3)), key=lambda run: run.run_id)
    table = runs_table((run, Path("/raw/x")) for run in reversed(runs))
    assert table.column("run_id").to_pylist() == [run.run_id for run in runs]
    assert runs_table([]).schema == table.schema == COLUMNS
