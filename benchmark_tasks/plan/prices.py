"""Designed loads: one length of prompts, one of answers, so that a fit can tell what each token costs.

Prompts with one token out cost prefill alone. Long answers after short and after long prompts, at several
batch sizes, cost decoding at several held contexts. The mixes are for the proof: no fit uses them.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from benchmark_tasks.catalog import Model
from benchmark_tasks.errors import CatalogError, what_is_wrong
from benchmark_tasks.plan.procedure import GPU_PROCEDURE
from benchmark_tasks.plan.sweep import Sweep, SweepPoint
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.workloads.context import context_of

PRICE_PROCEDURE = GPU_PROCEDURE.model_copy(
    update={"target_relative_interval": 0.02, "minimum_window_seconds": 45.0}
)
"""Lengths do not vary, so a window need not wait for the mix, and a point of a fit need not be as exact as a
rank. But answers of one token come in steps of up to 16: a tenth of the window must hold so many that a
step more or less is within the limit of drift."""


@dataclass(frozen=True)
class DesignedLoad:
    """One length of prompts and one of answers, tokens, and how many answers are in flight.

    is_core: whether the smallest set of loads that a fit needs has it.
    """

    prompt_tokens: int
    answer_tokens: int
    batch_size: int
    is_core: bool = False


DESIGNED_LOADS = (
    # Prefill: one token out.
    DesignedLoad(128, 1, 64),
    DesignedLoad(512, 1, 32, is_core=True),
    DesignedLoad(2_048, 1, 16),
    DesignedLoad(8_192, 1, 8),
    DesignedLoad(16_384, 1, 4, is_core=True),
    # Decoding at a held context of about 1k: the prices of a step stand at these batch sizes.
    DesignedLoad(768, 512, 1, is_core=True),
    DesignedLoad(768, 512, 8, is_core=True),
    DesignedLoad(768, 512, 64, is_core=True),
    DesignedLoad(768, 512, 256, is_core=True),
    # At about 4k, 16k and 32k.
    DesignedLoad(3_584, 1_024, 8),
    DesignedLoad(3_584, 1_024, 64),
    DesignedLoad(15_360, 1_024, 8),
    DesignedLoad(15_360, 1_024, 16, is_core=True),
    DesignedLoad(18_432, 1_024, 8),
    DesignedLoad(31_232, 1_024, 4),
    DesignedLoad(31_232, 1_024, 8),
)
"""128 to 16,384 tokens of prompt with one token out; answers at 1k to 32k of held context."""

MIXES = (
    DesignedLoad(1_200, 400, 32),
    DesignedLoad(256, 1_024, 128),
    DesignedLoad(6_000, 300, 24),
)
"""Lengths of usual requests at other batch sizes: never part of a fit."""

MIX_LENGTHS = tuple((mix.prompt_tokens, mix.answer_tokens) for mix in MIXES)


def designed_sweep(sweep: Sweep, model: Model, *, core: bool = False) -> Sweep:
    """Designed loads, mixes and idle on one server, in place of the points of a sweep of a text task.

    Idle comes last, so that the price of idle time is of the same GPU and server.
    core: only the loads that a fit needs at least, without mixes. Loads that do not fit the model's context
    are left out.

    Raises:
        CatalogError: the sweep is of no text task, or of a machine without an energy counter.
    """
    if sweep.gpu_model == NO_GPU:
        raise CatalogError("energy prices need an energy counter: plan them for a GPU (--gpu-model)")
    repeats = max(point.repeats for point in sweep.points)
    context = context_of(model)
    loads = [load for load in DESIGNED_LOADS if load.is_core] if core else [*DESIGNED_LOADS, *MIXES]
    points = [
        SweepPoint(
            batch_size=load.batch_size,
            repeats=repeats,
            fixed_prompt_tokens=load.prompt_tokens,
            fixed_answer_tokens=load.answer_tokens,
        )
        for load in loads
        if context is None or load.prompt_tokens + load.answer_tokens <= context
    ]
    if not points:
        raise CatalogError(f"{sweep.model_id}: none of the designed loads fits its context")
    largest = max(point.batch_size for point in points)
    points.append(SweepPoint(batch_size=largest, repeats=repeats, request_rate=0.0))
    procedure = sweep.procedure or PRICE_PROCEDURE
    values = {**sweep.model_dump(), "points": points, "procedure": procedure}
    try:
        return Sweep.model_validate(values)
    except ValidationError as error:
        why = what_is_wrong(error.errors()[0])
        raise CatalogError(f"energy prices of {sweep.model_id} on {sweep.task}: {why}") from error
