"""The differences of weights that the marts show are those that were measured, digit for digit."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark_tasks.catalog import load
from benchmark_tasks.vocabulary import Task, WeightPrecision, Weights
from benchmarks.stand_in.report import difference, grouped, lines_of, mean_median, parts, windows_of

ROOT = Path(__file__).parents[2]
SEED = ROOT / "dbt_project" / "seeds" / "weights_differences.csv"
ROWS = list(csv.DictReader(SEED.open()))


def lines_for(row: dict[str, str]) -> Iterator[dict[str, Any]]:
    """What a row's source says of its model and version: a file of lines, or a folder of bundles."""
    source = ROOT / row["source"]
    if source.is_dir():
        model = f" {row['model_id']} {row['runtime_version']} "
        return (line for line in windows_of(source) if model in line["run"])
    return (line for line in lines_of(source.parent) if line["run"].endswith(source.name))


@pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: f"{row['model_id']}-{row['gpu_model']}-{row['batch_size']}"
)
def test_a_row_is_what_its_source_says(row: dict[str, str]) -> None:
    [kinds] = [
        kinds for (_, batch, sampling), kinds in grouped(lines_for(row)).items()
        if batch == int(row["batch_size"]) and sampling == "sampled" and len(kinds) > 1
    ]  # fmt: skip
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


def test_a_row_is_of_a_model_that_the_catalog_holds_in_that_precision() -> None:
    known = load()
    assert all(known.model(row["model_id"]).weight_precision == row["weight_precision"] for row in ROWS)
