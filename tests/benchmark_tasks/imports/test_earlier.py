"""What ML.ENERGY published before: recognised wherever it lies, and refused in one line that says why."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmark_tasks.errors import ImportRefused
from benchmark_tasks.imports import mlenergy
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.leaderboard import write_leaderboard

TEXT = {"Model": "some/model", "GPU": "A GPU", "TP": 1, "PP": 1, "Energy/req (J)": 40.0, "Max BS (reqs)": 8}
IMAGE = {"Model": "some/model", "GPU": "A GPU", "Energy/image (J)": 40.0, "Batch size": 8}
V1 = "model,throughput,response_length,latency,energy\nsome/model,25.5,258.9,10.1,1946.2\n"


def write(root: Path, *paths: str) -> Path:
    """Files in the layouts of v1 and v2."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        text = V1 if path.endswith(".csv") else json.dumps(IMAGE if "image" in path else TEXT)
        (root / path).write_text(text)
    return root


def refusal(folder: Path, settings: Settings) -> str:
    with pytest.raises(ImportRefused) as refused:
        mlenergy.import_results(str(folder), settings)
    assert mlenergy.current(settings) is None
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    "inside", ["", "data", "data/llm", "data/llm/chat", "data/llm/chat/A GPU/some/model"]
)
def test_v2_is_refused_by_name(tmp_path: Path, settings: Settings, inside: str) -> None:
    write(tmp_path, "data/llm/chat/A GPU/some/model/bs8+tp1+pp1.json", "data/legacy/A_chat_benchmark.csv")
    told = refusal(tmp_path / inside, settings)
    assert re.search(
        r"bs8\+tp1\+pp1\.json: a result of ML\.ENERGY's leaderboard v2 \(2024\); nothing was", told
    )
    assert "precision of weights, power, percentiles of latency" in told
    assert told.endswith("`jouleboard import mlenergy` reads v3")


def test_v2_s_folder_of_images_is_not_taken_for_raw_results(tmp_path: Path, settings: Settings) -> None:
    write(tmp_path, "diffusion/text-to-image/A GPU/some/model/bs1+steps25.json")
    assert "leaderboard v2 (2024)" in refusal(tmp_path, settings)


@pytest.mark.parametrize("inside", ["", "data", "data/legacy"])
def test_v1_is_refused_by_name(tmp_path: Path, settings: Settings, inside: str) -> None:
    write(tmp_path, "data/legacy/A100_chat_benchmark.csv")
    told = refusal(tmp_path / inside, settings)
    assert "A100_chat_benchmark.csv: results of ML.ENERGY's leaderboard v1 (2023); nothing was" in told
    assert "does not say batch size, number of GPUs, the precision" in told


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bs8+tp1.json", "{"),
        ("bs8+tp1.json", "[1]"),
        ("bs8+tp1.json", '{"Model": "x"}'),
        ("my_benchmark.csv", ""),
        ("my_benchmark.csv", "model,energy\n"),
        ("my_benchmark.csv", "\x00\n"),
    ],
)
def test_other_files_are_not_taken_for_them(
    tmp_path: Path, settings: Settings, name: str, content: str
) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / name).write_text(content)
    assert "give the folder that contains index.json" in refusal(tmp_path / "results", settings)


def test_older_files_beside_v3_do_not_matter(tmp_path: Path, settings: Settings) -> None:
    write(write_leaderboard(tmp_path / "v3"), "legacy/A100_chat_benchmark.csv")
    assert mlenergy.import_results(str(tmp_path / "v3"), settings).changed


def test_the_repository_of_the_web_app_is_read_where_its_data_lie(tmp_path: Path, settings: Settings) -> None:
    direct = mlenergy.import_results(str(write_leaderboard(tmp_path / "app" / "public" / "data")), settings)
    again = mlenergy.import_results(str(tmp_path / "app"), settings)
    assert (again.content_hash, again.changed) == (direct.content_hash, False)


@pytest.mark.parametrize(("day", "is_told"), [("2026-02-13", True), ("2026-02-16", False)])
def test_a_refused_state_of_v3_that_was_corrected_later_is_said_to_be_one(
    tmp_path: Path, settings: Settings, day: str, is_told: bool
) -> None:
    folder = write_leaderboard(tmp_path / "v3")
    index = json.loads((folder / "index.json").read_text()) | {"last_updated": day}
    (folder / "index.json").write_text(json.dumps(index))
    task = folder / "tasks" / "gpqa.json"
    content = json.loads(task.read_text())
    content["configurations"][0]["max_num_batched_tokens"] = None
    task.write_text(json.dumps(content))
    told = refusal(folder, settings)
    assert "max_num_batched_tokens" in told
    assert ("(v3 as of 2026-02-13; ML.ENERGY corrected its rows until 2026-02-16" in told) is is_told
