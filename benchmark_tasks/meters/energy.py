"""Energy of a span of time, by two instruments, from recorded timelines. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import integrate

from benchmark_tasks.errors import MeterError
from benchmark_tasks.meters.meter import Timeline
from benchmark_tasks.results.schema import SubWindow, WindowEnergy
from benchmark_tasks.results.tables import Series

MAXIMUM_GAP_SECONDS = 1.0
"""A counter that was not read for longer than this near the edge of a span cannot date its energy."""

REFRESH_SECONDS = 0.1
"""NVML refreshes counter and power about this often: what either may be late by at an edge."""

AGREEMENT = 0.05
"""By what share counter and integral of one GPU may differ before its counter is not believed.

nvml.h gives 5 % as the accuracy of a power reading (`nvmlDeviceGetPowerUsage`). In 200 recorded windows of
H100s and H200s they differ by 2.4 % at most. The gate is stricter (2 % over all GPUs); this finds a counter
that is broken."""

PHASE_AGREEMENT = 0.1
"""The same for a phase, whose power comes in bursts that samples miss: it finds a counter that is useless."""

PART_SHARE = 3.0
"""By how many times as much they may differ between two gaps in the readings of power."""

STEP = 1.5
"""How much more than at the highest power a counter may gain between two readings.

In the recorded windows it gains 0.7 of that at most."""


@dataclass(frozen=True)
class EnergyCurve:
    """Joules of all GPUs together, rising, at seconds since the run's first request."""

    seconds: np.ndarray
    joules: np.ndarray

    @classmethod
    def of_power(cls, seconds: np.ndarray, watts: np.ndarray) -> EnergyCurve:
        """The integral of sampled power, where there is no counter."""
        return cls(seconds, np.asarray(integrate.cumulative_trapezoid(watts, seconds, initial=0)))

    def mean_watts(self, start: float, end: float) -> float | None:
        """From `start` to `end`; `None` where the readings do not enclose it, or none is inside."""
        inside = np.any((self.seconds > start) & (self.seconds <= end))
        if not inside or self.seconds[0] > start or self.seconds[-1] < end:
            return None
        before, after = np.interp([start, end], self.seconds, self.joules)
        return float((after - before) / (end - start))


def energy_curve(timeline: Timeline) -> EnergyCurve | None:
    """Energy summed over the GPUs at the first GPU's reading times; `None` without readings.

    From the counters: power that jumps (pictures are encoded in bursts) scatters between samples 100 ms
    apart by more than a window may drift. From sampled power where a counter is missing or fell.
    """
    gpus = timeline.gpu_indices()
    counters = [timeline.of(Series.ENERGY_COUNTER_JOULES, gpu) for gpu in gpus]
    if counters and all(len(joules) > 1 and np.all(np.diff(joules) >= 0) for _, joules in counters):
        return EnergyCurve(*_summed(counters))
    power = [timeline.of(Series.POWER_WATTS, gpu) for gpu in gpus]
    if not power or not all(len(watts) for _, watts in power):
        return None
    return EnergyCurve.of_power(*_summed(power))


def energy_between(timeline: Timeline, start: float, end: float) -> WindowEnergy:
    """Energy from `start` to `end` (seconds), summed over the GPUs of the timeline.

    The counter is read every 100 ms; its value at an edge is interpolated between the readings
    before and after it, so the error is at most what power varies by within one reading.

    Raises:
        MeterError: no counter, a reset or backward step, or readings missing around the span.
    """
    gpus = timeline.gpu_indices()
    if not gpus:
        raise MeterError("no energy counter was read")
    if end <= start:
        raise MeterError("the span is empty")
    per_gpu = tuple(_counter_joules(timeline, gpu, start, end) for gpu in gpus)
    integrals = [_integral_joules(timeline, gpu, start, end) for gpu in gpus]
    seconds, _ = timeline.between(start, end).of(Series.POWER_WATTS)
    return WindowEnergy(
        counter_joules=sum(per_gpu),
        counter_joules_per_gpu=per_gpu,
        counter_seconds=end - start,
        integral_joules=None
        if any(j is None for j in integrals)
        else sum(j for j in integrals if j is not None),
        power_samples=len(seconds),
    )


def require_sound_counters(timeline: Timeline, start: float, end: float) -> None:
    """Hold every GPU's counter against its sampled power, from `start` to `end` (seconds) of steady work.

    A counter that stands still, counts at another scale or jumps is found; where power was not sampled,
    only a counter that does not move at all is found.

    Raises:
        MeterError: a counter and the integral of power differ by more than either can be off, or it jumps.
    """
    require_agreement(timeline, start, end, AGREEMENT)
    for gpu in timeline.gpu_indices():
        highest = _highest_watts(timeline, gpu, start, end)
        for begin, finish in _both_read(timeline, gpu, start, end):
            _require_no_jump(timeline, gpu, begin, finish, highest)


