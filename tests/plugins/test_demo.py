"""The demo says which weights it measures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from benchmark_tasks import catalog
from benchmark_tasks.catalog import Catalog
from benchmark_tasks.runtimes.hub_cache import cached_commit
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.hub import ModelHub
from benchmark_tasks.testing.weights import write_weights_folder
from jouleboard_airflow.demo import real_weights
from jouleboard_airflow.demo.main_job import weights_measured
from jouleboard_airflow.demo.real_weights import MODEL_ID, offer_real_weights


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


@pytest.fixture
def smol(model_hub: ModelHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ModelHub, Settings]:
    """A hub with the demo's model, in a few bytes, and an installation that asks it."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path / "home"))
    folder = write_weights_folder(tmp_path / "source")
    offered = model_hub.add(MODEL_ID, config={"model_type": "llama", "vocab_size": 49152})
    offered.files |= {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "config.json"}
    offered.commit()
    return model_hub, Settings.from_environment()


def offered(settings: Settings) -> tuple[Catalog, list[str]]:
    said: list[str] = []
    offer_real_weights(catalog.load(overlay=settings.catalog), settings, said.append)
    return catalog.load(overlay=settings.catalog), said


def test_with_a_hub_a_small_real_model_is_fetched_and_measured(smol: tuple[ModelHub, Settings]) -> None:
    hub, settings = smol
    found, said = offered(settings)
    assert found.model(MODEL_ID).revision == hub.models[MODEL_ID].revision
    assert cached_commit(MODEL_ID, str(found.model(MODEL_ID).revision)) is not None, (
        "before the platform starts"
    )
    assert any("at most 240 s" in line for line in said) and "remove the file" in said[-1]
    assert f"measures {MODEL_ID}: real weights" in weights_measured(found, "0.32.0")
    asked = len(hub.asked)
    assert offered(settings)[1] == [] and len(hub.asked) == asked, "a second demo asks nobody"


@pytest.mark.parametrize("trouble", ["offline", "away", "unknown", "large", "broken", "slow"])
def test_without_a_hub_that_gives_it_soon_the_demo_says_so_and_goes_on(
    smol: tuple[ModelHub, Settings], trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, settings = smol
    match trouble:
        case "offline":
            settings = replace(settings, hub_offline=True)
        case "away":
            settings = replace(settings, hub_url="http://127.0.0.1:9")
        case "unknown":
            hub.models.clear()
        case "large":
            monkeypatch.setattr(real_weights, "LARGEST_BYTES", 10)
        case "broken":
            hub.faults["/resolve/main"] = hub.faults["/tree/"] = 403
        case "slow":
            monkeypatch.setattr(real_weights, "LONGEST_SECONDS", 0.01)
    found, said = offered(settings)
    assert MODEL_ID not in found.added
    assert said[-1].startswith("no real weights from a hub: ") and "\n" not in said[-1]
    assert weights_measured(found, "0.32.0")[0] == "measures jouleboard/qwen3-tiny: dummy weights"
