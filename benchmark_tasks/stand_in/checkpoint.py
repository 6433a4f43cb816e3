"""Which tensors a model's checkpoint holds, from its config alone, and what they are made of."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from .recipe import Architecture, Recipe, Role, role_of
from .support import refusal

_FUSED_EXPERTS = re.compile(r"^(?P<layer>.*\.experts)\.(?P<what>gate_up_proj|down_proj)$")
_SPLIT = {"gate_up_proj": ("gate_proj", "up_proj"), "down_proj": ("down_proj",)}
_LARGEST_FP8 = 448.0
_NEVER_QUANTIZED = (Role.EMBEDDING, Role.HEAD, Role.ROUTER)


@dataclass(frozen=True)
class Fp8:
    """How a checkpoint in FP8 states its weights: one scale for each block, or one for a whole tensor.

    skipped: modules that stay as they were.
    scale_name: what a scale is called in place of `weight`.
    """

    block: tuple[int, int] | None
    skipped: tuple[str, ...]
    scale_name: str

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Fp8 | None:
        """From a config.json; `None` where nothing is quantized.

        Raises:
            ValueError: it is quantized in a way that this module cannot state.
        """
        told = config.get("quantization_config")
        if not told:
            return None
        if reason := refusal(config):
            raise ValueError(reason)
        rows_columns = told.get("weight_block_size")
        skipped = tuple(told.get("modules_to_not_convert") or told.get("ignored_layers") or ())
        if rows_columns is None:
            return cls(None, skipped, "weight_scale")
        return cls((int(rows_columns[0]), int(rows_columns[1])), skipped, "weight_scale_inv")

    def applies_to(self, name: str, dimensions: int) -> bool:
        """Whether that tensor is stored in FP8."""
        module = name.removesuffix(".weight")
        return (
            dimensions == 2
            and name.endswith(".weight")
            and role_of(name, dimensions) not in _NEVER_QUANTIZED
            and module not in self.skipped
        )

    def quantized(self, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(FP8 values, positive scales): the largest of each block becomes the largest that FP8 holds."""
        rows, columns = weight.shape
        high, wide = self.block or (rows, columns)
        blocks = _in_blocks(weight.float(), high, wide)
        scales = blocks.abs().amax(dim=(1, 3)).clamp_min(1e-12) / _LARGEST_FP8
        values = (blocks / scales[:, None, :, None]).reshape(blocks.shape[0] * high, -1)
        stored = values[:rows, :columns].contiguous().to(torch.float8_e4m3fn)
        return stored, scales if self.block else scales.reshape(())


def _in_blocks(weight: torch.Tensor, high: int, wide: int) -> torch.Tensor:
    """(block row, row, block column, column), padded with zeros at the end."""
    rows, columns = weight.shape
    down, across = math.ceil(rows / high), math.ceil(columns / wide)
    padded = torch.nn.functional.pad(weight, (0, across * wide - columns, 0, down * high - rows))
    return padded.reshape(down, high, across, wide)


def shapes_of(config: Any) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a checkpoint, from transformers' own class of the config's architecture.

    config: transformers' config object.

    Raises:
        ValueError: transformers has no such class, or the head shares the embedding's weights.
    """
    import transformers

    name = (config.architectures or ["none"])[0]
    model_class: Callable[[Any], torch.nn.Module] | None = getattr(transformers, name, None)
    if model_class is None:
        raise ValueError(f"transformers knows no {name}: the names of its tensors cannot be told")
    if getattr(config.get_text_config(), "tie_word_embeddings", False):
        raise ValueError(
            "the recipe needs a head of its own: start the server with "
            """--hf-overrides '{"tie_word_embeddings": false}'"""
        )
    with torch.device("meta"):
        model = model_class(config)
    return dict(_as_stored(model.state_dict()))


def _as_stored(state: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """transformers keeps all experts of a layer in one tensor, checkpoints keep each by itself."""
    for name, tensor in state.items():
        shape, fused = tuple(tensor.shape), _FUSED_EXPERTS.match(name)
        if fused is None or len(shape) != 3:
            yield name, shape
            continue
        parts = _SPLIT[fused["what"]]
        for expert in range(shape[0]):
            for part in parts:
                yield f"{fused['layer']}.{expert}.{part}.weight", (shape[1] // len(parts), shape[2])


def weights_of(
    config: Any, recipe: Recipe, *, device: torch.device | str, dtype: torch.dtype
) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of the checkpoint under its name, drawn when it is asked for.

    config: transformers' config object.
    """
    facts = config.to_dict()
    architecture, fp8 = Architecture.of(facts), Fp8.of(facts)
    for name, shape in shapes_of(config).items():
        tensor = recipe.draw(name, shape, architecture, device=device, dtype=dtype)
        if fp8 is None or not fp8.applies_to(name, len(shape)):
            yield name, tensor
            continue
        values, scale = fp8.quantized(tensor)
        yield name, values
        yield f"{name.removesuffix('.weight')}.{fp8.scale_name}", scale
