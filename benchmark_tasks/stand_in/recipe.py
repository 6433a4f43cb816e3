"""How a weight is drawn, from its name, its shape and the model's config. Pure torch, on a CPU or a GPU.

Dummy weights (uniform, +-0.001) leave every layer without effect, and weights of one width everywhere
give flat next-token distributions. What a server does with either is not what it does with a trained
model: the sampler searches longer in flat distributions, and a router that was never trained spreads its
tokens over other experts. This recipe gives signals, attention scores, next-token distributions and
expert loads the spread that trained models have. Its numbers are part of its version: change one, and the
version changes.

Every tensor has a generator of its own, seeded from (seed, name): no tensor depends on which others are
drawn, in which order, or on how many GPUs share the model.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch

from .support import VERSION

_SIGNAL = 1.28
"""A matrix takes a signal of rms 1 to this rms: 0.02 at a width of 4,096, the scale of trained models."""
_HEAD_STD = 0.02
_HEAD_ROW_SPREAD = 0.2
"""Row lengths of the output head are lognormal with this sigma; a trained small model has 0.175."""
_LOGIT_STD = 4.2
"""Spread of the logits: nucleus of a few tokens, top probability of about two thirds."""
_QUERY_KEY_NORM = 1.3
"""Gives attention scores a standard deviation of about 1.6 where queries and keys are normalised."""
_ROUTER_STD = 0.02
_DIGEST_VALUES = 4096


class Kind(StrEnum):
    """Ways to draw weights. `normal`: one width for every matrix, the config's, and norms of 1."""

    NORMAL = "normal"
    STAND_IN = VERSION


class Role(StrEnum):
    """What a tensor is for, as far as the recipe tells tensors apart."""

    EMBEDDING = "embedding"
    INWARD = "inward"
    OUTWARD = "outward"
    NORM = "norm"
    QUERY_KEY_NORM = "query-key-norm"
    FINAL_NORM = "final-norm"
    HEAD = "head"
    ROUTER = "router"
    BIAS = "bias"


@dataclass(frozen=True)
class Architecture:
    """What the recipe has to know of a model.

    initializer_range: the config's, for `Kind.NORMAL`.
    norm_offset: what the model adds to a norm's weight before it multiplies by it.
    """

    width: int
    layers: int
    initializer_range: float = 0.02
    norm_offset: float = 0.0

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Architecture:
        """From a config.json; of a model that also sees or hears, its text part."""
        text = config.get("text_config") or config
        name = str(text.get("model_type", ""))
        return cls(
            width=int(text["hidden_size"]),
            layers=int(text["num_hidden_layers"]),
            initializer_range=float(text.get("initializer_range") or 0.02),
            norm_offset=1.0 if name.startswith(_NORMS_FROM_ZERO) else 0.0,
        )


_NORMS_FROM_ZERO = ("gemma", "qwen3_next")
"""Models whose norms multiply by 1 + weight."""


@dataclass(frozen=True)
class Recipe:
    """What is drawn. Only the defaults are `VERSION`; the others serve to ask what one number is worth.

    router_spread: sigma of the lognormal row lengths of a router. With 0.5 the busiest of 128 experts gets
        about five times its share and half of the experts take 90 % of the tokens, as in a trained model.
    final_norm: in place of the recipe's weight of the last norm, which decides how peaked distributions are.
    """

    kind: Kind = Kind.STAND_IN
    seed: int = 0
    router_spread: float = 0.5
    final_norm: float | None = None

    @property
    def name(self) -> str:
        """The version, followed by whatever is not as it is there."""
        changed = [
            "" if self.seed == 0 else f"+seed={self.seed}",
            "" if self.router_spread == 0.5 else f"+router-spread={self.router_spread:g}",  # noqa: PLR2004
            "" if self.final_norm is None else f"+final-norm={self.final_norm:g}",
        ]
        return self.kind + "".join(changed)

    def draw(
        self,
        name: str,
        shape: Sequence[int],
        architecture: Architecture,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.bfloat16,
    ) -> torch.Tensor:
        """The tensor of that name: the same for the same seed and kind of device, whatever else is drawn."""
        tensor = torch.empty(tuple(shape), device=device, dtype=dtype)
        self.fill(tensor, name, architecture)
        return tensor

    def fill(self, tensor: torch.Tensor, name: str, architecture: Architecture) -> None:
        """Write the values into `tensor`, in place."""
        role = role_of(name, tensor.dim())
        if role in _CONSTANTS:
            tensor.fill_(self._constant(role, architecture))
            return
        generator = torch.Generator(device=tensor.device)
        generator.manual_seed(tensor_seed(self.seed, name))
        tensor.normal_(0.0, self._std(role, architecture), generator=generator)
        spread = self._row_spread(role)
        if spread > 0:
            rows = torch.empty(tensor.shape[:-1], device=tensor.device, dtype=torch.float32)
            rows.normal_(0.0, spread, generator=generator)
            tensor.mul_(rows.exp().to(tensor.dtype).unsqueeze(-1))

    def _constant(self, role: Role, architecture: Architecture) -> float:
        return 0.0 if role is Role.BIAS else self._norm(role, architecture) - architecture.norm_offset

    def _norm(self, role: Role, architecture: Architecture) -> float:
        if role is Role.FINAL_NORM and self.final_norm is not None:
            return self.final_norm
        if self.kind is Kind.NORMAL:
            return 1.0
        if role is Role.FINAL_NORM:
            return _LOGIT_STD / (_HEAD_STD * math.sqrt(architecture.width))
        return _QUERY_KEY_NORM if role is Role.QUERY_KEY_NORM else 1.0

    def _std(self, role: Role, architecture: Architecture) -> float:
        if self.kind is Kind.NORMAL:
            return architecture.initializer_range
        inward = _SIGNAL / math.sqrt(architecture.width)
        match role:
            case Role.EMBEDDING:
                return 1.0
            case Role.HEAD:
                return _HEAD_STD
            case Role.ROUTER:
                return _ROUTER_STD
            case Role.OUTWARD:
                return inward / math.sqrt(2 * architecture.layers)
            case _:
                return inward

    def _row_spread(self, role: Role) -> float:
        if self.kind is Kind.NORMAL:
            return 0.0
        return {Role.HEAD: _HEAD_ROW_SPREAD, Role.ROUTER: self.router_spread}.get(role, 0.0)


