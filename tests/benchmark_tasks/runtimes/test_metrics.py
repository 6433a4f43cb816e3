"""A server's metrics page as servers write it: each metric for the whole server, or not read at all."""

from __future__ import annotations

import pytest

from benchmark_tasks.results.tables import Series
from benchmark_tasks.runtimes.kinds import kind_of
from benchmark_tasks.runtimes.metrics import parse_metrics, total_of

METRICS = kind_of("vllm").server.metrics
COUNTER = "vllm:generation_tokens_total"


def read(text: str) -> dict[Series, float]:
    return {reading.series: reading.value for reading in parse_metrics(text, 0, METRICS)}


def test_each_metric_has_its_own_rule_over_engines_and_others_are_ignored() -> None:
    text = (
        "# HELP vllm:num_requests_running Number\n"
        'vllm:num_requests_running{engine="0",model_name="m"} 3.0\n'
        'vllm:num_requests_running{engine="1",model_name="m"} 4.0\n'
        'vllm:num_requests_running_by_reason{reason="x"} 9.0\n'
        'vllm:kv_cache_usage_perc{engine="0"} 0.8\n'
        'vllm:kv_cache_usage_perc{engine="1"} 0.4\n'
        'vllm:generation_tokens_total{engine="0"} 5\n'
        'vllm:generation_tokens_total{engine="1"} 6\n'
    )
    assert read(text) == pytest.approx(
        {Series.RUNNING_REQUESTS: 7.0, Series.KV_CACHE_USAGE: 0.6, Series.GENERATED_TOKENS: 11}
    )


@pytest.mark.parametrize("unreadable", ["soon", "", "NaN", "+Inf", "1 2 3 4 soon"])
def test_a_sum_that_lacks_an_engine_is_left_out(unreadable: str) -> None:
    text = f'{COUNTER}{{engine="0"}} 3\n{COUNTER}{{engine="1"}} {unreadable}\nvllm:num_requests_running 2\n'
    assert read(text) == {Series.RUNNING_REQUESTS: 2.0}
    assert total_of(text, [COUNTER]) == 3


@pytest.mark.parametrize(
    "line",
    [
        f"{COUNTER} 17",
        f"{COUNTER} 1.7e+01 1520879607789",
        f'{COUNTER}{{engine="0"}} 17 # {{trace_id="k"}} 0.5 1520879607.789',
        f'{COUNTER} 17 # {{trace_id="k"}} 0.5',
        f'{COUNTER}{{model="a\\"}}\\n # {{b",engine="0",}}  17',
        f'  {COUNTER}  {{engine = "0"}}  17  ',
        "vllm:generation_tokens 17",
        "vllm_generation_tokens_total 17",
        "generation_tokens_total 17",
    ],
)
def test_time_stamps_exemplars_escapes_and_other_spellings_do_not_change_a_value(line: str) -> None:
    assert read(line + "\n") == {Series.GENERATED_TOKENS: 17.0}


def test_openmetrics_is_read_too_and_when_it_breaks_its_rules() -> None:
    strict = (
        "# TYPE vllm:generation_tokens counter\n"
        'vllm:generation_tokens_total{engine="0"} 17.0 1520879607.789 # {trace_id="k"} 0.5\n'
        'vllm:generation_tokens_created{engine="0"} 1.5e9\n'
        "# EOF\n"
    )
    assert read(strict) == {Series.GENERATED_TOKENS: 17.0}
    loose = strict.replace(
        "# TYPE vllm:generation_tokens counter\n", "# TYPE x histogram\nx_count 1\nx_sum 1\n"
    )
    assert read(loose) == {Series.GENERATED_TOKENS: 17.0}


def test_the_declared_name_is_not_added_to_another_spelling_of_it() -> None:
    assert read(f"{COUNTER} 17\nvllm:generation_tokens 17\n") == {Series.GENERATED_TOKENS: 17.0}


def test_a_page_that_is_none_says_nothing() -> None:
    assert read("<html>generation_tokens_total</html>") == {}
    assert total_of("", [COUNTER]) == 0


def test_a_series_that_a_page_repeats_counts_once() -> None:
    """As a proxy that joins two pages of one server writes it."""
    line = f'{COUNTER}{{engine="0",model_name="m"}} 10\n'
    assert read(line + line) == {Series.GENERATED_TOKENS: 10}
    assert total_of(line + line, [COUNTER]) == 10
    swapped = f'{COUNTER}{{model_name="m",engine="0"}} 10\n'
    assert read(line + swapped) == {Series.GENERATED_TOKENS: 10}


def test_a_series_that_a_page_repeats_with_another_value_is_not_known() -> None:
    page = f'{COUNTER}{{engine="0"}} 10\n{COUNTER}{{engine="0"}} 12\n'
    assert read(page) == {}
