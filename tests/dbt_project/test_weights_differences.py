"""The differences of weights that the marts show are those that were measured, digit for digit."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmark_tasks.vocabulary import Task, WeightPrecision, Weights
from benchmarks.stand_in.report import difference, grouped, lines_of, mean_median, parts

ROOT = Path(__file__).parents[2]
SEED = ROOT / "dbt_project" / "seeds" / "weights_differences.csv"
ROWS = list(csv.DictReader(SEED.open()))


@pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: f"{row['model_id']}-{row['weight_precision']}-{row['batch_size']}"
)
def test_a_row_is_what_its_source_says(row: dict[str, str]) -> None:
    source = ROOT / row["source"]
    groups = grouped(line for line in lines_of(source.parent) if line["run"].endswith(source.name))
    [kinds] = [kinds for (_, batch, sampling), kinds in groups.items()
               if batch == int(row["batch_size"]) and sampling == "sampled"]  # fmt: skip
    ours, reference = kinds[row["weights"]], kinds[row["reference_weights"]]
    energy = difference(parts(ours, True), parts(reference, True))
    latency = mean_median(ours) / mean_median(reference) - 1
    measured = [energy.share, energy.half, latency]
    told = ("energy_difference", "energy_difference_half_width", "median_itl_difference")
    assert [f"{value:.4f}" for value in measured] == [row[name] for name in told]


def test_its_words_are_those_of_the_vocabulary() -> None:
    for row in ROWS:
        assert {row["weights"], row["reference_weights"]} <= set(Weights)
        assert row["weight_precision"] in set(WeightPrecision) and row["task"] in set(Task)