def require_agreement(timeline: Timeline, start: float, end: float, share: float) -> None:
    """The part of `require_sound_counters` that holds of any work, by how much they may differ.

    Over all parts of the span in which power was sampled: a machine that was too busy to read it for a
    moment does not make a broken counter sound.

    Raises:
        MeterError: a counter and the integral of power differ by more than that, or it does not move.
    """
    for gpu in timeline.gpu_indices():
        parts = _both_read(timeline, gpu, start, end)
        counts = [_increase(timeline, gpu, *part) for part in parts]
        integrals = [_integral_joules(timeline, gpu, *part) or 0.0 for part in parts]
        late = 2 * REFRESH_SECONDS * _highest_watts(timeline, gpu, start, end)
        # All together, and each by itself, whose few samples may miss bursts: errors must not cancel.
        _require_alike(gpu, sum(counts), sum(integrals), share, late * len(parts) ** 0.5)
        for counted, integral in zip(counts, integrals, strict=True):
            _require_alike(gpu, counted, integral, PART_SHARE * share, PART_SHARE * late)
        _require_movement(timeline, gpu, start, end)


def _require_alike(gpu: int, counted: float, integral: float, share: float, late: float) -> None:
    """share: of the integral. late: joules that both may be apart at the edges."""
    if abs(counted - integral) > share * integral + late:
        raise MeterError(
            f"energy counter of GPU {gpu} counted {counted:.0f} J where its power adds up to "
            f"{integral:.0f} J: the counter is not believed"
        )


def host_joules(timeline: Timeline, series: Series, start: float, end: float) -> float | None:
    """Joules of one of the host's counters from `start` to `end`; `None` where it was not read throughout."""
    seconds, joules = timeline.of(series)
    try:
        _require_cover(seconds, start, end, series)
    except MeterError:
        return None
    before, after = np.interp([start, end], seconds, joules)
    return float(after - before)


def spent_between(timeline: Timeline, start: float, end: float) -> float:
    """Joules by the counters alone, summed over the GPUs: what a phase cost, for the ledger.

    A counter goes on counting while nobody reads it (a driver that loads a model answers late), so
    only the readings at both ends have to be there.

    Raises:
        MeterError: no counter, a reset or backward step, or no reading near an end.
    """
    gpus = timeline.gpu_indices()
    if not gpus:
        raise MeterError("no energy counter was read")
    for gpu in gpus:
        seconds, _ = timeline.of(Series.ENERGY_COUNTER_JOULES, gpu)
        for edge in (start, end):
            if len(seconds) == 0 or np.min(np.abs(seconds - edge)) > MAXIMUM_GAP_SECONDS:
                raise MeterError(f"energy counter of GPU {gpu} was not read near an end of the span")
    return sum(_increase(timeline, gpu, start, end) for gpu in gpus)


def parts_between(timeline: Timeline, edges: np.ndarray, outputs: np.ndarray) -> tuple[SubWindow, ...]:
    """The parts of a window between edges, seconds, with what came out in each.

    Raises:
        MeterError: as `spent_between`.
    """
    return tuple(
        SubWindow(outputs=round(count), counter_joules=spent_between(timeline, float(start), float(end)))
        for count, start, end in zip(outputs, edges[:-1], edges[1:], strict=True)
    )


