"""What the forms offer first: a combination that works, whatever machines there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark_tasks.catalog import Catalog, load
from benchmark_tasks.errors import SettingsError
from benchmark_tasks.settings import Settings
from jouleboard_airflow.gpu_hosts import GpuHosts, reachable_hosts, read_fleet
from jouleboard_airflow.offers import Offer, first_offer


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


def shown(offer: Offer | None) -> tuple[str, str, str, int, tuple[int, ...] | None]:
    assert offer is not None
    return offer.model.model_id, offer.task.value, offer.gpu_model, offer.num_gpus, offer.batch_sizes


CHAT = "lm-arena-chat"


@pytest.mark.parametrize(
    ("fleet", "offer"),
    [
        ("", ("jouleboard/qwen3-tiny", CHAT, "none", 0, None)),
        ("H200:8", ("Qwen/Qwen3-8B", CHAT, "H200", 1, None)),
        ("B200:8x2, H100:1", ("Qwen/Qwen3-8B", CHAT, "B200", 1, None)),
        ("A100:8", ("Qwen/Qwen3-8B", CHAT, "A100", 1, (8, 32))),  # the catalog has no deployment on it
        ("MI300:8", ("jouleboard/qwen3-tiny", CHAT, "none", 0, None)),  # a GPU that the catalog lacks
        ("MI300:8, H100:1", ("Qwen/Qwen3-8B", CHAT, "H100", 1, None)),
    ],
)
def test_the_first_offer_follows_the_hosts(
    fleet: str, offer: tuple[object, ...], catalog: Catalog, tmp_path: Path
) -> None:
    assert shown(first_offer(catalog, read_fleet(fleet), Settings(home=tmp_path)))[1:] == offer[1:]
    assert shown(first_offer(catalog, read_fleet(fleet), None)) == offer


@pytest.mark.parametrize("fleet", ["H200:8, H200:4", "H200:8,h200:8"])
def test_a_gpu_model_has_one_queue(fleet: str) -> None:
    with pytest.raises(SettingsError, match="a GPU model occurs twice"):
        read_fleet(fleet)


def test_what_is_installed_comes_first(catalog: Catalog, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    environment = settings.environments / "diffusers-0.42.1"
    environment.mkdir(parents=True)
    assert shown(first_offer(catalog, (), settings))[0] == "jouleboard/qwen3-tiny"  # not complete
    (environment / "environment.json").write_text("{}")
    assert shown(first_offer(catalog, (), settings))[0] == "jouleboard/pixart-tiny"


def test_a_catalog_that_has_nothing_for_a_machine_offers_nothing(catalog: Catalog) -> None:
    empty = catalog.model_copy(update={"models": {}})
    assert first_offer(empty, (GpuHosts("H200", 8),), None) is None


@pytest.mark.parametrize(
    ("gpus_here", "executor", "reached"),
    [
        (None, "", "H200:8x2"),  # nothing is known of this machine
        ("", "", ""),  # a fleet that is planned for, and this machine has none of it
        ("H200:4", "", "H200:4"),
        ("B200:8", "", ""),
        ("", "airflow.providers.edge3.executors.EdgeExecutor", "H200:8x2"),  # other machines join
    ],
)
def test_only_hosts_that_measurements_reach_are_offered(
    gpus_here: str | None, executor: str, reached: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__JOULEBOARD__FLEET", "H200:8x2")
    monkeypatch.setenv("AIRFLOW__JOULEBOARD__MEASURE_EXECUTOR", executor)
    if gpus_here is not None:
        monkeypatch.setenv("AIRFLOW__JOULEBOARD__GPUS_HERE", gpus_here)
    assert reachable_hosts() == read_fleet(reached)
