"""What the per-run suite asks of a record that the flat row (`results/summary.py`) leaves out.

Worked out once per bundle and kept (`kept.py`): a refresh must not parse every record that was ever landed.
So a fact is of one record alone; what the catalog says beside it is compared in the check.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmark_tasks.client.load_processes import CPU_SHARE_LIMIT, LAG_LIMIT_MS
from benchmark_tasks.language.backlog import DEVIATES, GROWTH_SHARE
from benchmark_tasks.results.schema import Phase, Run, Sleep, Window
from expectations.gate.recomputed import of_sub_windows, trend

SEPARATOR = "\n"
"""Between the names of a run's GPUs."""


@dataclass(frozen=True)
class RecordFacts:
    """Facts of one record. `None`: it does not say.

    label: what was measured, for people. identity: equal for repeats of one configuration.
    power_trend_of_parts, throughput_trend_of_parts: the recorded trend, or that of the window's parts,
        whichever is larger.
    first_error: of its requests. sample_blank: whether its picture has a single colour.
    computed_width, computed_height: pixels of the latent picture. returned_frames: of its video, or 1.
    steady_joules_of_gpus, mlenergy_joules_of_gpus: of a window, summed over the GPUs. energy_gpus: how many.
    verdict_on_arrivals_differs: whether the verdict on a window is not what its backlog says.
    verdict_on_client_differs: whether that on the load generator is not what its figures say.
    unexplained_seconds: between start and end of a run, in no phase and no sleep of it.
    measure_watts, warm_up_watts: mean power of a phase.
    phases_repeated: whether a phase stands in it twice.
    gpu_limit_watts: mean power cap of its GPUs. gpus_seen: different GPUs in the record. gpus_listed: how
        many it lists.
    gpu_names: their names.
    least_memory_bytes, most_memory_bytes: of a GPU.
    installed_version: of the runtime's package. slept: whether the server slept.
    """

    label: str
    identity: str
    slept: bool
    power_trend_of_parts: float | None = None
    throughput_trend_of_parts: float | None = None
    first_error: str | None = None
    sample_blank: bool | None = None
    computed_width: int | None = None
    computed_height: int | None = None
    returned_frames: int | None = None
    steady_joules_of_gpus: float | None = None
    mlenergy_joules_of_gpus: float | None = None
    energy_gpus: int | None = None
    verdict_on_arrivals_differs: bool | None = None
    verdict_on_client_differs: bool | None = None
    unexplained_seconds: float | None = None
    measure_watts: float | None = None
    warm_up_watts: float | None = None
    phases_repeated: bool | None = None
    gpu_limit_watts: float | None = None
    gpus_listed: int | None = None
    gpus_seen: int | None = None
    gpu_names: str | None = None
    least_memory_bytes: int | None = None
    most_memory_bytes: int | None = None
    installed_version: str | None = None


def facts_of(run: Run) -> RecordFacts:
    """All of them."""
    window, provenance = run.window_steady, run.provenance
    keys = run.configuration.model_dump_json() + run.comparability.model_dump_json()
    limits = [gpu.power_limit_watts for gpu in provenance.gpus if gpu.power_limit_watts is not None]
    memory = [gpu.memory_bytes for gpu in provenance.gpus if gpu.memory_bytes]
    phases = {phase.name: phase for phase in run.phases}
    warm_up, measure = phases.get("warm-up"), phases.get("measure")
    return RecordFacts(
        label=run.configuration.label(),
        identity=hashlib.sha256(keys.encode()).hexdigest()[:32],
        slept=bool(run.sleeps),
        power_trend_of_parts=_trend(window, "power"),
        throughput_trend_of_parts=_trend(window, "throughput"),
        first_error=run.requests.first_error if run.requests else None,
        sample_blank=run.sample.blank if run.sample else None,
        computed_width=run.sample.computed_width if run.sample else None,
        computed_height=run.sample.computed_height if run.sample else None,
        returned_frames=run.sample.frames if run.sample else None,
        steady_joules_of_gpus=_joules_of_gpus(window),
        mlenergy_joules_of_gpus=_joules_of_gpus(run.window_mlenergy),
        energy_gpus=len(window.energy.counter_joules_per_gpu) if window and window.energy else None,
        verdict_on_arrivals_differs=_verdict_on_arrivals_differs(run),
        verdict_on_client_differs=_verdict_on_client_differs(run),
        unexplained_seconds=_unexplained_seconds(run, warm_up, measure),
        measure_watts=_watts(measure),
        warm_up_watts=_watts(warm_up),
        phases_repeated=len(phases) < len(run.phases),
        gpus_listed=len(provenance.gpus),
        gpu_limit_watts=sum(limits) / len(limits) if limits else None,
        gpus_seen=len({gpu.uuid for gpu in provenance.gpus}),
        gpu_names=SEPARATOR.join(sorted({gpu.name for gpu in provenance.gpus})) or None,
        least_memory_bytes=min(memory, default=None),
        most_memory_bytes=max(memory, default=None),
        installed_version=provenance.runtime_packages.get(provenance.runtime_distribution),
    )


def _trend(window: Window | None, what: Literal["power", "throughput"]) -> float | None:
    recorded = None if window is None else getattr(window, f"{what}_trend")
    return trend(recorded, of_sub_windows(window).get(what, np.array([])))


def _joules_of_gpus(window: Window | None) -> float | None:
    return sum(window.energy.counter_joules_per_gpu) if window and window.energy else None


def _verdict_on_arrivals_differs(run: Run) -> bool | None:
    window, arrivals = run.window_steady, run.arrivals
    if window is None or arrivals is None or not arrivals.arrived or arrivals.backlog_deviate is None:
        return None
    if window.start_seconds is None or window.end_seconds is None or "waiting" in (arrivals.reason or ""):
        return None
    stayed = (arrivals.backlog_growth_per_second or 0) * (window.end_seconds - window.start_seconds)
    grows = arrivals.backlog_deviate > DEVIATES and stayed > GROWTH_SHARE * arrivals.arrived
    return grows == arrivals.sustained


def _verdict_on_client_differs(run: Run) -> bool | None:
    client = run.client
    if client is None:
        return None
    return client.lagged != (
        client.cpu_share > CPU_SHARE_LIMIT or (client.loop_lag_p99_ms or 0) > LAG_LIMIT_MS
    )


def _unexplained_seconds(run: Run, *phases: Phase | None) -> float | None:
    of_phases = (None if phase is None else phase.seconds for phase in phases)
    parts = [*of_phases, *map(_seconds_of, run.sleeps)]
    known = [part for part in parts if part is not None]
    lasted = (run.finished_at - run.started_at).total_seconds()
    return lasted - sum(known) if len(known) == len(parts) else None


def _seconds_of(sleep: Sleep) -> float | None:
    """From the request to sleep until the first token after it; `None` where a part is missing."""
    if sleep.falling_asleep is None or sleep.waking is None or sleep.window is None:
        return None
    asleep = sleep.window.end_seconds
    return None if asleep is None else sleep.falling_asleep.seconds + asleep + sleep.waking.seconds


def _watts(phase: Phase | None) -> float | None:
    if phase is None or phase.joules is None or phase.seconds <= 0:
        return None
    return phase.joules / phase.seconds