_CONSTANTS = (Role.BIAS, Role.NORM, Role.QUERY_KEY_NORM, Role.FINAL_NORM)
_EMBEDDINGS = ("embed_tokens", "wte", "word_embeddings", "tok_embeddings")
_HEADS = ("lm_head", "output_layer", "embed_out")
_QUERY_KEY_NORMS = ("q_norm", "k_norm", "q_layernorm", "k_layernorm")
_FINAL_NORMS = ("model.norm", "language_model.norm", "final_layernorm", "norm_f", "ln_f")
_ROUTERS = ("mlp.gate", "block_sparse_moe.gate", "feed_forward.router", "router")
_OUTWARD = ("o_proj", "down_proj", "w2", "out_proj", "dense_4h_to_h")


def role_of(name: str, dimensions: int) -> Role:
    """By the name a tensor has in a checkpoint, or in vLLM, which fuses some of them."""
    module, _, last = name.rpartition(".")
    if last.endswith("bias") or name.endswith("e_score_correction_bias"):
        return Role.BIAS
    if module.endswith(_QUERY_KEY_NORMS):
        return Role.QUERY_KEY_NORM
    if module == "norm" or module.endswith(_FINAL_NORMS):
        return Role.FINAL_NORM
    if dimensions == 1:
        return Role.NORM
    if module.endswith(_EMBEDDINGS):
        return Role.EMBEDDING
    if module.endswith(_HEADS):
        return Role.HEAD
    if module.endswith(_ROUTERS):
        return Role.ROUTER
    outward = module.endswith(_OUTWARD) or last.startswith(("w2_", "down_proj"))
    return Role.OUTWARD if outward else Role.INWARD


def tensor_seed(seed: int, name: str) -> int:
    """A seed of 63 bits that no two names share by design."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "big") >> 1


class Account:
    """What was drawn so far: how many tensors and values, and one digest of them all.

    The SHA-256 is over names, shapes, types and up to 4,096 values of each tensor, evenly spread. Random
    numbers may differ between kinds of GPU; two digests that agree say that they did not.
    """

    def __init__(self) -> None:
        self.tensors = 0
        self.values = 0
        self._digest = hashlib.sha256()

    def add(self, name: str, tensor: torch.Tensor) -> None:
        """Count one tensor."""
        flat = tensor.detach().reshape(-1)
        step = max(1, flat.numel() // _DIGEST_VALUES)
        values = flat[::step][:_DIGEST_VALUES].contiguous().view(torch.uint8).cpu()
        self._digest.update(f"{name}:{tuple(tensor.shape)}:{tensor.dtype}".encode())
        self._digest.update(values.numpy().tobytes())
        self.tensors += 1
        self.values += flat.numel()

    @property
    def digest(self) -> str:
        """Of all that was added, in hexadecimal."""
        return self._digest.hexdigest()


def digest_of(tensors: Iterable[tuple[str, torch.Tensor]]) -> str:
    """The digest of an `Account` of these tensors."""
    account = Account()
    for name, tensor in tensors:
        account.add(name, tensor)
    return account.digest
