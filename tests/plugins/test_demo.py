"""The demo says which weights it measures."""

from __future__ import annotations

from pathlib import Path

import yaml

from benchmark_tasks import catalog
from benchmark_tasks.testing.weights import write_weights_folder
from jouleboard_airflow.demo.main_job import weights_measured


def test_the_demo_says_that_its_weights_are_dummies_and_how_to_have_real_ones() -> None:
    lines = weights_measured(catalog.load(), "0.32.0")
    assert lines[0] == "measures jouleboard/qwen3-tiny: dummy weights"
    assert "real-model-without-a-hub.md" in lines[-1]
    assert (Path(__file__).parents[2] / "docs" / "how-to" / "real-model-without-a-hub.md").exists()


def test_a_folder_that_the_overlay_names_is_measured_by_the_demo(tmp_path: Path) -> None:
    folder = write_weights_folder(tmp_path / "weights")
    shipped = Path(catalog.__file__).parent / "data" / "models" / "jouleboard__qwen3-tiny.yaml"
    entry = yaml.safe_load(shipped.read_text())
    del entry["weights"]
    overlay = tmp_path / "catalog" / "models" / "me__mine.yaml"
    overlay.parent.mkdir(parents=True)
    overlay.write_text(yaml.safe_dump({**entry, "model_id": "me/mine", "weights_folder": str(folder)}))
    lines = weights_measured(catalog.load(overlay=tmp_path / "catalog"), "0.32.0")
    assert f"measures me/mine: real weights of {folder}" in lines
    assert len(lines) == 2, "there are real ones"
