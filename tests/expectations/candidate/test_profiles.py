"""What is kept of a bundle's files for pictures: power over time and lengths of answers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmark_tasks.results import bundle
from expectations.candidate import profiles
from expectations.candidate.inputs import previous_leaderboards
from expectations.candidate.profiles import INTERVALS, gather, profile

RECORDED = Path(__file__).parents[3] / "recorded_runs"


def write_bundle(folder: Path, power: list[tuple[int, float, float]], tokens: list[int]) -> Path:
    """A bundle with only what a profile reads. power: GPU, seconds, watts."""
    folder.mkdir()
    rows = [
        {"series": "power_watts", "gpu_index": gpu, "seconds": at, "value": watts} for gpu, at, watts in power
    ]
    rows.append({"series": "sm_clock_mhz", "gpu_index": 0, "seconds": 999.0, "value": 1980.0})
    pq.write_table(pa.Table.from_pylist(rows), folder / bundle.TIMELINES_FILE)
    requests: list[dict[str, object]] = [
        {"output_tokens": count, "under_way": False, "error": None} for count in tokens
    ]
    requests += [
        {"output_tokens": 7, "under_way": True, "error": None},
        {"output_tokens": 7, "under_way": False, "error": "reset"},
    ]
    pq.write_table(pa.Table.from_pylist(requests), folder / bundle.REQUESTS_FILE)
    (folder / bundle.CHECKSUMS_FILE).write_text(f"{len(power)} {tokens}")
    return folder


def test_power_is_added_over_gpus_and_averaged_over_intervals(tmp_path: Path) -> None:
    power = [(gpu, second / 2, 100.0 * (gpu + 1)) for gpu in (0, 1) for second in range(2 * INTERVALS + 1)]
    result = profile("r", write_bundle(tmp_path / "r", power, [5]))
    assert result.start_seconds == 0.0
    assert result.interval_seconds == pytest.approx(1.0)
    assert result.power_watts == (300.0,) * INTERVALS


def test_an_interval_in_which_a_gpu_is_silent_has_no_power(tmp_path: Path) -> None:
    power = [(0, float(second), 100.0) for second in range(INTERVALS + 1)] + [(1, 0.0, 50.0)]
    result = profile("r", write_bundle(tmp_path / "r", power, [5]))
    assert result.power_watts[0] == 150.0
    assert set(result.power_watts[1:]) == {None}
    assert len(result.power_rows()) == 1


def test_completed_answers_are_counted_by_length(tmp_path: Path) -> None:
    result = profile("r", write_bundle(tmp_path / "r", [], [0, 1, 255, 256]))
    assert result.bin_tokens == 8  # at most 64 bins, up to 256 tokens
    assert result.length_rows() == [
        {"run_id": "r", "bin_start_tokens": 0, "bin_end_tokens": 8, "responses": 2},
        {"run_id": "r", "bin_start_tokens": 248, "bin_end_tokens": 256, "responses": 1},
        {"run_id": "r", "bin_start_tokens": 256, "bin_end_tokens": 264, "responses": 1},
    ]


def test_a_bundle_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundles = [("r", write_bundle(tmp_path / "r", [(0, 0.0, 1.0), (0, 9.0, 1.0)], [5]), "sums")]
    first = gather(bundles, tmp_path)
    rows = pq.read_table(first / "power_profiles.parquet")
    assert rows.num_rows
    other = write_bundle(tmp_path / "other", [(0, 0.0, 2.0), (0, 9.0, 2.0)], [7])
    read: list[str] = []

    def noted(run_id: str, directory: Path) -> profiles.Profile:
        read.append(run_id)
        return profile(run_id, directory)

    monkeypatch.setattr(profiles, "profile", noted)
    both = gather([*bundles, ("other", other, "sums")], tmp_path)
    assert read == ["other"]
    table = pq.read_table(both / "power_profiles.parquet")
    assert table.filter(pc.equal(table["run_id"], "r")).equals(rows)
    assert set(table["run_id"].to_pylist()) == {"r", "other"}
    alone = pq.read_table(gather(bundles, tmp_path) / "power_profiles.parquet")
    assert read == ["other"] and alone.equals(rows)


def test_a_bundle_with_other_checksums_is_read_again_and_a_damaged_table_is_made_anew(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "r", [(0, 0.0, 1.0), (0, 9.0, 1.0)], [5])
    tables = gather([("r", folder, "sums")], tmp_path)
    shutil.rmtree(folder)
    folder = write_bundle(tmp_path / "r", [(0, 0.0, 3.0), (0, 9.0, 3.0)], [5])
    tables = gather([("r", folder, "other sums")], tmp_path)
    watts = pq.read_table(tables / "power_profiles.parquet")["mean_power_watts"].to_pylist()
    assert set(watts) == {3.0}
    table = pq.read_table(tables / "power_profiles.parquet")
    column = table.column_names.index("mean_power_watts")
    doubled = table.set_column(column, "mean_power_watts", pc.multiply(table["mean_power_watts"], 2.0))
    pq.write_table(doubled, tables / "power_profiles.parquet")
    tables = gather([("r", folder, "other sums")], tmp_path)
    assert pq.read_table(tables / "power_profiles.parquet")["mean_power_watts"].to_pylist() == watts


def test_a_file_that_is_absent_or_damaged_leaves_its_part_empty(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "r", [(0, 0.0, 1.0)], [5])
    (folder / bundle.TIMELINES_FILE).unlink()
    (folder / bundle.REQUESTS_FILE).write_bytes(b"no Parquet")
    assert profile("r", folder) == profiles.Profile("r")


def test_a_recorded_run_has_the_mean_power_of_its_record() -> None:
    folder = sorted((RECORDED / "h200-2026-11-26-qwen3-8b").iterdir())[0]
    run = bundle.read_record(folder)
    assert run.window_steady is not None and run.window_steady.energy is not None
    energy = run.window_steady.energy
    rows = [
        row["mean_power_watts"]
        for row in profile(run.run_id, folder).power_rows()
        if run.window_steady.start_seconds < row["start_seconds"]
        and row["end_seconds"] < run.window_steady.end_seconds
    ]
    assert sum(rows) / len(rows) == pytest.approx(energy.counter_joules / energy.counter_seconds, rel=0.02)


def test_older_leaderboards_are_compared_as_far_as_they_go(tmp_path: Path) -> None:
    for number in (6, 7):
        (tmp_path / str(number) / "parquet").mkdir(parents=True)
        pq.write_table(
            pa.table({"leaderboard_id": ["a"], "energy_per_output_joules": [0.5], "unknown": [1]}),
            tmp_path / str(number) / "parquet" / "leaderboard.parquet",
        )
    (tmp_path / "6" / "parquet" / "leaderboard.parquet").write_bytes(b"PAR1 damaged")
    (row,) = previous_leaderboards(tmp_path, [5, 6, 7]).to_pylist()  # 5 was retired
    assert (row["publication_number"], row["leaderboard_id"], row["energy_rank"]) == (7, "a", None)
    assert previous_leaderboards(tmp_path, []).num_rows == 0
