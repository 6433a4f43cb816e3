"""Runs of record with stand-in weights: what `jouleboard measure` lands, one story per sitting.

    python -m benchmarks.stand_in.campaign STORY --gpus 0 1 --home FOLDER [--minutes 25]
        [--parts 0 1] [--batch-sizes 64] [--repeats 1] [--window-seconds 60] [--backwards]
        [--server-env NAME=VALUE]
    python -m benchmarks.stand_in.campaign --list

A story is a list of sweeps. Every GPU measures all of them at the same time as the others, every second GPU
in the opposite order, so that a drift of the host is not taken for a difference between the sweeps. Each run
is landed in FOLDER/raw as soon as it is measured: started again, a story goes on with what is missing. What
is landed goes to `recorded_runs/` as it is (docs/stand-in.md, "Runs of record").
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark_tasks.catalog import load
from benchmark_tasks.plan import Plan, Sweep, runs_that_count, single_sweep, still_missing
from benchmark_tasks.plan.procedure import GPU_PROCEDURE, Procedure
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import Architecture, Task, Weights

GRACE_SECONDS = 30
_HURRIED = GPU_PROCEDURE.model_copy(
    update={
        "maximum_seconds": 90.0,
        "idle_seconds": 5.0,
        "kept_chunk_requests": 24,
        "server_start_seconds": 400.0,
    }
)
"""On a host that is lent for minutes: a window of 60 to 90 s, otherwise as `recorded_runs/plans` has it."""


def _hurried(window_seconds: float | None) -> Procedure:
    """The hurried procedure; with a length, all windows are that long.

    A load does not cost the same at its beginning and later: windows that are compared have one length.
    """
    if window_seconds is None:
        return _HURRIED
    lengths = {"minimum_window_seconds": window_seconds, "long_window_seconds": window_seconds}
    return _HURRIED.model_copy(update={**lengths, "target_relative_interval": None})


@dataclass(frozen=True)
class Part:
    """One sweep of a story: a server, or a pipeline, and its batch sizes."""

    model_id: str
    batch_sizes: tuple[int, ...]
    weights: Weights = Weights.STAND_IN
    version: str = "0.26.0"
    task: Task = Task.LM_ARENA_CHAT
    repeats: int = 1
    num_gpus: int = 1
    window_seconds: float | None = None
    """Of language models; `None`: 60 to 90 s."""


_QWEN = "Qwen/Qwen3-8B"
_PRECISION_SIZES = (8, 16, 32, 64, 128, 256)
_TWO = (Weights.STAND_IN, Weights.DUMMY)
_EACH_WAY = (Weights.RANDOM, Weights.STAND_IN, Weights.STAND_IN, Weights.RANDOM)
_RELEASES = ("0.26.0", "0.20.2", "0.23.0", "0.25.1", "0.22.1", "0.24.0", "0.21.0", "0.26.0")
"""Not by their age, so that heat and time are not taken for a trend; the first one once more at the end."""
_PICTURES = ("PixArt-alpha/PixArt-Sigma-XL-2-1024-MS", "stabilityai/stable-diffusion-3.5-medium")

STORIES: dict[str, tuple[Part, ...]] = {
    "qwen3-8b": (
        Part(_QWEN, (64, 256), Weights.DUMMY),
        Part(_QWEN, (8, 64, 256), repeats=2),
        Part(_QWEN, (256, 64), Weights.DUMMY),
    ),
    "qwen3-8b-fp8": tuple(Part(f"{_QWEN}-FP8", (8, 64, 256), weights) for weights in _TWO),
    "precision": (
        Part(_QWEN, _PRECISION_SIZES, window_seconds=60),
        Part(f"{_QWEN}-FP8", _PRECISION_SIZES[::-1], window_seconds=60),
    ),
    "qwen3-14b": (
        Part("Qwen/Qwen3-14B", (64, 128), repeats=2),
        Part("Qwen/Qwen3-14B", (64,), Weights.DUMMY),
    ),
    "qwen3-30b-a3b": (
        Part("Qwen/Qwen3-30B-A3B-Instruct-2507", (8, 32, 64)),
        Part("Qwen/Qwen3-30B-A3B-Instruct-2507", (8, 64), Weights.DUMMY),
    ),
    "vllm-versions": tuple(
        Part(_QWEN, (64, 256), version=version) for version in ("0.20.2", "0.26.0", "0.26.0", "0.20.2")
    ),
    "releases": tuple(Part(_QWEN, (64, 256), version=version, window_seconds=60) for version in _RELEASES),
    "releases-of-experts": tuple(
        Part("Qwen/Qwen3-30B-A3B-Instruct-2507", (64,), version=version, window_seconds=60)
        for version in ("0.24.0", "0.20.2", "0.26.0", "0.22.1", "0.24.0")
    ),
    "xdit-releases": tuple(
        Part(_PICTURES[0], (4,), version=version, task=Task.TEXT_TO_IMAGE)
        for version in ("0.7.0", "0.6.0", "0.5.0", "0.7.0")
    ),
    "tensor-parallel": (Part(_QWEN, (8, 64, 256), num_gpus=2),),
    "diffusion": tuple(
        Part(model_id, (1, 4), weights, version="0.7.0", task=Task.TEXT_TO_IMAGE)
        for model_id in _PICTURES
        for weights in _EACH_WAY
    ),
    "tiny": tuple(
        Part("jouleboard/qwen3-tiny", (1, 4), weights, version="0.32.0", num_gpus=0) for weights in _TWO
    ),
}
"""Each takes 10 to 20 minutes per GPU, by the durations of the recorded runs. `tiny` needs no GPU."""


def sweep_of(part: Part, gpu_model: str, campaign: str) -> Sweep:
    """The sweep of a part; parts that are alike are told apart by the campaign."""
    sweep = single_sweep(
        load(),
        model_id=part.model_id,
        task=part.task,
        runtime_version=part.version,
        gpu_model=gpu_model if part.num_gpus else NO_GPU,
        num_gpus=part.num_gpus,
        batch_sizes=part.batch_sizes,
        repeats=part.repeats,
        weights=part.weights,
        note="stand-in weights beside what was measured before",
    )
    hurried = part.num_gpus > 0 and part.task.architecture is not Architecture.DIFFUSION
    return sweep.model_copy(
        update={
            "campaign_id": campaign,
            "procedure": _hurried(part.window_seconds) if hurried else sweep.procedure,
        }
    )


def ordered(parts: tuple[Part, ...], backwards: bool) -> tuple[Part, ...]:
    """The parts for one GPU: for every second GPU from the last to the first, sizes as well."""
    if not backwards:
        return parts
    return tuple(replace(part, batch_sizes=part.batch_sizes[::-1]) for part in parts[::-1])


@dataclass(frozen=True)
class Choice:
    """What of a story is measured, where not all of it, in which order, and in windows of which length."""

    parts: tuple[int, ...] | None = None
    batch_sizes: tuple[int, ...] | None = None
    repeats: int | None = None
    window_seconds: float | None = None

    def of(self, story: str) -> dict[int, Part]:
        """The chosen parts by their position in the story; a part of which no size is left is dropped."""
        chosen = {}
        for number in self.parts or range(len(STORIES[story])):
            part = STORIES[story][number]
            sizes = tuple(size for size in self.batch_sizes or part.batch_sizes if size in part.batch_sizes)
            if sizes:
                chosen[number] = replace(
                    part,
                    batch_sizes=sizes,
                    repeats=self.repeats or part.repeats,
                    window_seconds=self.window_seconds or part.window_seconds,
                )
        return chosen


EVERYTHING = Choice()


def sweeps_of(
    story: str, gpu: int, gpu_model: str, *, backwards: bool, choice: Choice = EVERYTHING
) -> Iterator[Sweep]:
    """The sweeps of one GPU in their order, points in the order of the part."""
    chosen = choice.of(story)
    numbers = [*chosen][::-1] if backwards else [*chosen]
    for number, part in zip(numbers, ordered(tuple(chosen.values()), backwards), strict=True):
        sweep = sweep_of(part, gpu_model, f"stand-in__{story}__gpu{gpu}__{number}")
        points = {point.batch_size: point for point in sweep.points}
        yield sweep.model_copy(update={"points": tuple(points[size] for size in part.batch_sizes)})


def missing_of(sweeps: Iterator[Sweep], home: Path) -> list[Sweep]:
    """What of them is not landed yet."""
    settings = replace(Settings.from_environment(), home=home)
    runs = [run for run, _ in Store.of(settings).records().runs]
    left = []
    for sweep in sweeps:
        own = [run for run in runs if run.campaign_id == sweep.campaign_id]
        counting = runs_that_count(own, campaign_id=sweep.campaign_id, force=False)
        if (missing := still_missing(sweep, counting)) is not None:
            left.append(missing)
    return left


def main() -> None:
    """Write a plan per GPU, and measure the plans side by side until the time is over."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("story", choices=[*STORIES], nargs="?")
    parser.add_argument("--list", action="store_true", help="print the stories and exit")
    parser.add_argument("--gpus", type=int, nargs="+", default=[0])
    parser.add_argument("--gpu-model", default="H100")
    parser.add_argument("--home", type=Path, default=Path("var"))
    parser.add_argument("--minutes", type=float, default=25.0)
    parser.add_argument(
        "--parts", type=int, nargs="+", help="only these parts of the story (from 0), in this order"
    )
    parser.add_argument("--batch-sizes", type=int, nargs="+", help="only these of each part, in this order")
    parser.add_argument("--repeats", type=int, help="of each point, instead of the story's")
    parser.add_argument(
        "--window-seconds",
        type=float,
        help="of language models; in much less than 60 s a chat does not turn over",
    )
    parser.add_argument("--backwards", action="store_true", help="the first GPU in the opposite order")
    parser.add_argument("--server-env", action="append", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    if arguments.list or arguments.story is None:
        for name, parts in STORIES.items():
            print(name, *(f"{p.model_id} {p.version} {p.weights} {p.batch_sizes}" for p in parts), sep="\n  ")
        return
    until = time.monotonic() + 60 * arguments.minutes
    processes = [process for process in started(arguments) if process is not None]
    sys.exit(max((ended(process, until) for process in processes), default=0))


def started(arguments: argparse.Namespace) -> Iterator[subprocess.Popen[bytes] | None]:
    """One `jouleboard measure` per GPU, or per group of GPUs where a story wants several; `None`: done."""
    home, story = arguments.home.absolute(), arguments.story
    choice = Choice(
        arguments.parts and tuple(arguments.parts),
        arguments.batch_sizes and tuple(arguments.batch_sizes),
        arguments.repeats,
        arguments.window_seconds,
    )
    wanted = max(1, *(part.num_gpus for part in STORIES[story]))
    groups = [arguments.gpus[i : i + wanted] for i in range(0, len(arguments.gpus), wanted)]
    for number, group in enumerate(groups):
        backwards = (number % 2 == 1) != arguments.backwards
        sweeps = sweeps_of(story, group[0], arguments.gpu_model, backwards=backwards, choice=choice)
        left = missing_of(sweeps, home)
        plan = home / "plans" / f"{story}-gpu{group[0]}.json"
        plan.parent.mkdir(parents=True, exist_ok=True)
        plan.write_text(Plan(sweeps=tuple(left)).model_dump_json(indent=1))
        print(f"{story}, GPU {group}: {len(left)} sweeps to measure", flush=True)
        yield measure(plan, home, group, arguments.server_env) if left else None


def measure(plan: Path, home: Path, gpus: list[int], server_env: list[str]) -> subprocess.Popen[bytes]:
    """`jouleboard measure` of a plan, which sees these GPUs alone."""
    visible = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus)), "JOULEBOARD_HOME": str(home)}
    command = [sys.executable, "-m", "benchmark_tasks.cli", "measure", "--plan", str(plan)]
    command += [argument for variable in server_env for argument in ("--server-env", variable)]
    return subprocess.Popen(command, env={**os.environ, **visible})


def ended(process: subprocess.Popen[bytes], until: float) -> int:
    """Its exit status; told to end when the time is over, with what is landed kept."""
    try:
        return process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.terminate()
    try:
        return process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


if __name__ == "__main__":
    main()
