"""The campaign's table says what the bundles say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmark_tasks.results.schema import Run, SubWindow, Window
from benchmark_tasks.testing.samples import sample_run, write_sample
from benchmarks.campaign import between_gpus, between_hosts, comparisons, prices, rows_of, runs_of


def test_groups_are_compared_at_one_batch_size_and_window(tmp_path: Path) -> None:
    for i, (note, watts) in enumerate([("a", 500.0), ("a", 510.0), ("b", 505.0)]):
        run = sample_run(power_watts=watts, tokens_per_second=4000.0).model_copy(update={"note": note})
        parts = tuple(SubWindow(outputs=1000, counter_joules=125.0 + k) for k in range(4))
        window = run.window_steady.model_copy(update={"sub_windows": parts if i else ()})
        write_sample(tmp_path / str(i), run.model_copy(update={"window_steady": window}))
    rows = rows_of(runs_of(tmp_path))
    assert [row.joules_per_output for row in rows] == pytest.approx([0.125, 0.1275, 0.12625])
    assert sorted(row.interval is None for row in rows) == [False, False, True]
    with_parts = rows[1]
    assert with_parts.first_half == pytest.approx(125.5 / 126.5 - 1)
    assert with_parts.first_half_interval is None, "two parts have no interval"
    (one,) = comparisons(rows)
    assert one.runs == (2, 1) and one.energy_change == pytest.approx(0.0, abs=1e-9)


def on_gpu(run: Run, uuid: str) -> Run:
    gpus = tuple(gpu.model_copy(update={"uuid": f"GPU-{uuid}"}) for gpu in run.provenance.gpus)
    return run.model_copy(update={"provenance": run.provenance.model_copy(update={"gpus": gpus})})


def test_groups_are_compared_on_the_same_gpus_and_gpus_with_each_other(tmp_path: Path) -> None:
    made = [("a", "1111", 500.0), ("a", "1111", 504.0), ("b", "1111", 510.0), ("b", "1111", 514.0)]
    for i, (note, uuid, watts) in enumerate([*made, ("b", "2222", 530.0)]):
        run = sample_run(power_watts=watts, tokens_per_second=4000.0).model_copy(update={"note": note})
        write_sample(tmp_path / str(i), on_gpu(run, uuid))
    rows = rows_of(runs_of(tmp_path))
    (one,) = comparisons(rows)
    assert (one.gpus, one.runs) == ("1111", (2, 2))
    assert one.energy_change == pytest.approx(512 / 502 - 1)
    # squares within the groups 8 and 8 W over two degrees of freedom: 8; sqrt(8 / 2 + 8 / 2), t = 4.30265
    assert one.energy_half_width == pytest.approx(4.30265 * 8**0.5 / 502, rel=1e-4)
    assert between_hosts(rows) == []
    (spread,) = between_gpus(rows)
    assert spread.joules_per_output == pytest.approx({"1111": 507 / 4000, "2222": 530 / 4000})
    assert spread.share == pytest.approx(530 / 507 - 1)


def test_a_run_without_any_window_says_why(tmp_path: Path) -> None:
    run = sample_run()
    unsettled = Window(settled=False, reason="never settled: throughput drifts by -14.2% across the window")
    update = {"window_steady": unsettled, "window_mlenergy": None}
    write_sample(tmp_path, run.model_copy(update=update))
    (row,) = rows_of(runs_of(tmp_path))
    assert row.joules_per_output is None and row.watts is None and "-14.2%" in row.reason


def test_runs_that_differ_in_gpus_or_requests_are_not_compared(tmp_path: Path) -> None:
    one = sample_run()
    spread = one.model_copy(update={"configuration": one.configuration.model_copy(update={"num_gpus": 2})})
    other = one.comparability.model_copy(update={"request_set_id": "synthetic-sample-chat+afresh"})
    for i, run in enumerate([one, spread, one.model_copy(update={"comparability": other, "note": "x"})]):
        write_sample(tmp_path / str(i), run)
    rows = rows_of(runs_of(tmp_path))
    assert len({row.what for row in rows}) == 3 and comparisons(rows) == []


def test_who_had_a_server_for_itself_is_what_the_record_says_whatever_the_note_does(tmp_path: Path) -> None:
    for i, (session, size) in enumerate([("shared", 512), ("shared", 512), ("alone", 64)]):
        run = sample_run().model_copy(update={"note": "one server per batch size"})
        server = run.server.model_copy(update={"session_id": session})
        arguments = ("python3", "serve", f"--max-num-seqs={size}")
        provenance = run.provenance.model_copy(update={"server_arguments": arguments})
        write_sample(tmp_path / str(i), run.model_copy(update={"server": server, "provenance": provenance}))
    version = sample_run().comparability.runtime_version
    assert sorted(row.group for row in rows_of(runs_of(tmp_path))) == [
        f"{version}, one for the sweep of 512",
        f"{version}, one for the sweep of 512",
        f"{version}, own server of 64",
    ]


def with_parts(run: Run, which: str, joules: list[float]) -> Run:
    """Parts of 1,000 tokens each, 10 s together."""
    parts = tuple(SubWindow(outputs=1000, counter_joules=each) for each in joules)
    span = {"start_seconds": 0.0, "end_seconds": 10.0, "sub_windows": parts}
    return run.model_copy(update={which: getattr(run, which).model_copy(update=span)})


def test_what_an_interval_costs_is_compared_on_one_gpu(tmp_path: Path) -> None:
    """Theirs: within 10 %. Ours is as narrow from its fifth part on, for good: half of 10 s to spare."""
    ours = with_parts(sample_run(), "window_steady", [100, 100, 100, 140, 120, 120, 120, 120, 120, 120])
    keys = ours.comparability.model_copy(
        update={"request_set_id": "synthetic-sample-chat+afresh+1024-requests"}
    )
    ours = ours.model_copy(
        update={"comparability": keys.model_copy(update={"request_set_id": "synthetic-sample-chat"})}
    )
    theirs = with_parts(sample_run(), "window_mlenergy", [100, 110, 120, 130, 140])
    theirs = theirs.model_copy(update={"comparability": keys})
    for i, run in enumerate([ours, on_gpu(ours, "another"), theirs]):
        write_sample(tmp_path / str(i), run)
    (price,) = prices(runs_of(tmp_path))
    # 15.8 J over sqrt(5) parts, t = 2.776
    assert price.interval == pytest.approx(2.776 * 15.811 / 5**0.5 / 120, rel=1e-3)
    seconds = {phase.name: phase.seconds for phase in ours.phases}
    assert price.start == price.our_start == seconds["server-start"]
    assert price.load == seconds["warm-up"] + seconds["measure"]
    assert price.our_interval < price.interval and price.our_load is not None
    assert price.load - price.our_load == pytest.approx(10 * (1 - needed(ours, price.interval) / 10))


def needed(run: Run, interval: float) -> int:
    """Parts from which on the interval is as narrow, by hand."""
    values = np.array([part.counter_joules for part in run.window_steady.sub_windows])
    widths = {n: stats.t.ppf(0.975, n - 1) * stats.sem(values[:n]) / values[:n].mean() for n in range(3, 11)}
    return 1 + max(n for n, width in widths.items() if width > interval)


def test_a_run_that_never_was_as_narrow_says_so(tmp_path: Path) -> None:
    ours = with_parts(sample_run(), "window_steady", [100, 140, 100, 140])
    keys = ours.comparability.model_copy(update={"request_set_id": "x+afresh+1024-requests"})
    theirs = with_parts(sample_run(), "window_mlenergy", [100, 101, 102]).model_copy(
        update={"comparability": keys}
    )
    ours = ours.model_copy(update={"comparability": keys.model_copy(update={"request_set_id": "x"})})
    for i, run in enumerate([ours, theirs]):
        write_sample(tmp_path / str(i), run)
    (price,) = prices(runs_of(tmp_path))
    assert price.our_load is None and price.our_interval > 0.2


def test_an_empty_folder_is_one_clear_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.campaign", str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr == f"error: no bundle under {tmp_path}\n"
