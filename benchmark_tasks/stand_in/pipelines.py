"""Stand-in weights of an image or video pipeline: filled in place, component by component.

PyTorch initialises a matrix to less than a third of the variance that would keep a signal's size, and its
biases at random. A diffusion transformer then adds next to nothing to what it is given, and its decoder
gives pictures of one grey. Here every matrix keeps the size of its signal, blocks add to their residual
stream as much as they do in a trained model on average, norms are 1 and biases 0, and the decoder's last
layer gives half of the range of a pixel.

Part of `support.VERSION` like the numbers of `recipe`. That it costs what trained weights cost has not been
measured yet (docs/stand-in.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from .recipe import Account, tensor_seed
from .support import VERSION

SEED = 0
_PIXEL_STD = 0.5
"""Of what a decoder gives, whose range is -1 to 1: few values are cut off, as in trained models."""
_SCALES = ("weight", "gamma", "g")
_OUTWARD = ("to_out.0", "to_add_out", "net.2", "proj_out", "conv2", "wo", "o", "out_proj", "fc2")
"""Last layers of what is added to a residual stream, where they are inside a list of blocks."""


def fill_pipeline(components: Mapping[str, Any]) -> dict[str, Any]:
    """Draw the weights of every component that has any; returns what was drawn, as it is reported."""
    account, device = Account(), "cpu"
    modules = {name: part for name, part in components.items() if isinstance(part, torch.nn.Module)}
    for component, module in sorted(modules.items()):
        for name, parameter in fill(component, module):
            account.add(name, parameter)
            device = parameter.device.type
    return {
        "recipe": VERSION,
        "seed": SEED,
        "digest": account.digest,
        "tensors": account.tensors,
        "values": account.values,
        "device": device,
    }


def fill(component: str, root: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Draw the weights of one component in place, and give each with its name."""
    blocks = max((len(part) for part in root.modules() if isinstance(part, torch.nn.ModuleList)), default=1)
    seen: set[int] = set()
    for path, module in root.named_modules():
        for last, parameter in module.named_parameters(recurse=False):
            if id(parameter) in seen:
                continue
            seen.add(id(parameter))
            name = ".".join(filter(None, (component, path, last)))
            _draw(parameter, name, _spread(root, module, path, last, parameter, blocks))
            yield name, parameter


@torch.no_grad()
def _draw(parameter: torch.Tensor, name: str, spread: float | None) -> None:
    """Constant 1 where there is no spread, 0 where it is 0, and otherwise normal."""
    if spread is None:
        parameter.fill_(1.0)
    elif spread == 0:
        parameter.zero_()
    else:
        generator = torch.Generator(device=parameter.device)
        generator.manual_seed(tensor_seed(SEED, name))
        parameter.normal_(0.0, spread, generator=generator)


def _spread(
    root: torch.nn.Module, module: torch.nn.Module, path: str, last: str, parameter: torch.Tensor, blocks: int
) -> float | None:
    """Standard deviation of a parameter; `None` for the scale of a norm."""
    if last.endswith("bias"):
        return 0.0
    if "norm" in type(module).__name__.lower() or parameter.dim() < 2:
        return None if last in _SCALES else 0.0
    if isinstance(module, torch.nn.Embedding):
        return 1.0
    if last != "weight":  # tables that are added: positions, scales and shifts
        return 1 / math.sqrt(parameter.shape[-1])
    spread = 1 / math.sqrt(_inputs(module, parameter))
    if path.endswith(_OUTWARD) and any(part.isdecimal() for part in path.split(".")[:-1]):
        return spread / math.sqrt(2 * blocks)
    if path.endswith("decoder.conv_out"):
        return spread * _PIXEL_STD
    head = getattr(getattr(root, "config", None), "d_kv", None)
    return spread / math.sqrt(head) if head and path.endswith(".q") else spread


def _inputs(module: torch.nn.Module, parameter: torch.Tensor) -> int:
    """How many values are summed up for each output."""
    transposed = isinstance(module, torch.nn.modules.conv._ConvTransposeNd)
    return int(parameter.numel() // parameter.shape[1 if transposed else 0])
