"""The sweep that measures a published configuration again is of that very one, or an error says why not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from benchmark_tasks.catalog import Catalog, load
from benchmark_tasks.errors import CatalogError
from benchmark_tasks.plan import Sweep, last_rechecks, sweep_again
from benchmark_tasks.results.schema import Run
from benchmark_tasks.testing.samples import sample_generation_run, sample_run
from benchmark_tasks.vocabulary import WeightPrecision, Weights

CATALOG = load()
OLD, NEW = "a" * 40, "b" * 40


def again(run: Run, catalog: Catalog = CATALOG) -> Sweep:
    """The sweep that measures again what is published of a run."""
    return sweep_again(catalog, run.configuration, run.comparability, repeats=3, note="weekly")


def at(revision: str | None, model_id: str = "Qwen/Qwen3-8B") -> Catalog:
    return CATALOG.with_models([CATALOG.model(model_id).model_copy(update={"revision": revision})])


def real(revision: str | None) -> Run:
    base = sample_run()
    keys = {"weights": Weights.REAL, "model_revision": revision}
    return base.model_copy(update={"comparability": base.comparability.model_copy(update=keys)})


@pytest.mark.parametrize("video", [False, True], ids=["image", "video"])
def test_sizes_of_ones_own_are_measured_again(video: bool) -> None:
    sizes = {"inference_steps": 7, "height": 512, "width": 768} | ({"num_frames": 33} if video else {})
    base = sample_generation_run(video=video)
    run = base.model_copy(update={"configuration": base.configuration.model_copy(update=sizes)})
    sweep = again(run)
    (point,) = sweep.points
    assert (sweep.configuration(point), point.repeats) == (run.configuration, 3)
    assert Sweep.model_validate_json(sweep.model_dump_json()) == sweep


def test_what_stood_in_for_the_catalogs_runtime_is_measured_again_by_it() -> None:
    base = sample_generation_run()
    keys = {"runtime": "diffusers", "runtime_version": "0.42.1"}
    run = base.model_copy(update={"comparability": base.comparability.model_copy(update=keys)})
    sweep = again(run)
    assert (sweep.runtime, sweep.distribution) == ("diffusers", "diffusers")


@pytest.mark.parametrize("load", [{"request_rate": 2.5, "burstiness": 1.0}, {"request_rate": 0.0}])
def test_a_load_is_measured_again_at_its_own_rate(load: dict[str, float]) -> None:
    base = sample_run()
    run = base.model_copy(update={"configuration": base.configuration.model_copy(update=load)})
    sweep = again(run)
    assert sweep.configuration(sweep.points[0]) == run.configuration
    assert Sweep.model_validate_json(sweep.model_dump_json()) == sweep


def test_a_figure_is_measured_again_at_its_own_revision() -> None:
    for published, catalog in ((OLD, at(NEW)), (OLD, at(None)), (NEW, at(NEW)), (None, at(None))):
        sweep = again(real(published), catalog)
        assert sweep.model_revision == published


def test_what_revision_it_was_must_be_known() -> None:
    with pytest.raises(CatalogError, match=f"its revision was not recorded; the catalog now has {NEW}"):
        again(real(None), at(NEW))


def test_made_up_weights_have_no_revision() -> None:
    sweep = again(sample_run(), at(NEW))
    assert (sweep.weights, sweep.model_revision) == (Weights.DUMMY, None)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"runtime_version": "0.26.0+config.deadbeef"}, "measured by hand"),
        ({"request_set_id": "synthetic-lm-arena-chat-0123abcd+afresh"}, "measured by hand"),
        ({"weight_precision": WeightPrecision.FP8}, "in another precision"),
    ],
    ids=["options", "load", "precision"],
)
def test_what_cannot_be_had_again_says_why(changes: dict[str, Any], line: str) -> None:
    base = sample_run()
    parts = {
        name: part.model_copy(update={key: value for key, value in changes.items() if hasattr(part, key)})
        for name, part in (("configuration", base.configuration), ("comparability", base.comparability))
    }
    with pytest.raises(CatalogError, match=line):
        again(base.model_copy(update=parts))


def test_the_last_recheck_of_a_configuration_counts() -> None:
    first, second = (datetime(2026, 11, day, tzinfo=UTC) for day in (2, 9))
    early, late = sample_run(finished_at=first), sample_run(finished_at=second)
    assert last_rechecks([late, early]) == {early.configuration.configuration_id: second}
