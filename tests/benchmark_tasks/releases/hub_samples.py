"""Models as a hub has them: real architectures, real sizes, no weights."""

from __future__ import annotations

from typing import Any

from benchmark_tasks.testing.hub import Model, ModelHub

QWEN3_8B: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "head_dim": 128,
    "hidden_size": 4096,
    "max_position_embeddings": 40960,
    "num_attention_heads": 32,
    "num_hidden_layers": 36,
    "num_key_value_heads": 8,
    "torch_dtype": "bfloat16",
}
QWEN3_30B: dict[str, Any] = {
    "architectures": ["Qwen3MoeForCausalLM"],
    "model_type": "qwen3_moe",
    "head_dim": 128,
    "hidden_size": 2048,
    "max_position_embeddings": 262144,
    "num_attention_heads": 32,
    "num_hidden_layers": 48,
    "num_key_value_heads": 4,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "torch_dtype": "bfloat16",
}


def add_dense(hub: ModelHub, model_id: str = "Qwen/Qwen3-9B", **changes: Any) -> Model:
    """8.19 billion parameters in two files."""
    options: dict[str, Any] = {
        "config": QWEN3_8B,
        "tensors": {
            "model-00001-of-00002.safetensors": {"model.embed_tokens.weight": ("BF16", [151936, 4096])},
            "model-00002-of-00002.safetensors": {"model.layers.0.rest": ("BF16", [1846354, 4096])},
        },
    }
    return hub.add(model_id, **(options | changes))


def add_moe(hub: ModelHub, model_id: str = "Qwen/Qwen3-31B-A3B", **changes: Any) -> Model:
    """128 experts of 226.5 million parameters and 1.54 billion that every token takes."""
    options: dict[str, Any] = {
        "config": QWEN3_30B,
        "tensors": {
            "model.safetensors": {
                "model.embed_tokens.weight": ("BF16", [1540000, 1000]),
                **{
                    f"model.layers.0.mlp.experts.{n}.up_proj.weight": ("BF16", [226500, 1000])
                    for n in range(128)
                },
            }
        },
    }
    return hub.add(model_id, **(options | changes))
