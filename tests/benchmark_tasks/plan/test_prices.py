"""Designed loads: what a plan of energy prices asks for, and how its requests are told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from benchmark_tasks.catalog import load
from benchmark_tasks.errors import CatalogError
from benchmark_tasks.language.session import LanguageSessions
from benchmark_tasks.plan import designed_sweep, single_sweep, still_missing
from benchmark_tasks.plan.sweep import Sweep, SweepPoint
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.samples import sample_run
from benchmark_tasks.vocabulary import Task

ROOT = Path(__file__).parents[3]
ENTRIES = load()
MODEL = ENTRIES.model("Qwen/Qwen3-8B")


def chat() -> Sweep:
    return single_sweep(
        ENTRIES,
        model_id=MODEL.model_id,
        task=Task.LM_ARENA_CHAT,
        runtime_version="0.26.0",
        gpu_model="H200",
        num_gpus=1,
        batch_sizes=[1],
    )


def designed(prompt: int = 512, answer: int = 1, batch_size: int = 32) -> SweepPoint:
    return SweepPoint(batch_size=batch_size, fixed_prompt_tokens=prompt, fixed_answer_tokens=answer)


def test_a_plan_has_prompts_with_one_token_out_and_answers_at_several_contexts_and_batch_sizes() -> None:
    points = designed_sweep(chat(), MODEL).points
    prefill = [point.fixed_prompt_tokens for point in points if point.fixed_answer_tokens == 1]
    assert prefill == [128, 512, 2048, 8192, 16384]
    decode = [point for point in points if (point.fixed_answer_tokens or 0) >= 512]
    assert {point.batch_size for point in decode} >= {1, 8, 64, 256}
    held = [(point.fixed_prompt_tokens or 0) + (point.fixed_answer_tokens or 0) // 2 for point in decode]
    assert min(held) <= 1024 and max(held) > 16_384, "as long as the catalog's context allows"


def test_the_core_of_a_plan_is_few_loads_and_no_mix() -> None:
    core = designed_sweep(chat(), MODEL, core=True).points
    whole = designed_sweep(chat(), MODEL).points
    assert 6 <= len(core) <= 8 and set(core) < set(whole)


def test_idle_is_measured_last_on_the_same_server() -> None:
    """So that the price of idle time is of the GPU that the other prices are of."""
    for sweep in (designed_sweep(chat(), MODEL), designed_sweep(chat(), MODEL, core=True)):
        *loads, idle = sweep.points
        assert (idle.request_rate, idle.fixed_prompt_tokens) == (0.0, None)
        assert idle.batch_size == max(load.batch_size for load in loads)
        assert not sweep.is_open and all(load.is_designed for load in loads)
        Sweep.model_validate_json(sweep.model_dump_json())


def test_only_designed_loads_have_idle_beside_them() -> None:
    closed, idle = SweepPoint(batch_size=8), SweepPoint(batch_size=8, request_rate=0.0)
    with pytest.raises(ValueError, match="has one batch size"):
        Sweep.model_validate({**chat().model_dump(), "points": (closed, idle)})


def test_a_landed_load_is_not_planned_again() -> None:
    sweep = designed_sweep(chat(), MODEL, core=True)
    first = sweep.points[0]
    run = sample_run(configuration=sweep.configuration(first))
    keys = run.comparability.model_copy(update={"weights": sweep.weights})
    left = still_missing(sweep, [run.model_copy(update={"comparability": keys})])
    assert left is not None and left.points == sweep.points[1:]


def test_each_length_is_a_configuration_and_a_request_set_of_its_own() -> None:
    sweep = designed_sweep(chat(), MODEL)
    sessions = LanguageSessions(sweep, MODEL, ENTRIES.tasks[sweep.task], Settings(home=Path("unused")), None)
    pairs = {(point.fixed_prompt_tokens, point.fixed_answer_tokens) for point in sweep.points}
    assert (None, None) in pairs, "idle has the task's"
    sets = {sessions.request_set_id(sessions.procedure, point) for point in sweep.points}
    assert len(sets) == len(pairs)
    ids = {sweep.configuration(point).configuration_id for point in sweep.points}
    assert len(ids) == len(sweep.points)


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        (chat().model_copy(update={"gpu_model": NO_GPU}), "need an energy counter"),
        (chat().model_copy(update={"request_set": "lm-arena-chat"}), "synthetic prompts"),
    ],
)
def test_what_cannot_be_priced_is_refused_in_one_line(sweep: Sweep, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        designed_sweep(sweep, MODEL)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"fixed_prompt_tokens": 5}, "or neither"),
        ({"fixed_answer_tokens": 5}, "or neither"),
        ({"fixed_prompt_tokens": 5, "fixed_answer_tokens": 5, "request_rate": 0.0}, "idle"),
    ],
)
def test_a_load_fixes_both_lengths_or_none(keys: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SweepPoint.model_validate({"batch_size": 1, **keys})


def test_a_request_that_does_not_fit_the_context_is_refused_before_anything_starts() -> None:
    sweep = chat().model_copy(update={"points": (designed(30_000, 1_000),)})
    with pytest.raises(CatalogError, match="do not fit its context of 20480 tokens"):
        LanguageSessions(sweep, MODEL, ENTRIES.tasks[sweep.task], Settings(home=Path("unused")), None)


def test_a_part_of_a_window_of_prompts_is_long_enough_for_their_steps() -> None:
    """As an H200 read prompts of 512 tokens: a step more or less in a part must not look like drift."""
    folder = ROOT / "recorded_runs" / "h200-2026-11-29-prices-all" / "01a2286b-fe09-783f-8b2e-6d88a9da49bc"
    requests = pyarrow.parquet.read_table(folder / "requests.parquet", columns=["finished_seconds"])
    ends = np.sort(requests["finished_seconds"].to_numpy())
    steps = np.diff(np.flatnonzero(np.diff(ends, prepend=-1.0) > 0.04))
    rate = (len(ends) - 1) / (ends[-1] - ends[0])
    procedure = designed_sweep(chat(), MODEL).procedure
    assert procedure is not None
    part_seconds = procedure.minimum_window_seconds / procedure.sub_windows
    assert np.percentile(steps, 99) / (rate * part_seconds) < procedure.drift_limit
