"""What can be said of the stand-in without torch."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark_tasks import catalog
from benchmark_tasks.stand_in.support import refusal, untied


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "qwen3"}, None),
        ({"model_type": "qwen3", "quantization_config": {"quant_method": "fp8"}}, None),
        ({"model_type": "gpt_oss", "quantization_config": {"quant_method": "mxfp4"}}, "quantized by 'mxfp4'"),
        ({"model_type": "gemma3", "text_config": {"model_type": "gemma3_text"}}, "gemma3_text has none"),
    ],
)
def test_what_cannot_be_drawn_is_known_before_anything_is_loaded(
    config: dict[str, Any], reason: str | None
) -> None:
    told = refusal(config)
    assert told is None if reason is None else reason in str(told)


def test_a_head_of_its_own_is_asked_for_wherever_a_config_speaks_of_it() -> None:
    config = catalog.load().model("jouleboard/qwen3-vl-tiny").hub_config or {}
    changed = untied(config)
    assert changed["tie_word_embeddings"] is False
    assert changed["text_config"]["tie_word_embeddings"] is False
    assert config["tie_word_embeddings"] is True, "the catalog's own is left as it is"