def _summed(curves: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """(seconds, values) of a series summed over GPUs, at the first GPU's times while all were read."""
    seconds = curves[0][0]
    begin, end = max(at[0] for at, _ in curves), min(at[-1] for at, _ in curves)
    seconds = seconds[(seconds >= begin) & (seconds <= end)]
    return seconds, np.sum([np.interp(seconds, *curve) for curve in curves], axis=0)


def _counter_joules(timeline: Timeline, gpu: int, start: float, end: float) -> float:
    seconds, _ = timeline.of(Series.ENERGY_COUNTER_JOULES, gpu)
    _require_cover(seconds, start, end, f"energy counter of GPU {gpu}")
    return _increase(timeline, gpu, start, end)


def _increase(timeline: Timeline, gpu: int, start: float, end: float) -> float:
    seconds, joules = timeline.of(Series.ENERGY_COUNTER_JOULES, gpu)
    if np.any(np.diff(joules[_around(seconds, start, end)]) < 0):
        raise MeterError(
            f"energy counter of GPU {gpu} went backwards: it was reset or wrapped, or the GPU was replaced"
        )
    before, after = np.interp([start, end], seconds, joules)
    return float(after - before)


def _both_read(timeline: Timeline, gpu: int, start: float, end: float) -> list[tuple[float, float]]:
    """The parts of a span in which a GPU's power was sampled, with a reading of its counter at both ends.

    Inside, the counter may have been read less often: it goes on counting.
    """
    power, _ = timeline.of(Series.POWER_WATTS, gpu)
    counter, _ = timeline.of(Series.ENERGY_COUNTER_JOULES, gpu)
    parts = []
    for first, last in _read_throughout(power, start, end):
        dated = _read_throughout(counter, first, last)
        if dated:
            parts.append((dated[0][0], dated[-1][1]))
    return parts


def _read_throughout(seconds: np.ndarray, start: float, end: float) -> list[tuple[float, float]]:
    """The parts of a span without a gap of more than `MAXIMUM_GAP_SECONDS` between readings."""
    around = seconds[_around(seconds, start, end)]
    breaks = np.flatnonzero(np.diff(around) > MAXIMUM_GAP_SECONDS) + 1
    parts = [
        (max(start, float(part[0])), min(end, float(part[-1])))
        for part in np.split(around, breaks)
        if len(part)
    ]
    return [(first, last) for first, last in parts if first < last]


def _require_movement(timeline: Timeline, gpu: int, start: float, end: float) -> None:
    """Raise where a counter gains nothing for so long that a GPU that is switched on must have used some.

    Also where its driver says that it draws 0 W: such a driver does not read either.
    """
    seconds, joules = timeline.of(Series.ENERGY_COUNTER_JOULES, gpu)
    around = _around(seconds, start, end)
    read, joules = np.clip(seconds[around], start, end), joules[around]
    if len(read) < 2:
        return
    stands = (np.diff(joules) == 0) & (np.diff(read) <= MAXIMUM_GAP_SECONDS)
    if joules[0] == joules[-1]:
        stands[:] = True
    for still in np.split(read, np.flatnonzero(~stands) + 1):
        if still[-1] - still[0] > MAXIMUM_GAP_SECONDS:
            raise MeterError(
                f"energy counter of GPU {gpu} did not move for {still[-1] - still[0]:.1f} s: "
                "the counter is not believed"
            )


def _integral_joules(timeline: Timeline, gpu: int, start: float, end: float) -> float | None:
    """Trapezoid integral of the sampled power; `None` when power was not sampled throughout."""
    seconds, watts = timeline.of(Series.POWER_WATTS, gpu)
    try:
        _require_cover(seconds, start, end, f"power of GPU {gpu}")
    except MeterError:
        return None
    inside = (seconds > start) & (seconds < end)
    t = np.concatenate([[start], seconds[inside], [end]])
    w = np.interp(t, seconds, watts)
    return float(np.trapezoid(w, t))


def _highest_watts(timeline: Timeline, gpu: int, start: float, end: float) -> float:
    """The highest power sampled from just before `start` to just after `end`."""
    seconds, watts = timeline.of(Series.POWER_WATTS, gpu)
    near = (seconds >= start - MAXIMUM_GAP_SECONDS) & (seconds <= end + MAXIMUM_GAP_SECONDS)
    return float(np.max(watts[near], initial=0.0))


def _around(seconds: np.ndarray, start: float, end: float) -> slice:
    """The readings of a span, with the last one before it and the first one after it.

    The values at its edges are interpolated between these.
    """
    first = max(0, int(np.searchsorted(seconds, start, side="right")) - 1)
    last = int(np.searchsorted(seconds, end, side="left"))
    return slice(first, last + 1)


def _require_no_jump(timeline: Timeline, gpu: int, start: float, end: float, highest: float) -> None:
    """highest: power that the GPU has at most, W."""
    seconds, joules = timeline.of(Series.ENERGY_COUNTER_JOULES, gpu)
    around = _around(seconds, start, end)
    gained, lasted = np.diff(joules[around]), np.diff(seconds[around])
    jumps = gained > STEP * highest * (lasted + 2 * REFRESH_SECONDS)
    if np.any(jumps):
        raise MeterError(
            f"energy counter of GPU {gpu} jumped by {np.max(gained[jumps]):.0f} J between two readings, more "
            f"than its power of at most {highest:.0f} W allows: the counter is not believed"
        )


def _require_cover(seconds: np.ndarray, start: float, end: float, what: str) -> None:
    if len(seconds) < 2 or seconds[0] > start or seconds[-1] < end:
        raise MeterError(f"{what} was not read throughout the window")
    around = seconds[(seconds >= start - MAXIMUM_GAP_SECONDS) & (seconds <= end + MAXIMUM_GAP_SECONDS)]
    if len(around) < 2 or np.max(np.diff(around)) > MAXIMUM_GAP_SECONDS:
        raise MeterError(f"{what} was not read for more than {MAXIMUM_GAP_SECONDS:g} s inside the window")
