"""What the factor matrix runs: one story is one GPU's servers and the points it measures on them, in order.

Kinds of weights are compared within a block whose order reads the same from both ends (A B B A), so that
heat and time fall on all of them alike.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmark_tasks.stand_in.support import VERSION

MEASURE, LOOK = "measure", "look"
SCRATCH = os.environ.get("STAND_IN_SCRATCH", "/tmp/stand-in")


@dataclass(frozen=True)
class Point:
    """One measurement.

    label: what the weights are called in results.
    weights: `vllm-dummy`, `normal`, the recipe's version, `folder`; or `as-loaded`, which leaves them alone.
    what: `measure` a window, or `look` at logits and kernels under the same load.
    """

    label: str
    weights: str
    batch: int
    sampling: str = "sampled"
    options: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 30.2
    what: str = MEASURE
    server: int = 0


@dataclass(frozen=True)
class Server:
    """How weights come into a server: load formats to try, first come first, with options of its own."""

    load_formats: tuple[str, ...] = ("stand-in", "dummy")
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Story:
    """Servers that live side by side on one GPU, and the points.

    model: of the catalog; `folder`: or a model's folder instead.
    config: replaces parts of the model's config.json.
    prompts: a file with token ids, instead of random ones with the lengths of chat.
    longest: cuts prompts and answers, for tiny models.
    """

    name: str
    points: tuple[Point, ...]
    model: str = ""
    folder: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    servers: tuple[Server, ...] = (Server(),)
    options: tuple[str, ...] = (
        "--max-num-seqs=256",
        "--max-model-len=20480",
        "--max-num-batched-tokens=8192",
    )
    variables: Mapping[str, str] = field(default_factory=dict)
    prompts: str | None = None
    client_processes: int = 2
    longest: int | None = None
    port: int = 0


DUMMY = Point("dummy", "vllm-dummy", 64)
NORMAL = Point("normal", "normal", 64)
PEAKED = Point("normal, peaked head", "normal", 64, options={"final_norm": 3.3})
STAND_IN = Point(VERSION, VERSION, 64)
UNTRAINED_ROUTER = Point(f"{VERSION}, router without spread", VERSION, 64, options={"router_spread": 0.0})
REAL = Point("real", "folder", 64, options={"folder": f"{SCRATCH}/smollm/model"})


def block(kinds: Sequence[Point], batch: int, sampling: str = "sampled", **changes: Any) -> tuple[Point, ...]:
    """The kinds there and back again."""
    return tuple(replace(kind, batch=batch, sampling=sampling, **changes) for kind in (*kinds, *kinds[::-1]))


def once(kinds: Sequence[Point], batch: int, sampling: str = "sampled", **changes: Any) -> tuple[Point, ...]:
    """Each kind once."""
    return tuple(replace(kind, batch=batch, sampling=sampling, **changes) for kind in kinds)


def looks(kinds: Sequence[Point], batches: Sequence[int], sampling: str = "sampled") -> tuple[Point, ...]:
    """A look at each kind at each batch size; kinds change least often."""
    return tuple(
        replace(kind, batch=batch, sampling=sampling, what=LOOK, seconds=7.0)
        for kind in kinds
        for batch in batches
    )


def warm_up(kind: Point, batches: Sequence[int]) -> tuple[Point, ...]:
    """Compiles what is compiled on first use, at every batch size and sampling; never compared."""
    return tuple(
        replace(kind, label="warm-up", batch=batch, sampling=sampling, seconds=4.0)
        for batch in batches
        for sampling in ("sampled", "greedy")
    )


_THREE = (DUMMY, NORMAL, STAND_IN)
_QWEN = "Qwen/Qwen3-8B"
_FP8 = {
    "quantization_config": {
        "activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "weight_block_size": [128, 128],
    }
}  # fmt: skip
_SMOL = (REAL, STAND_IN, DUMMY, NORMAL)

_ALL = (
    Story(
        "qwen3-8b-a",
        (
            *warm_up(STAND_IN, (64,)),
            *block((DUMMY, NORMAL, PEAKED, STAND_IN), 64),
            *looks((STAND_IN, NORMAL, PEAKED, DUMMY), (64,)),
            *block(_THREE, 64, "greedy"),
            *block(_THREE, 256),
            *block(_THREE, 64)[::-1],
            *looks(_THREE[::-1], (256,)),
            *block((DUMMY, NORMAL, PEAKED, STAND_IN), 64),
        ),
        model=_QWEN,
    ),
    Story(
        "qwen3-8b-b",
        (
            *warm_up(STAND_IN, (64, 8)),
            *block(_THREE[::-1], 64),
            *block(_THREE, 8),
            *block(_THREE, 256, "greedy"),
            *block(_THREE, 256),
            *block(_THREE, 8, "greedy"),
            *looks(_THREE, (8, 64)),
            *block(_THREE, 64, "greedy"),
            *block(_THREE, 8),
        ),
        model=_QWEN,
    ),
    Story(
        "smollm2",
        (
            *warm_up(STAND_IN, (64,)),
            *block(_SMOL, 64),
            *looks(_SMOL, (64,)),
            *block(_SMOL, 256),
            *block(_SMOL, 8),
            *looks(_SMOL[::-1], (256, 8)),
            *block(_SMOL, 64, "greedy"),
            *block(_SMOL[::-1], 64),
        ),
        folder=f"{SCRATCH}/smollm/model",
        prompts=f"{SCRATCH}/smollm/prompts.json",
        options=(
            "--max-num-seqs=256",
            "--max-model-len=4096",
            "--max-num-batched-tokens=8192",
            "--stream-interval=10",
            """--hf-overrides={"tie_word_embeddings": false}""",
        ),
        client_processes=4,
    ),
    Story(
        "qwen3-30b-a3b",
        (
            *warm_up(STAND_IN, (64,)),
            *block((DUMMY, NORMAL, UNTRAINED_ROUTER, STAND_IN), 64),
            *looks((STAND_IN, UNTRAINED_ROUTER, NORMAL, DUMMY), (64,)),
            *block((DUMMY, STAND_IN), 8),
            *block((STAND_IN, UNTRAINED_ROUTER, NORMAL, DUMMY), 64),
        ),
        model="Qwen/Qwen3-30B-A3B-Instruct-2507",
        options=(
            "--max-num-seqs=256",
            "--max-model-len=20480",
            "--max-num-batched-tokens=8192",
            "--gpu-memory-utilization=0.92",
        ),
    ),
    Story(
        "qwen3-8b-fp8",
        tuple(
            point
            for batch in (64, 8)
            for point in block(
                (
                    Point("dummy", "as-loaded", 64, server=0),
                    Point(VERSION, "as-loaded", 64, server=1),
                ),
                batch,
            )
        ),
        model=_QWEN,
        config=_FP8,
        servers=(
            Server(("dummy",)),
            Server(("stand-in",)),
        ),
        options=(
            "--max-num-seqs=64",
            "--max-model-len=20480",
            "--max-num-batched-tokens=8192",
            "--gpu-memory-utilization=0.42",
        ),
        variables={"VLLM_USE_DEEP_GEMM": "0"},
        port=5,
    ),
    Story(
        "tiny",
        (
            *warm_up(STAND_IN, (4,)),
            *block((DUMMY, STAND_IN), 4, seconds=3.0),
        ),
        model="jouleboard/qwen3-tiny",
        config={"tie_word_embeddings": False},
        options=("--max-num-seqs=8", "--max-model-len=1024", "--enforce-eager"),
        longest=128,
    ),
)

_LOOKS = replace(
    next(story for story in _ALL if story.name == "smollm2"),
    name="smollm2-looks",
    points=(*warm_up(STAND_IN, (64,)), *looks(_SMOL, (64, 256, 8)), *looks(_SMOL, (64,), "greedy")),
)
"""Of so small a model the server's processors are the limit: kernels say more than windows do."""

