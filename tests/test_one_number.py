"""docs/one-number.md names files and names that exist, and its figures follow from the recorded bundles."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "one-number.md").read_text()
BUNDLES = ROOT / "recorded_runs" / "h100-2026-11-26-qwen3-8b"
STEPS = re.findall(r"^\| .+? \| (`.+?`) \| (`.+?`) \|$", GUIDE, re.M)
RUNS = re.findall(r"^\| `([0-9a-f-]{36})` \| (.+) \|$", GUIDE, re.M)


def quoted(cell: str) -> list[str]:
    """The texts between backticks."""
    return re.findall(r"`([^`]+)`", cell)


def source_of(path: Path) -> str:
    """The text of a file, or of all Python files of a folder."""
    files = sorted(path.glob("*.py")) if path.is_dir() else [path]
    return "\n".join(file.read_text() for file in files)


def counter_at_ends(run: Run) -> tuple[float, float]:
    """The GPU's energy counter at the start and at the end of the ranking window, joules."""
    window = run.window_steady
    assert window is not None
    assert window.start_seconds is not None
    assert window.end_seconds is not None
    rows = pq.read_table(
        BUNDLES / run.run_id / bundle.TIMELINES_FILE, filters=[("series", "=", "energy_counter_joules")]
    )
    edges = [window.start_seconds, window.end_seconds]
    start, end = np.interp(edges, rows["seconds"].to_numpy(), rows["value"].to_numpy())
    return float(start), float(end)


def test_the_guide_has_all_its_steps() -> None:
    assert len(STEPS) == len(re.findall(r"^\| (?!step|---|run |`)", GUIDE, re.M))
    assert len(RUNS) == 3


@pytest.mark.parametrize(("files", "names"), STEPS)
def test_files_and_names_of_a_step_exist(files: str, names: str) -> None:
    text = "\n".join(source_of(ROOT / path) for path in quoted(files))
    for name in quoted(names):
        definition = rf"\b{name}\b" if ".sql" in files else rf"^\s*(class|def) {name}\b|^{name} = "
        assert re.search(definition, text, re.M), f"{name} is not in {files}"


@pytest.mark.parametrize(
    "path", re.findall(r"`((?:benchmark_tasks|expectations|dbt_project|recorded_runs)/[^`]*)`", GUIDE)
)
def test_every_path_in_the_guide_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("run_id", "cells"), RUNS)
def test_the_figures_of_a_run_follow_from_its_bundle(run_id: str, cells: str) -> None:
    run = bundle.read_record(BUNDLES / run_id)
    start, end = counter_at_ends(run)
    window = run.window_steady
    assert window is not None
    assert window.energy is not None
    assert window.output_tokens is not None
    assert end - start == window.energy.counter_joules
    joules_per_token = window.energy.counter_joules / window.output_tokens
    shown = (
        f"{start:,.1f} | {end:,.1f} | {end - start:,.2f} | {window.output_tokens:,} | {joules_per_token:.6f}"
    )
    assert cells == shown


def test_the_figure_is_the_mean_of_its_runs() -> None:
    mean = np.mean([float(cells.split(" | ")[-1]) for _, cells in RUNS])
    assert f"**{mean:.5f} J per token**" in GUIDE
