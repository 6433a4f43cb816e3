"""Decoding of a small model with nothing but the GPU in its way: one step as a CUDA graph, replayed.

    python -m benchmarks.stand_in.loop MODEL_FOLDER OUT.json --gpu 0 [--batches 64 256 1024]

A server of a model this small waits for its processors most of the time, so its energy says little about
weights. Here a step is transformers' model with a static cache, vLLM's top-k/top-p kernel and a draw of
the next token.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import torch

from benchmark_tasks.stand_in.recipe import Architecture, Kind, Recipe
from benchmark_tasks.stand_in.support import VERSION
from benchmarks.stand_in.gpu_meter import GpuMeter

KINDS = ("real", VERSION, "dummy", "normal")
_CONTEXT, _PROMPT, _ROUND = 384, 32, 256
_TEMPERATURE, _TOP_P = 0.8, 0.95


def fill(model: torch.nn.Module, kind: str, real: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
    """Weights of a kind, into the memory that the graphs know."""
    architecture = Architecture.of(facts)
    generator = torch.Generator(device="cuda")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if kind == "real":
                parameter.copy_(real.get(name, real["model.embed_tokens.weight"]))
            elif kind == "dummy":
                parameter.uniform_(-1e-3, 1e-3, generator=generator.manual_seed(1234))
            else:
                Recipe(Kind(kind)).fill(parameter.data, name, architecture)


class Step:
    """One step of decoding a Llama-like model for a whole batch, in buffers that never move."""

    def __init__(self, model: torch.nn.Module, facts: dict[str, Any], batch: int) -> None:
        self._w, self._facts = dict(model.named_parameters()), facts
        heads, kv = facts["num_attention_heads"], facts["num_key_value_heads"]
        size = facts.get("head_dim") or facts["hidden_size"] // heads
        self._heads, self._kv, self._size, layers = heads, kv, size, facts["num_hidden_layers"]
        shape = (layers, batch, kv, _CONTEXT, size)
        self._keys, self._values = (torch.zeros(shape, device="cuda", dtype=torch.bfloat16) for _ in range(2))
        self.token = torch.zeros(batch, device="cuda", dtype=torch.int64)
        self.at = torch.zeros(1, device="cuda", dtype=torch.int64)
        self.top_p = torch.full((batch,), _TOP_P, device="cuda")
        self._positions = torch.arange(_CONTEXT, device="cuda")
        rates = torch.arange(0, size, 2, device="cuda").float() / size
        self._angles = facts["rope_theta"] ** -rates
        self.logits = torch.zeros(batch, facts["vocab_size"], device="cuda", dtype=torch.bfloat16)

    def __call__(self) -> None:
        """Compute the logits of the current tokens, draw the next ones, go one position on."""
        x = self._w["model.embed_tokens.weight"][self.token]
        turn = self.at * self._angles
        cos, sin = (torch.cat([f, f], dim=-1).bfloat16() for f in (turn.cos(), turn.sin()))
        seen = (self._positions <= self.at)[None, None, None, :]
        for layer in range(self._facts["num_hidden_layers"]):
            x = x + self._attention(
                layer, self._norm(x, f"model.layers.{layer}.input_layernorm"), cos, sin, seen
            )
            y = self._norm(x, f"model.layers.{layer}.post_attention_layernorm")
            gate, up = (self._linear(y, f"model.layers.{layer}.mlp.{n}_proj") for n in ("gate", "up"))
            x = x + self._linear(torch.nn.functional.silu(gate) * up, f"model.layers.{layer}.mlp.down_proj")
        self.logits.copy_(self._linear(self._norm(x, "model.norm"), "lm_head"))
        self._draw()
        self.at.add_(1)

    def _draw(self) -> None:
        from vllm.v1.sample.ops.topk_topp_sampler import apply_top_k_top_p

        kept = apply_top_k_top_p(self.logits / _TEMPERATURE, None, self.top_p).float()
        noise = torch.empty_like(kept).exponential_()
        self.token.copy_((kept - noise.log()).argmax(dim=-1))

    def _attention(
        self, layer: int, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, seen: torch.Tensor
    ) -> torch.Tensor:
        batch, name = x.shape[0], f"model.layers.{layer}.self_attn"
        q = self._linear(x, f"{name}.q_proj").view(batch, self._heads, self._size)
        k, v = (self._linear(x, f"{name}.{n}_proj").view(batch, self._kv, 1, self._size) for n in ("k", "v"))
        q, k = (one * cos + _turned(one) * sin for one in (q, k))
        self._keys[layer].index_copy_(2, self.at, k)
        self._values[layer].index_copy_(2, self.at, v)
        out = torch.nn.functional.scaled_dot_product_attention(
            q.view(batch, self._kv, -1, self._size), self._keys[layer], self._values[layer], attn_mask=seen
        )
        return self._linear(out.reshape(batch, -1), f"{name}.o_proj")

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return torch.nn.functional.rms_norm(
            x, x.shape[-1:], self._w[f"{name}.weight"], self._facts["rms_norm_eps"]
        )

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return torch.nn.functional.linear(x, self._w[f"{name}.weight"])


def _turned(x: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat([-second, first], dim=-1)


class Loop:
    """Rounds of decoding: each starts with the same prompts and goes on with what was drawn."""

    def __init__(self, step: Step, prompts: list[list[int]]) -> None:
        batch = len(step.token)
        rows = [prompts[i % len(prompts)] for i in range(batch)]
        self._prompts = torch.tensor(
            [(row * _PROMPT)[:_PROMPT] for row in rows], device="cuda"
        ).T.contiguous()
        self._step, self._graph = step, torch.cuda.CUDAGraph()
        with torch.inference_mode():
            for _ in range(3):
                step()
            torch.cuda.synchronize()
            with torch.cuda.graph(self._graph):
                step()

    def round(self) -> None:
        """Decode `_ROUND` positions."""
        self._step.at.zero_()
        for position in range(_ROUND):
            if position < _PROMPT:
                self._step.token.copy_(self._prompts[position])
            self._graph.replay()


def measured(loop: Loop, gpu: int, seconds: float) -> dict[str, Any]:
    """Rounds for so many seconds, after two that do not count."""
    for _ in range(2):
        loop.round()
    torch.cuda.synchronize()
    with GpuMeter(gpu) as meter:
        time.sleep(0.3)
        start, rounds = time.perf_counter_ns(), 0
        while time.perf_counter_ns() < start + seconds * 1e9:
            loop.round()
            rounds += 1
            torch.cuda.synchronize()
        end = time.perf_counter_ns()
        time.sleep(0.3)
    steps, joules = rounds * _ROUND, meter.readings.joules(start, end)
    return {
        "seconds": (end - start) / 1e9,
        "steps": steps,
        "step_ms": (end - start) / 1e6 / steps,
        "counter_joules": joules,
        "joules_per_step": joules / steps,
        **meter.readings.told(start, end),
        "gpu": meter.facts(),
    }


def looked_at(loop: Loop, step: Step) -> dict[str, Any]:
    """The distributions of the last step of a round."""
    loop.round()
    probabilities = (
        torch.softmax(step.logits.float() / _TEMPERATURE, dim=-1).sort(dim=-1, descending=True).values
    )
    nucleus = (probabilities.cumsum(dim=-1) - probabilities < _TOP_P).sum(dim=-1).float()
    return {
        "nucleus_median": float(nucleus.median()),
        "nucleus_mean": float(nucleus.mean()),
        "top_probability_median": float(probabilities[:, 0].median()),
        "logit_std": float(step.logits.float().std(dim=-1).mean()),
        "distinct_tokens": len(step.token.unique()) / len(step.token),
    }


def main() -> None:
    """All kinds there and back, for each batch size."""
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModelForCausalLM

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--gpu", type=int, default=0)
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--until", type=float, default=float("inf"))
    arguments = parser.parse_args()
    os.environ["CUDA_VISIBLE_DEVICES"] = str(arguments.gpu)
    config = AutoConfig.from_pretrained(arguments.model, tie_word_embeddings=False)
    facts = json.loads((arguments.model / "config.json").read_text())
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).cuda().eval()
    real, prompts = (
        load_file(arguments.model / "model.safetensors"),
        json.loads(arguments.prompts.read_text()),
    )
    lines: list[dict[str, Any]] = []
    for batch in arguments.batches:
        step = Step(model, facts, batch)
        loop = Loop(step, prompts)
        for kind in (*KINDS, *KINDS[::-1]):
            if time.time() + arguments.seconds > arguments.until:
                return
            fill(model, kind, real, facts)
            with torch.inference_mode():
                figures = measured(loop, arguments.gpu, arguments.seconds)
                lines.append({"kind": kind, "batch": batch, **figures, **looked_at(loop, step)})
            arguments.out.write_text(json.dumps(lines))
            print(
                kind,
                batch,
                figures["step_ms"],
                figures["joules_per_step"],
                figures["sampled_watts"],
                flush=True,
            )


if __name__ == "__main__":
    main()
