"""Price lists beside ML.ENERGY's rows: compared where model and GPUs are the same, and nothing is mended."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.published_prices import _nothing, compared
from expectations.prices.published import version_order
from tests.expectations.prices.known import CONTEXT
from tests.expectations.prices.test_answer import listed

PROMPTS = {"lm-arena-chat": 1_000}


def row(**changes: Any) -> dict[str, Any]:
    """A row of theirs: 25 J per request at a batch size of 64."""
    return {
        "model_id": "Qwen/Qwen3-8B",
        "weight_precision": "bfloat16",
        "gpu_model": "H200",
        "num_gpus": 1,
        "tensor_parallel": 1,
        "expert_parallel": 1,
        "data_parallel": 1,
        "runtime": "vllm",
        "runtime_version": "0.11.1",
        "weights": "real",
        "power_limit_watts": 700.0,
        "task": "lm-arena-chat",
        "batch_size": 64,
        "output_tokens_per_response": 101.0,
        "energy_per_response_joules": 25.0,
        **changes,
    }


LIST = listed(tensor_parallel=1, expert_parallel=1, data_parallel=1)


def test_a_row_of_the_same_model_and_gpus_is_priced_at_its_batch_size_and_length() -> None:
    """20 J + 1 J of pairs; 100 steps of 4 J over 64 answers; 100 tokens at a context of 1,051."""
    (found,) = compared([LIST], [row()], PROMPTS)
    expected = 21 + 100 * 4 / 64 + CONTEXT * 100 * 1051
    assert found.predicted_joules == pytest.approx(expected)
    assert found.difference == pytest.approx(expected / 25 - 1) and found.reason is None
    assert found.differs == "runtime_version 0.11.1, 0.26.0; weights real, stand-in.1"


def test_outside_of_what_was_measured_has_a_reason_and_no_figure() -> None:
    (found,) = compared([LIST], [row(batch_size=1_024)], PROMPTS)
    assert found.predicted_joules is None and found.difference is None
    assert found.reason == "1024 answers in flight: 1 to 256 were measured; there is no price"


@pytest.mark.parametrize("other", [{"gpu_model": "H100"}, {"num_gpus": 2}, {"weight_precision": "fp8"}])
def test_another_gpu_or_precision_is_not_compared(other: dict[str, Any]) -> None:
    rows = [row(**other)]
    assert compared([LIST], rows, PROMPTS) == []
    if "gpu_model" in other:
        assert _nothing([LIST], rows).endswith("of these models ML.ENERGY has 1x H100")


def test_a_server_started_with_options_is_not_the_newest_release() -> None:
    versions = ["0.27.1+config.7f069e2c", "0.26.0", "nightly", "0.9.0", "0.28.0+endpoint", "0.26.0+cu128"]
    said = ["0.27.1+config.7f069e2c", "0.28.0+endpoint", "nightly", "0.9.0", "0.26.0", "0.26.0+cu128"]
    assert sorted(versions, key=version_order) == said
