"""Which weights a sweep has: what the catalog says, what a person says, and what is usual."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from benchmark_tasks.catalog import Model, load
from benchmark_tasks.errors import CatalogError
from benchmark_tasks.plan import plan_release, single_sweep, usual_weights
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.releases.revisions import watched
from benchmark_tasks.results.store import Listing
from benchmark_tasks.runtimes.launch import AtEndpoint
from benchmark_tasks.stand_in.support import VERSION
from benchmark_tasks.vocabulary import Task, Weights

CATALOG = load()
QWEN, LLAMA, TINY = "Qwen/Qwen3-8B", "meta-llama/Llama-3.1-8B-Instruct", "jouleboard/qwen3-tiny"
ON_H100: dict[str, Any] = {
    "task": Task.LM_ARENA_CHAT, "runtime_version": "0.26.0", "gpu_model": "H100", "num_gpus": 1,
    "batch_sizes": [64],
}  # fmt: skip


def model(model_id: str, **changes: object) -> Model:
    return CATALOG.model(model_id).model_copy(update=changes)


def test_the_vocabulary_has_the_recipes_version() -> None:
    assert Weights.STAND_IN == VERSION


@pytest.mark.parametrize(
    ("entry", "runtime", "weights"),
    [
        (model(QWEN), "vllm", Weights.STAND_IN),
        (model(QWEN, revision="a" * 40), "vllm", Weights.REAL),
        (model(QWEN, weights=Weights.DUMMY), "vllm", Weights.DUMMY),
        (model(LLAMA), "vllm", Weights.REAL),
        (model(TINY), "vllm", Weights.DUMMY),
        (model(QWEN, hub_config={"quantization_config": {"quant_method": "mxfp4"}}), "vllm", Weights.REAL),
        (model("stabilityai/stable-diffusion-3.5-medium"), "xdit", Weights.REAL),
    ],
    ids=["nothing-said", "at-a-revision", "said", "no-config", "tiny", "mxfp4", "pictures"],
)
def test_what_is_usual(entry: Model, runtime: str, weights: Weights) -> None:
    assert usual_weights(entry, runtime) is weights


def test_a_release_is_planned_with_the_usual_weights_or_with_those_asked_for() -> None:
    options: dict[str, Any] = {
        "runtime": "vllm", "runtime_version": "0.26.0", "gpu_model": "H100", "gpus": 1,
        "tasks": [Task.LM_ARENA_CHAT],
    }  # fmt: skip
    usual = plan_release(CATALOG, Listing((), ()), **options).sweeps
    weights = {sweep.model_id: sweep.weights for sweep in usual}
    assert weights[QWEN] is Weights.STAND_IN and weights[LLAMA] is Weights.REAL
    asked = plan_release(CATALOG, Listing((), ()), weights=Weights.STAND_IN, **options).sweeps
    assert {sweep.weights for sweep in asked} == {Weights.STAND_IN}
    assert QWEN in {sweep.model_id for sweep in asked} and LLAMA not in {sweep.model_id for sweep in asked}


def test_one_sweep_with_weights_that_cannot_be_drawn_is_refused_in_one_line() -> None:
    assert single_sweep(CATALOG, model_id=QWEN, **ON_H100).weights is Weights.STAND_IN
    with pytest.raises(CatalogError, match=r"cannot be measured with stand-in\.1 weights: .* no hub_config"):
        single_sweep(CATALOG, model_id=LLAMA, weights=Weights.STAND_IN, **ON_H100)


def test_an_endpoint_has_no_stand_in() -> None:
    sweep = single_sweep(CATALOG, model_id=QWEN, **ON_H100)
    with pytest.raises(ValidationError, match="an endpoint has loaded its weights already"):
        Sweep.model_validate({**sweep.model_dump(), "server": AtEndpoint(url="http://127.0.0.1:1")})


def test_the_hub_is_asked_for_revisions_of_models_that_it_has() -> None:
    ids = {entry.model_id for entry in watched(CATALOG)}
    assert QWEN in ids and LLAMA in ids and TINY not in ids
