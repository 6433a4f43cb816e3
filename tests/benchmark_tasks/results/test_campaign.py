"""The campaign's table says what the bundles say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmark_tasks.results.schema import Phase, Run, SubWindow, Window
from benchmark_tasks.results.summary import within_run_interval
from benchmark_tasks.testing.samples import on_gpus, sample_run, write_sample
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


def test_groups_are_compared_on_the_same_gpus_and_gpus_with_each_other(tmp_path: Path) -> None:
    made = [("a", "1111", 500.0), ("a", "1111", 504.0), ("b", "1111", 510.0), ("b", "1111", 514.0)]
    for i, (note, uuid, watts) in enumerate([*made, ("b", "2222", 530.0)]):
        run = sample_run(power_watts=watts, tokens_per_second=4000.0).model_copy(update={"note": note})
        write_sample(tmp_path / str(i), on_gpus(run, f"GPU-{uuid}"))
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


def test_a_load_at_a_rate_is_compared_with_that_rate_only() -> None:
    runs = runs_of(Path(__file__).parents[3] / "recorded_runs" / "h200-2026-11-29-load")
    assert len({run.configuration.batch_size for run in runs}) == 1
    rows = rows_of(runs)
    assert comparisons(rows) == [] and len({row.what for row in rows}) == len(runs) > 1
    slow = next(run for run in runs if run.configuration.request_rate == 1.8)
    (shown,) = (row.interval for row in rows if row.what.endswith("1.8 requests/s"))
    assert slow.window_steady is not None
    assert shown == within_run_interval(slow.window_steady, is_open=True)


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


def with_parts(run: Run, which: str, joules: Sequence[float]) -> Run:
    """Parts of 1,000 tokens each, 10 s together."""
    parts = tuple(SubWindow(outputs=1000, counter_joules=each) for each in joules)
    span = {"start_seconds": 0.0, "end_seconds": 10.0, "sub_windows": parts}
    return run.model_copy(update={which: getattr(run, which).model_copy(update=span)})


def requesting(run: Run, request_set_id: str) -> Run:
    keys = run.comparability.model_copy(update={"request_set_id": request_set_id})
    return run.model_copy(update={"comparability": keys})


def started_by(run: Run, session: str, seconds: float | None) -> Run:
    """`seconds`: of its server's start; `None` where another run needed it."""
    phases = tuple(phase for phase in run.phases if phase.name != "server-start")
    if seconds is not None:
        phases += (Phase(name="server-start", seconds=seconds, joules=None),)
    server = run.server.model_copy(update={"session_id": session})
    return run.model_copy(update={"phases": phases, "server": server})


OURS = [100, 100, 100, 140, 120, 120, 120, 120, 120, 120]
"""Within 16 % from the sixth part on, for good; before, the third part was, too."""
THEIRS = [100, 110, 120, 130, 140]
"""15.81 J over 5 parts: within 2.776 * 15.81 / sqrt(5) / 120, 16.4 %."""


def ours_and_theirs() -> tuple[Run, Run]:
    ours = requesting(with_parts(sample_run(), "window_steady", OURS), "x")
    theirs = requesting(with_parts(sample_run(), "window_mlenergy", THEIRS), "x+afresh+1024-requests+seed-3")
    return started_by(ours, "ours", 60.0), started_by(theirs, "theirs", 80.0)


def test_what_an_interval_costs_is_compared_on_one_gpu(tmp_path: Path) -> None:
    ours, theirs = ours_and_theirs()
    second = with_parts(started_by(ours, "ours", None), "window_steady", [100, 140, 100, 140])
    several = ours.client.model_copy(update={"processes": 4})
    others = [
        on_gpus(ours, "GPU-another"),
        ours.model_copy(update={"client": several}),
        ours.model_copy(
            update={"comparability": ours.comparability.model_copy(update={"power_limit_watts": 400.0})}
        ),
    ]
    others = [started_by(run, f"other {i}", 60.0) for i, run in enumerate(others)]
    for i, run in enumerate([ours, second, theirs, *others]):
        write_sample(tmp_path / str(i), run)
    narrow, wide = sorted(prices(runs_of(tmp_path)), key=lambda price: price.our_load is None)
    assert narrow.interval == pytest.approx(0.1636, abs=1e-4)
    assert (narrow.start, narrow.our_start) == (80.0, 30.0), "a start is shared by its server's runs"
    seconds = {phase.name: phase.seconds for phase in ours.phases}
    assert narrow.load == seconds["warm-up"] + seconds["measure"]
    assert narrow.load - narrow.our_load == pytest.approx(4.0), "of ten parts of 1 s six were needed"
    # 16.33 J over six parts: 2.571 * 16.33 / sqrt(6) / 113.3
    assert narrow.our_interval == pytest.approx(0.1512, abs=1e-4)
    assert wide.our_load is None and wide.our_interval == pytest.approx(0.306, abs=1e-3)


def test_two_gpus_cost_twice(tmp_path: Path) -> None:
    for i, run in enumerate(ours_and_theirs()):
        two = run.configuration.model_copy(update={"num_gpus": 2})
        write_sample(tmp_path / str(i), run.model_copy(update={"configuration": two}))
    (price,) = prices(runs_of(tmp_path))
    assert (price.start, price.our_start) == (160.0, 120.0)
    assert price.load - price.our_load == pytest.approx(8.0)


@pytest.mark.parametrize("without", ["window", "energy", "start", "our start"])
def test_what_is_not_known_has_no_price(tmp_path: Path, without: str) -> None:
    ours, theirs = ours_and_theirs()
    theirs = with_parts(theirs, "window_steady", THEIRS)
    window = theirs.window_mlenergy
    changed = {"window": None, "energy": window.model_copy(update={"energy": None, "sub_windows": ()})}
    if without in changed:
        theirs = theirs.model_copy(update={"window_mlenergy": changed[without]})
    elif without == "start":
        theirs = started_by(theirs, "theirs", None)
    else:
        ours = started_by(ours, "ours", None)
    for i, run in enumerate([ours, theirs]):
        write_sample(tmp_path / str(i), run)
    assert prices(runs_of(tmp_path)) == []


RECORDED = Path(__file__).parents[3] / "recorded_runs" / "h100-2026-11-26-qwen3-8b"


def test_recorded_prices_have_the_interval_of_their_own_window_or_that_of_ours() -> None:
    runs = runs_of(RECORDED)
    theirs = {run.configuration.batch_size: run for run in runs if run.note == "ML.ENERGY's procedure"}
    assert sorted(theirs) == [8, 64, 256]
    parts = theirs[256].window_mlenergy.sub_windows
    assert sum(part.outputs for part in parts) == pytest.approx(
        theirs[256].window_mlenergy.output_tokens, rel=1e-3
    )
    assert theirs[64].window_mlenergy.sub_windows == (), "too few of its requests kept their tokens"
    intervals = {price.batch_size: price.interval for price in prices(runs)}
    large, small = theirs[256].window_mlenergy, theirs[64].window_steady
    assert large is not None and intervals[256] == within_run_interval(large) > 0.06
    assert small is not None and intervals[64] == within_run_interval(small)


def test_an_empty_folder_is_one_clear_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.campaign", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and done.stderr == f"error: no bundle under {tmp_path}\n"
