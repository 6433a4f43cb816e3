"""The recipe itself: wants torch and transformers, which every vLLM environment has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="drawing weights needs torch")
transformers = pytest.importorskip("transformers", reason="names of tensors come from transformers")

from benchmark_tasks import catalog  # noqa: E402
from benchmark_tasks.stand_in.checkpoint import Fp8, shapes_of, weights_of  # noqa: E402
from benchmark_tasks.stand_in.recipe import Architecture, Kind, Recipe, Role, digest_of, role_of  # noqa: E402
from benchmark_tasks.stand_in.vllm_plugin import recipe_of  # noqa: E402

TINY = {
    "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 32, "vocab_size": 4096, "max_window_layers": 4,
    "moe_intermediate_size": 64, "num_experts": 8, "num_experts_per_tok": 2,
}  # fmt: skip
ARCHITECTURE = Architecture(width=128, layers=4)


def config_of(model_id: str, **changes: Any) -> Any:
    told = {**(catalog.load().model(model_id).hub_config or {}), **changes}
    return transformers.AutoConfig.for_model(told.pop("model_type"), **told)


def digest(config: Any, recipe: Recipe) -> str:
    return digest_of(weights_of(config, recipe, device="cpu", dtype=torch.bfloat16))


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others() -> None:
    config = config_of("Qwen/Qwen3-8B", **TINY)
    assert digest(config, Recipe()) == digest(config, Recipe())
    assert digest(config, Recipe()) != digest(config, Recipe(seed=1))


STORED = json.loads(Path(__file__).with_name("values.json").read_text())["stand-in.1"]


@pytest.mark.parametrize("name", STORED)
def test_the_values_are_those_of_the_version(name: str) -> None:
    """Whoever changes a number of the recipe changes these, and with it the version.

    Builds of torch and kinds of processor may differ in the last of bfloat16's eight bits.
    """
    shapes = {**shapes_of(config_of("Qwen/Qwen3-8B", **TINY)), "model.layers.0.mlp.gate.weight": (8, 128)}
    drawn = Recipe().draw(name, shapes[name], ARCHITECTURE).flatten()[::37][:5].float().tolist()
    assert drawn == pytest.approx(STORED[name], rel=2**-7)


def test_a_tensor_does_not_depend_on_what_else_is_drawn() -> None:
    name, shape = "model.layers.3.mlp.up_proj.weight", (256, 128)
    alone = Recipe().draw(name, shape, ARCHITECTURE)
    drawn = dict(weights_of(config_of("Qwen/Qwen3-8B", **TINY), Recipe(), device="cpu", dtype=torch.bfloat16))
    assert torch.equal(alone, drawn[name])


@pytest.mark.parametrize(
    ("name", "dimensions", "role"),
    [
        ("model.embed_tokens.weight", 2, Role.EMBEDDING),
        ("model.layers.0.self_attn.q_proj.weight", 2, Role.INWARD),
        ("model.layers.0.self_attn.qkv_proj.weight", 2, Role.INWARD),
        ("model.layers.0.self_attn.o_proj.weight", 2, Role.OUTWARD),
        ("model.layers.0.self_attn.k_norm.weight", 1, Role.QUERY_KEY_NORM),
        ("model.layers.0.self_attn.q_proj.bias", 1, Role.BIAS),
        ("model.layers.0.mlp.gate_proj.weight", 2, Role.INWARD),
        ("model.layers.0.mlp.gate.weight", 2, Role.ROUTER),
        ("model.layers.0.mlp.gate.e_score_correction_bias", 1, Role.BIAS),
        ("model.layers.0.mlp.experts.7.down_proj.weight", 2, Role.OUTWARD),
        ("model.layers.0.mlp.experts.w13_weight", 3, Role.INWARD),
        ("model.layers.0.mlp.experts.w2_weight", 3, Role.OUTWARD),
        ("model.layers.0.post_attention_layernorm.weight", 1, Role.NORM),
        ("model.norm.weight", 1, Role.FINAL_NORM),
        ("lm_head.weight", 2, Role.HEAD),
    ],
)
def test_roles_follow_from_names(name: str, dimensions: int, role: Role) -> None:
    assert role_of(name, dimensions) is role


def test_norms_that_multiply_by_one_plus_their_weight_start_at_zero() -> None:
    gemma = Architecture.of({"model_type": "gemma3_text", "hidden_size": 128, "num_hidden_layers": 4})
    assert float(Recipe().draw("model.layers.0.input_layernorm.weight", (8,), gemma).float().mean()) == 0.0


def test_experts_have_the_names_of_a_checkpoint_and_the_shapes_too() -> None:
    shapes = shapes_of(config_of("Qwen/Qwen3-30B-A3B-Instruct-2507", **TINY))
    assert shapes["model.layers.0.mlp.experts.7.gate_proj.weight"] == (64, 128)
    assert shapes["model.layers.0.mlp.experts.7.down_proj.weight"] == (128, 64)
    assert not any(name.endswith("gate_up_proj") for name in shapes)


def test_a_router_with_spread_prefers_some_experts() -> None:
    name, shape = "model.layers.0.mlp.gate.weight", (128, 2048)
    tokens = torch.randn(2000, 2048, generator=torch.Generator().manual_seed(0))

    def busiest_over_mean(spread: float) -> float:
        router = Recipe(router_spread=spread).draw(name, shape, Architecture(2048, 48)).float()
        chosen = (tokens @ router.T).topk(8, dim=-1).indices.reshape(-1)
        counts = torch.bincount(chosen, minlength=128).float()
        return float(counts.max() / counts.mean())

    assert busiest_over_mean(0.0) < 2.0
    assert 4.0 < busiest_over_mean(0.5) < 7.0


def test_a_shared_head_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="tie_word_embeddings"):
        shapes_of(config_of("Qwen/Qwen3-8B", **{**TINY, "tie_word_embeddings": True}))


def fp8_config(**changes: Any) -> Any:
    told = {"quant_method": "fp8", "weight_block_size": [128, 128], **changes}
    return config_of("Qwen/Qwen3-8B", **TINY, quantization_config=told)


def test_fp8_weights_have_positive_scales_and_hardly_a_zero() -> None:
    drawn = dict(weights_of(fp8_config(), Recipe(), device="cpu", dtype=torch.bfloat16))
    weight = drawn["model.layers.0.mlp.down_proj.weight"]
    scale = drawn["model.layers.0.mlp.down_proj.weight_scale_inv"]
    assert weight.dtype is torch.float8_e4m3fn and scale.shape == (1, 2) and bool((scale > 0).all())
    assert float((weight.float() == 0).float().mean()) < 0.01
    assert drawn["lm_head.weight"].dtype is torch.bfloat16


def test_fp8_values_times_scales_are_the_weights() -> None:
    fp8 = Fp8.of({"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}})
    assert fp8 is not None
    weight = torch.randn(200, 300, generator=torch.Generator().manual_seed(0)) * 0.02
    values, scales = fp8.quantized(weight)
    whole = scales.repeat_interleave(128, 0)[:200].repeat_interleave(128, 1)[:, :300]
    assert float((values.float() * whole - weight).norm() / weight.norm()) < 0.05


def test_other_quantizations_are_refused() -> None:
    with pytest.raises(ValueError, match="awq"):
        Fp8.of({"quantization_config": {"quant_method": "awq"}})


def test_options_of_the_loader() -> None:
    assert recipe_of({}) == Recipe() and Recipe().name == "stand-in.1"
    assert recipe_of({"kind": "normal", "seed": 3}) == Recipe(Kind.NORMAL, seed=3)
    assert Recipe(router_spread=0.0).name == "stand-in.1+router-spread=0"
    with pytest.raises(ValueError, match="sead"):
        recipe_of({"sead": 3})
