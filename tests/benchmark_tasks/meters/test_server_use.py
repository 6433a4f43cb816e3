"""Counters of a model server over a window, by hand; and the processor time of a real process tree."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from benchmark_tasks.meters.meter import Reading, Timeline
from benchmark_tasks.meters.server_use import gained, preprocessing_ms
from benchmark_tasks.results.schema import Window
from benchmark_tasks.results.tables import Series
from benchmark_tasks.runtimes.cpu import cpu_seconds
from benchmark_tasks.runtimes.kinds import kind_of
from benchmark_tasks.runtimes.metrics import parse_metrics
from benchmark_tasks.testing.waiting import until

VLLM = kind_of("vllm").server
WINDOW = Window(settled=True, start_seconds=10.0, end_seconds=40.0)


def timeline(**counters: Sequence[float]) -> Timeline:
    """Counters read every 10 s, from 0 s on."""
    readings = [
        Reading(Series(name), None, int(i * 10e9), value)
        for name, values in counters.items()
        for i, value in enumerate(values)
    ]
    return Timeline.from_readings(readings, 0)


def test_a_counter_is_interpolated_at_the_edges() -> None:
    rising = timeline(server_cpu_seconds=[0, 20, 40, 60, 100, 100])
    assert gained(rising, Series.SERVER_CPU_SECONDS, WINDOW) == 80
    early = WINDOW.model_copy(update={"start_seconds": 5.0, "end_seconds": 35.0})
    assert gained(rising, Series.SERVER_CPU_SECONDS, early) == 70


@pytest.mark.parametrize("values", [[], [0, 1], [5, 6, 7, 1, 2]])
def test_a_counter_that_was_not_read_throughout_or_was_reset_says_nothing(values: list[float]) -> None:
    assert gained(timeline(server_cpu_seconds=values), Series.SERVER_CPU_SECONDS, WINDOW) is None


def test_preparing_is_what_a_request_spends_outside_the_engine() -> None:
    """30 requests took 90 s in all, 6 s in the queue and 78 s in the engine: 6 s are left, 200 ms each."""
    counters = {
        "finished_requests": [0, 10, 20, 30, 40],
        "request_seconds": [0, 30, 60, 90, 120],
        "queue_seconds": [0, 2, 4, 6, 8],
        "inference_seconds": [0, 26, 52, 78, 104],
    }
    assert preprocessing_ms(timeline(**counters), WINDOW) == pytest.approx(200.0)
    nothing_ended = counters | {"finished_requests": [7, 7, 7, 7, 7]}
    assert preprocessing_ms(timeline(**nothing_ended), WINDOW) is None
    del counters["queue_seconds"]
    assert preprocessing_ms(timeline(**counters), WINDOW) is None


def test_the_histograms_are_read_as_vllm_writes_them() -> None:
    text = (
        'vllm:e2e_request_latency_seconds_bucket{le="0.1",engine="0"} 3.0\n'
        'vllm:e2e_request_latency_seconds_count{engine="0"} 4.0\n'
        'vllm:e2e_request_latency_seconds_sum{engine="0"} 1.5\n'
        'vllm:e2e_request_latency_seconds_sum{engine="1"} 0.5\n'
        'vllm:mm_cache_hits_total{engine="0"} 0.0\n'
        'vllm:mm_cache_hits_created{engine="0"} 1.7e+09\n'
    )
    found = {reading.series: reading.value for reading in parse_metrics(text, 0, VLLM.metrics)}
    assert found == {
        Series.FINISHED_REQUESTS: 4.0,
        Series.REQUEST_SECONDS: 2.0,
        Series.MULTIMODAL_CACHE_HITS: 0.0,
    }


def test_processor_time_is_that_of_all_processes_and_of_those_before_the_engine() -> None:
    """A parent that works, and a child that works and calls itself what vLLM's engine does."""
    work = "sum(i * i for i in range(3_000_000)); print('done', flush=True); sys.stdin.read()"
    engine = f"import sys; open('/proc/self/comm', 'w').write('VLLM::EngineCor'); {work}"
    parent = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {engine!r}], stdin=subprocess.PIPE)\n"
        f"{work}\nchild.stdin.close(); child.wait()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert [process.stdout.readline() for _ in range(2)] == ["done\n"] * 2
        used = cpu_seconds(process.pid, VLLM.engine_titles)
        assert used is not None
        total, frontend = used
        assert 0 < frontend < total
    finally:
        process.stdin.close()
        process.wait(30)
    assert cpu_seconds(process.pid, VLLM.engine_titles) is None


def test_what_an_engine_starts_belongs_to_it() -> None:
    """A compiler's seconds count with the engine while it runs as they do once it has ended."""
    compiler = "import sys; sum(i * i for i in range(3_000_000)); print('done', flush=True); sys.stdin.read()"
    engine = (
        "import subprocess, sys\n"
        "open('/proc/self/comm', 'w').write('VLLM::EngineCor')\n"
        f"subprocess.run([sys.executable, '-c', {compiler!r}])\n"
        "print('waited', flush=True); sys.stdin.read()"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {engine!r}], stdin=sys.stdin)"
    process = subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "done\n"
        used = cpu_seconds(process.pid, VLLM.engine_titles)
        assert used is not None
        total, frontend = used
        assert frontend < total / 2
    finally:
        process.stdin.close()
        assert process.stdout.readline() == "waited\n"
        process.wait(30)


def test_a_server_without_engine_processes_has_a_sum_only() -> None:
    total, frontend = until(lambda: cpu_seconds(os.getpid(), VLLM.engine_titles))
    assert total > 0 and frontend is None
