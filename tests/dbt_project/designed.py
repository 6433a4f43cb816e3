"""Runs whose figures can be worked out by hand: graded answers, images by a known law, loads by known prices.

Each kind looks at marts of its own, so one candidate is built for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmark_tasks.plan.prices import MIXES, DesignedLoad
from benchmark_tasks.results.schema import Grades, Run
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.samples import on_gpus, sample_generation_run, sample_run
from benchmark_tasks.vocabulary import AnswerForm, LengthControl
from benchmarks.candidate import build_candidate
from expectations.candidate.build import BuildResult
from expectations.candidate.profiles import Profile
from expectations.laws import Point
from tests.expectations.laws import known
from tests.expectations.laws.known import CORNERS, GRID, VIDEOS
from tests.expectations.prices.known import LOADS, apart, designed_run, idle_run

TOKENS = 40
IMAGES_PER_MINUTE = 20
SIZES = {side * side: (side, side) for side in known.SIDES} | {399_360: (480, 832), 921_600: (720, 1280)}
MEDIUM = "stabilityai/stable-diffusion-3.5-medium"
BEYOND = DesignedLoad(1_200, 400, 512)
"""More answers in flight than were measured."""


def build_designed_warehouse(root: Path) -> BuildResult:
    """The candidate of these runs, in an empty folder."""
    graded_runs, verdicts = zip(*graded_answers(), strict=True)
    loads, work = priced_loads()
    return build_candidate(
        root / "candidate",
        Settings(home=root / "home"),
        runs=[*graded_runs, *images_and_videos(), *loads],
        profiled=[*verdicts, *work],
    )


def graded_answers() -> list[tuple[Run, Profile]]:
    """500 W, 4,000 tokens/s: 0.125 J per token, 5 J per answer of 40 tokens."""
    return [
        graded(range(100)),
        graded(range(50, 150)),
        graded(range(52), batch_size=64),
        graded(range(90), questions=99, name="prompts.few"),
        graded(range(20), name="prompts.below"),
        graded(range(100), name="prompts.cpu", gpu=False),
    ]


def graded(
    right: range, *, questions: int = 200, name: str = "prompts.q", **changes: Any
) -> tuple[Run, Profile]:
    """A run that answered so many questions, those in `right` correctly."""
    run = sample_run(**changes)
    grades = Grades(
        grader=1,
        form=AnswerForm.CHOICE,
        choices=4,
        answers=questions,
        questions=questions,
        right=len(right),
        unreadable=3,
        cut=2,
        unanswered=0,
        output_tokens=TOKENS * questions,
    )
    keys = {
        "request_set_id": f"{name}-0123456789ab-01234567+at-most-256",
        "length_control": LengthControl.NATURAL,
    }
    run = run.model_copy(
        update={"grades": grades, "comparability": run.comparability.model_copy(update=keys)}
    )
    verdicts = tuple((index, index in right, TOKENS) for index in range(questions))
    return run, Profile(run.run_id, verdicts=verdicts)


def images_and_videos() -> list[Run]:
    """PixArt by a power above a fixed part, Wan by its work; under 0.6.0 every second point is 60 % up."""
    pixart = [*runs_of(GRID, known.fixed_power), measured(GRID[0], 1.02 * known.fixed_power(GRID[0]))]
    warm = [on_gpus(run, "GPU-warm") for run in runs_of(CORNERS, lambda point: 1.08 * known.power(point))]
    odd = runs_of(
        GRID,
        lambda point: known.power(point) * (1.6 if GRID.index(point) % 2 else 1),
        runtime_version="0.6.0",
    )
    few = runs_of(CORNERS[:4], known.power, model_id=MEDIUM)
    single = runs_of(GRID[:1], known.power, batch_size=8)
    return [*pixart, *warm, *odd, *few, *single, *runs_of(VIDEOS, known.work)]


def runs_of(points: Iterable[Point], joules: Callable[[Point], float], **changes: Any) -> list[Run]:
    return [measured(point, joules(point), **changes) for point in points]


def measured(point: Point, joules: float, **changes: Any) -> Run:
    """A minute in which each image, or video, took so many joules."""
    run = sample_generation_run(
        video=point.frames > 1,
        batch_size=1,
        seconds_a_batch=60 / IMAGES_PER_MINUTE,
        power_watts=joules * IMAGES_PER_MINUTE / 60,
        runtime_version=changes.pop("runtime_version", None),
    )
    height, width = SIZES[point.pixels]
    knobs: dict[str, Any] = {"inference_steps": point.steps, "height": height, "width": width}
    knobs |= {"num_frames": point.frames if point.frames > 1 else None, **changes}
    return run.model_copy(update={"configuration": run.configuration.model_copy(update=knobs)})


def priced_loads() -> tuple[list[Run], list[Profile]]:
    """Versions with mixes as the prices say (0.26.0), with one of them 8 % up (0.27.0), with too few loads.

    GPU-warm takes 8 % more: of 0.26.0 a mix and a load of the fit, of 0.24.0 nearly all loads.
    """
    known_loads = [designed_run(load) for load in LOADS] + [designed_run(mix) for mix in (*MIXES, MIXES[0])]
    beyond = [idle_run(), designed_run(MIXES[1], factor=1.02), designed_run(BEYOND, factor=1.5)]
    other = [designed_run(load, version="0.27.0") for load in LOADS]
    other += [designed_run(MIXES[0], factor=1.08, version="0.27.0"), designed_run(MIXES[1], version="0.27.0")]
    few = [designed_run(load, version="0.25.0") for load in LOADS[:3]]
    elsewhere = (designed_run(load, factor=1.08) for load in (MIXES[2], MIXES[2], LOADS[-1]))
    warm = [(on_gpus(run, "GPU-warm"), profile) for run, profile in elsewhere]
    single = [load for load in LOADS if load.is_core and load.prompt_tokens != 16_384]
    single += [DesignedLoad(768, 512, 32), DesignedLoad(768, 512, 128), MIXES[0]]
    two = [designed_run(load, version="0.24.0") for load in LOADS if load.is_core]
    two += [
        (on_gpus(run, "GPU-warm"), profile)
        for run, profile in (designed_run(load, factor=1.08, version="0.24.0") for load in single)
    ]
    runs, profiles = apart([*known_loads, *beyond, *other, *few, *warm, *two])
    mixed = next(run for run in runs if run.configuration.batch_size == BEYOND.batch_size)
    assert mixed.configuration.fixed_prompt_tokens == MIXES[0].prompt_tokens, "no load of the fit"
    return runs, profiles
