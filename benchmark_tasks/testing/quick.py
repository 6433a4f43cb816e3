"""A sweep that takes seconds, and what it landed: for tests of everything around a measurement."""

from __future__ import annotations

from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.plan.sweep import Sweep, SweepPoint
from benchmark_tasks.results import bundle
from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Store
from benchmark_tasks.runtimes.kinds import MOCK
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import DEFAULT_RUNTIME, Task, WeightPrecision, Weights

QUICK = Procedure(
    minimum_window_seconds=1.0,
    long_window_seconds=1.2,
    maximum_seconds=15,
    idle_seconds=0.3,
    drift_limit=100.0,  # on a busy machine anything drifts; that is tested without one
    target_relative_interval=None,
)


def quick_sweep(*batch_sizes: int, **changes: object) -> Sweep:
    """The tiny language model on the mock server, without a GPU; `changes` replace fields."""
    fields: dict[str, object] = {
        "model_id": "jouleboard/qwen3-tiny",
        "weight_precision": WeightPrecision.BFLOAT16,
        "task": Task.LM_ARENA_CHAT,
        "gpu_model": NO_GPU,
        "num_gpus": 0,
        "runtime": DEFAULT_RUNTIME,
        "runtime_version": "0.0.1",
        "distribution": MOCK,
        "weights": Weights.DUMMY,
        "points": tuple(SweepPoint(batch_size=size) for size in batch_sizes or (4,)),
        "procedure": QUICK,
    }
    return Sweep(**(fields | changes))


def landed(settings: Settings) -> list[Run]:
    """Every run of the landing zone, in the order of their ids; each is whole."""
    listing = Store(settings.raw).listing()
    assert listing.broken == ()
    return [bundle.verify(path) for _, path in listing.runs]