_LOADED = Point(VERSION, "as-loaded", 64)
_FP8_ONE = replace(
    next(story for story in _ALL if story.name == "qwen3-8b-fp8"),
    name="qwen3-8b-fp8-one-server",
    servers=(Server(("stand-in",)),),
    options=("--max-num-seqs=256", "--max-model-len=20480"),
    points=(
        *once((_LOADED, _LOADED), 64),
        *once((_LOADED, DUMMY), 8),
        *once((DUMMY, DUMMY), 64),
    ),
)
"""FP8 weights are quantized while they are loaded, and cannot be drawn anew in place: A A B B."""

_SHORT = (
    Story(
        "qwen3-8b-c",
        (
            *warm_up(STAND_IN, (64,))[:1],
            *looks((STAND_IN, NORMAL, PEAKED, DUMMY), (64,)),
            *block(_THREE, 256),
            *looks(_THREE[::-1], (256,)),
        ),
        model=_QWEN,
    ),
    Story(
        "qwen3-8b-d",
        (
            *warm_up(STAND_IN, (64,))[1:],
            *block((DUMMY, NORMAL), 64, "greedy"),
            *block(_THREE, 8),
            *looks(_THREE, (8,)),
        ),
        model=_QWEN,
    ),
    Story(
        "qwen3-8b-greedy",
        (
            *warm_up(STAND_IN, (256, 8)),
            *block(_THREE, 256, "greedy", seconds=20.2),
            *block(_THREE, 8, "greedy", seconds=20.2),
            *block((DUMMY, STAND_IN), 64, "greedy", seconds=20.2),
        ),
        model=_QWEN,
    ),
)
"""What fits into ten minutes of a host with four GPUs."""

STORIES = {story.name: story for story in (*_ALL, *_SHORT, _LOOKS, _FP8_ONE)}
