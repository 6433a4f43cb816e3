"""A model of the hub is here, whole, before a server starts: fetched, or from its client's cache."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark_tasks import catalog
from benchmark_tasks.catalog import Model
from benchmark_tasks.errors import CatalogError, HubRefused, IndexUnreachable, JouleboardError
from benchmark_tasks.runtimes import hub_weights
from benchmark_tasks.runtimes.hub_weights import fetch_model
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.hub import ModelHub
from benchmark_tasks.testing.weights import write_weights_folder

SECOND = "model-00002-of-00002.safetensors"


@pytest.fixture
def settings(tmp_path: Path, model_hub: ModelHub, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return Settings(home=tmp_path / "home", hub_url=model_hub.url)


@pytest.fixture
def model(tmp_path: Path, model_hub: ModelHub) -> Model:
    """A model of two files at the commit that the hub has."""
    folder = write_weights_folder(tmp_path / "source", parts=2)
    offered = model_hub.add("org/model", config={"model_type": "qwen3"})
    offered.files |= {file.name: file.read_bytes() for file in folder.iterdir()}
    changes = {"model_id": "org/model", "revision": offered.commit()}
    return catalog.load().model("Qwen/Qwen3-8B").model_copy(update=changes)


def fetched(model: Model, settings: Settings, **options: bool) -> tuple[Path, list[str]]:
    said: list[str] = []
    folder = fetch_model(model, settings, said.append, **options)
    assert folder is not None
    return folder, said


def refused(kind: type[JouleboardError], part: str, model: Model, settings: Settings) -> None:
    with pytest.raises(kind) as caught:
        fetch_model(model, settings, lambda line: None)
    assert part in str(caught.value) and "\n" not in str(caught.value)


def test_it_is_fetched_into_the_cache_that_the_server_uses(
    model: Model, settings: Settings, tmp_path: Path, model_hub: ModelHub
) -> None:
    folder, said = fetched(model, settings)
    assert folder == tmp_path / "hf" / "hub" / "models--org--model" / "snapshots" / str(model.revision)
    assert (folder / SECOND).is_file() and not said


def test_offline_the_whole_cache_does_and_says_so(model: Model, settings: Settings) -> None:
    folder, _ = fetched(model, settings)
    again, (line,) = fetched(model, replace(settings, hub_offline=True))
    assert again == folder and "from the hub's cache on this machine" in line and "HF_HUB_OFFLINE" in line


def test_offline_a_part_of_it_is_refused(model: Model, settings: Settings, model_hub: ModelHub) -> None:
    folder, _ = fetched(model, settings, small=True)
    offline = replace(settings, hub_offline=True)
    refused(CatalogError, "only a part is in the hub's cache", model, offline)
    fetched(model, settings)
    (folder / SECOND).unlink()
    refused(CatalogError, f"{SECOND}: missing", model, offline)
    assert fetched(model, settings)[0] == folder, "with the hub it is mended"
    (folder / SECOND).resolve().write_bytes((folder / SECOND).read_bytes()[:-3])
    refused(CatalogError, "truncated", model, offline)


def test_what_is_nowhere_is_the_hubs_own_line(model: Model, settings: Settings, model_hub: ModelHub) -> None:
    refused(IndexUnreachable, "HF_HUB_OFFLINE", model, replace(settings, hub_offline=True))
    model_hub.gated.add("org/model")
    refused(HubRefused, "gated; accept its terms", model, settings)


def test_a_whole_cache_outlives_the_terms_of_the_hub(
    model: Model, settings: Settings, model_hub: ModelHub
) -> None:
    folder, _ = fetched(model, settings)
    model_hub.gated.add("org/model")
    del model_hub.models["org/model"]
    again, (line,) = fetched(model, settings)
    assert again == folder and "does not have it" in line


def test_a_host_without_the_hubs_client_leaves_it_to_the_server(
    model: Model, settings: Settings, monkeypatch: pytest.MonkeyPatch, model_hub: ModelHub
) -> None:
    monkeypatch.setattr(hub_weights, "find_spec", lambda name: None)
    assert fetch_model(model, settings, lambda line: None) is None
    assert model_hub.asked == []
