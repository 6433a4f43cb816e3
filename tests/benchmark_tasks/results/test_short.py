"""What planning reads of a record is what the whole record says."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from benchmark_tasks.plan.landed import Landed, _requests_per_second
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.short import Shortener
from benchmark_tasks.results.store import Store
from benchmark_tasks.results.summary import gpu_uuids
from benchmark_tasks.testing.samples import sample_run, write_sample
from expectations.history import recheck

RECORDED = Path(__file__).parents[3] / "recorded_runs"


@pytest.fixture(scope="module")
def whole() -> list[Run]:
    """Every recorded run: closed and open loops, images, failures, one GPU and several."""
    return [bundle.read_record(path.parent) for path in sorted(RECORDED.glob("*/*/run.json"))]


def test_planning_gets_the_same_from_short_records(whole: list[Run]) -> None:
    shortener = Shortener()
    short = [shortener.short(run) for run in whole]
    assert vars(Landed(short)) == vars(Landed(whole))
    for own, run in zip(short, whole, strict=True):
        assert own.run_id == run.run_id and gpu_uuids(own) == gpu_uuids(run)
        assert _requests_per_second(own) == _requests_per_second(run)
        assert sum(phase.seconds for phase in own.phases) == sum(phase.seconds for phase in run.phases)
        if recheck._settled(run):
            assert recheck._measured(own) == recheck._measured(run)


def test_what_was_left_out_is_an_error_and_not_nothing() -> None:
    short = Shortener().short(sample_run())
    assert short.window_steady is not None
    left_out = ((short, "latency"), (short.provenance, "host"), (short.window_steady, "sub_windows"))
    for record, name in left_out:
        with pytest.raises(AttributeError, match=name):
            getattr(record, name)


def test_short_records_of_one_server_take_less_than_a_fifth_of_the_memory(tmp_path: Path) -> None:
    """Each is read from its own file, so that nothing is shared by chance."""
    store = Store(tmp_path)
    for _ in range(20):
        run = sample_run()
        place = store.path_of(run)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_sample(tmp_path / ".src", run).rename(place)

    def taken(short: bool) -> int:
        tracemalloc.start()
        kept = store.records() if short else store.listing()
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert len(kept.runs) == 20
        return size

    taken(short=True)  # what is made once
    assert taken(short=True) * 5 < taken(short=False)
