"""The record refuses what no measurement can be, and names configurations for good."""

from __future__ import annotations

import math
import uuid
from typing import Any

import pytest
from pydantic import ValidationError

from benchmark_tasks.results.identity import Configuration
from benchmark_tasks.results.schema import Quantiles, Run, Sample, new_run_id
from benchmark_tasks.testing.samples import sample_run
from benchmark_tasks.vocabulary import Task, WeightPrecision


def configuration(**changes: Any) -> Configuration:
    """A configuration as ML.ENERGY publishes one."""
    fields = {
        "model_id": "Qwen/Qwen3-8B",
        "weight_precision": WeightPrecision.BFLOAT16,
        "task": Task.LM_ARENA_CHAT,
        "gpu_model": "H100",
        "num_gpus": 1,
        "batch_size": 128,
    }
    return Configuration(**fields | changes)


def test_a_configurations_id_never_changes() -> None:
    """Landed runs are joined on it: a new value here orphans every one of them."""
    assert configuration().configuration_id == "4ca497aa4d853e41"


@pytest.mark.parametrize("change", [{"batch_size": 64}, {"gpu_model": "B200"}, {"inference_steps": 20}])
def test_every_field_is_part_of_the_id(change: dict[str, object]) -> None:
    assert configuration(**change).configuration_id != configuration().configuration_id


def test_run_ids_are_uuids_of_version_7_that_sort_by_time() -> None:
    ids = [new_run_id() for _ in range(100)]
    assert {uuid.UUID(run_id).version for run_id in ids} == {7}
    assert len(set(ids)) == 100
    milliseconds = [uuid.UUID(run_id).int >> 80 for run_id in ids]
    assert milliseconds == sorted(milliseconds)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_a_measurement_is_a_number(value: float) -> None:
    with pytest.raises(ValidationError):
        Quantiles(p50=value, p90=1, p95=1, p99=1)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Run.model_validate(sample_run().model_dump() | {"joules_per_token": 0.1})


def test_a_record_survives_being_written() -> None:
    run = sample_run()
    assert Run.model_validate_json(run.model_dump_json()) == run


def test_an_older_sample_is_written_as_it_was() -> None:
    """The digest by which a copy is known is of this text."""
    text = '{"pixel_spread":30.0,"non_finite_share":null}'
    assert Sample.model_validate_json(text).model_dump_json() == text


def test_a_size_has_two_sides() -> None:
    with pytest.raises(ValidationError, match="recorded together"):
        Sample(pixel_spread=30.0, non_finite_share=None, computed_width=512)
