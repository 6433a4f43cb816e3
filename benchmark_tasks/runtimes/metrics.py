"""A server's metrics page (Prometheus), read by the library of those who define the format."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from statistics import fmean

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus_text
from prometheus_client.samples import Sample

from benchmark_tasks.meters.meter import Reading
from benchmark_tasks.runtimes.kinds import Metric, OverEngines

ACCEPT = "text/plain;version=0.0.4, text/plain;q=0.9, */*;q=0.1"
"""Asks for the plain format: it is parsed line by line, so that most of a page need not be."""

_OPENMETRICS_END = "# EOF"
_EXEMPLAR = re.compile(r""" # \{(\w+="([^"\\]|\\.)*",?)*\} [^\s"]+( [^\s"]+)?\s*$""")
_COMBINED: Mapping[OverEngines, Callable[[Sequence[float]], float]] = {
    OverEngines.SUM: sum,
    OverEngines.MEAN: fmean,
    OverEngines.MAX: max,
}


def parse_metrics(text: str, at_ns: int, metrics: Mapping[str, Metric]) -> list[Reading]:
    """The series of interest, one reading each for the whole server.

    A series of which any engine's value cannot be read, or is not finite, is left out: a sum that lacks an
    engine would be wrong.
    """
    values: dict[str, list[float]] = {}
    for name, value in _each_once(_samples(text, frozenset(metrics))):
        values.setdefault(name, []).append(value)
    readings = []
    for name, metric in metrics.items():
        spelling = next((other for other in _spellings(name) if other in values), None)
        if spelling is not None:
            combined = _COMBINED[metric.over_engines](values[spelling])
            if math.isfinite(combined):
                readings.append(Reading(metric.series, None, at_ns, combined))
    return readings


def total_of(text: str, names: Iterable[str]) -> float:
    """The sum of some counters over all engines; what is not on the page counts nothing."""
    wanted = {spelling for name in names for spelling in _spellings(name)}
    samples = _each_once(_samples(text, frozenset(names)))
    return sum(value for name, value in samples if name in wanted and math.isfinite(value))


def _each_once(samples: Iterable[Sample]) -> list[tuple[str, float]]:
    """Name and value of each series: one that a page repeats, with the same labels, counts once.

    Where the two differ, nobody knows which one is right: NaN.
    """
    values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for sample in samples:
        key, value = (sample.name, frozenset(sample.labels.items())), float(sample.value)
        values[key] = value if values.get(key, value) == value else math.nan
    return [(name, value) for (name, _), value in values.items()]


def _samples(text: str, names: frozenset[str]) -> Iterable[Sample]:
    """What a page says of some metrics."""
    if text.rstrip().endswith(_OPENMETRICS_END):
        try:
            return [sample for family in openmetrics(text) for sample in family.samples]
        except ValueError:
            pass  # stricter than many servers are; its lines are those of the plain format
    relevant = _relevant(names)
    return [sample for line in text.splitlines() if relevant.search(line) for sample in _of_line(line)]


def _of_line(line: str) -> list[Sample]:
    """The sample on a line, without an exemplar; NaN where its value cannot be read."""
    try:
        return [sample for family in prometheus_text(_without_exemplar(line)) for sample in family.samples]
    except ValueError:
        name = re.split(r"[{\s]", line.strip(), maxsplit=1)[0]
        return [] if line.startswith("#") else [Sample(name, {}, float("nan"))]


def _without_exemplar(line: str) -> str:
    """A sample line without `# {trace_id="..."} 0.5`, which only OpenMetrics knows."""
    return _EXEMPLAR.sub("", line)


@cache
def _relevant(names: frozenset[str]) -> re.Pattern[str]:
    """Finds lines on which one of the metrics may be."""
    cores = {re.escape(_core(name)) for name in names}
    return re.compile("|".join(sorted(cores)) or r"(?!)")


@cache
def _spellings(name: str) -> tuple[str, ...]:
    """How servers, and what stands before them, may write a metric's name; the declared one first."""
    short = name.partition(":")[2] or name
    bases = [name, name.replace(":", "_"), short]
    ends = [base.removesuffix("_total") for base in bases]
    return tuple(dict.fromkeys([*bases, *ends, *(f"{end}_total" for end in ends)]))


def _core(name: str) -> str:
    return (name.partition(":")[2] or name).removesuffix("_total")
