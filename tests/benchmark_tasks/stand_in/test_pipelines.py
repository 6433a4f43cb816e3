"""Stand-in weights of pipelines: each parameter is drawn, alike each time, and signals keep their size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="drawing weights needs torch")

from benchmark_tasks.stand_in.pipelines import fill, fill_pipeline  # noqa: E402


class Block(torch.nn.Module):  # type: ignore[name-defined]
    """A block with a norm and a residual stream."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = torch.nn.LayerNorm(width)
        self.up = torch.nn.Linear(width, 4 * width)
        self.proj_out = torch.nn.Linear(4 * width, width)


class Transformer(torch.nn.Module):  # type: ignore[name-defined]
    """Eight blocks and a table."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.blocks = torch.nn.ModuleList(Block(width) for _ in range(8))
        self.scale_shift_table = torch.nn.Parameter(torch.zeros(2, width))
        self.tokens = torch.nn.Embedding(100, width)


def spread(parameter: Any) -> float:
    return float(parameter.detach().std())


@pytest.fixture
def filled() -> Iterator[Any]:
    transformer = Transformer()
    fill_pipeline({"transformer": transformer, "scheduler": object()})
    yield transformer


def test_the_same_weights_whatever_they_were_before_and_whatever_else_is_drawn() -> None:
    torch.manual_seed(1)
    first = fill_pipeline({"transformer": Transformer()})
    torch.manual_seed(2)
    second = fill_pipeline({"transformer": Transformer()})
    assert first == second and first["recipe"] == "stand-in.1"
    alone, beside = Transformer(), Transformer()
    fill_pipeline({"transformer": alone})
    fill_pipeline({"another": Transformer(32), "transformer": beside})
    assert torch.equal(alone.blocks[3].up.weight, beside.blocks[3].up.weight)


def test_a_matrix_keeps_the_size_of_its_signal_and_a_block_adds_its_share(filled: Transformer) -> None:
    block = filled.blocks[0]
    assert spread(block.up.weight) == pytest.approx(64**-0.5, rel=0.05)
    assert spread(block.proj_out.weight) == pytest.approx(256**-0.5 / 16**0.5, rel=0.05)
    assert spread(filled.tokens.weight) == pytest.approx(1.0, rel=0.05)
    assert spread(filled.scale_shift_table) == pytest.approx(64**-0.5, rel=0.2)


def test_norms_are_one_and_biases_zero(filled: Transformer) -> None:
    block = filled.blocks[7]
    assert torch.equal(block.norm.weight, torch.ones(64))
    assert not block.norm.bias.any() and not block.up.bias.any()


def test_every_parameter_is_drawn_once() -> None:
    transformer = Transformer()
    names = [name for name, _ in fill("t", transformer)]
    assert len(names) == len(set(names)) == len(list(transformer.parameters()))
