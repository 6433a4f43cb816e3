"""When a component counts as hanging, and when it is started again: by numbers, without a process."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from jouleboard_airflow.platform.watch import (
    CANNOT_START,
    LONGEST_DELAY_SECONDS,
    WELL_SECONDS,
    Patience,
    Verdict,
    Watch,
)

T0 = datetime(2026, 11, 28, tzinfo=UTC)


def beat(number: int) -> datetime:
    return T0 + timedelta(seconds=number)


def watched(at: float = 0.0) -> Watch:
    return Watch(Patience(at_work_seconds=90, at_start_seconds=180), looked_at=at)


def looks(watch: Watch, seconds: range, seen: datetime | None) -> list[Verdict]:
    return [watch.look(alive=True, beat=seen, now=float(now)) for now in seconds]


def test_a_component_without_a_new_heartbeat_is_silent_and_then_hangs() -> None:
    watch = watched()
    assert watch.look(alive=True, beat=beat(1), now=5) is Verdict.WORKS
    verdicts = looks(watch, range(10, 105, 5), beat(1))
    assert verdicts[:6] == [Verdict.WORKS] * 6
    assert set(verdicts[6:-1]) == {Verdict.SILENT}
    assert verdicts[-1] is Verdict.HANGS
    assert watch.look(alive=True, beat=beat(2), now=105) is Verdict.WORKS


def test_a_start_may_take_longer_and_the_heartbeat_of_the_process_before_does_not_count() -> None:
    watch = watched()
    watch.look(alive=True, beat=beat(1), now=5)
    assert watch.look(alive=False, beat=beat(1), now=10) is Verdict.ENDED
    watch.started(10, beat(1))
    assert set(looks(watch, range(15, 190, 5), beat(1))) == {Verdict.STARTS}
    assert watch.look(alive=True, beat=beat(1), now=200) is Verdict.HANGS


@pytest.mark.parametrize("stop", [3600.0, 86400.0 * 30])
def test_time_in_which_nobody_looked_is_not_silence(stop: float) -> None:
    """The supervisor itself was stopped, or the machine was suspended."""
    watch = watched()
    watch.look(alive=True, beat=beat(1), now=5)
    assert watch.look(alive=True, beat=beat(1), now=5 + stop) is not Verdict.HANGS


def test_what_cannot_be_known_is_not_silence() -> None:
    watch = watched()
    watch.look(alive=True, beat=beat(1), now=5)
    for now in range(10, 600, 5):
        watch.pause(float(now))
        assert watch.look(alive=True, beat=None, now=float(now)) is Verdict.WORKS


def test_a_clock_that_was_set_back_changes_nothing() -> None:
    watch = watched()
    watch.look(alive=True, beat=beat(1000), now=5)
    assert watch.look(alive=True, beat=beat(3), now=10) is Verdict.WORKS


def test_starts_in_vain_become_rare_but_never_end() -> None:
    watch, now = watched(), 0.0
    times: list[float] = []
    while len(times) < CANNOT_START + 3:
        now += 1
        if watch.look(alive=False, beat=None, now=now) is Verdict.ENDED and watch.may_start(now):
            watch.started(now, None)
            times.append(now)
    delays = [after - before for before, after in itertools.pairwise(times)]
    assert delays == [5, 10, 20, 40, *[LONGEST_DELAY_SECONDS] * 3]
    assert watch.cannot_start


def test_after_a_minute_at_work_the_next_end_is_a_new_one() -> None:
    watch = watched()
    watch.started(0, None)
    watch.look(alive=True, beat=beat(1), now=5)
    watch.look(alive=True, beat=beat(2), now=5 + WELL_SECONDS - 1)
    assert watch.starts == 1
    watch.look(alive=True, beat=beat(3), now=5 + WELL_SECONDS)
    assert watch.starts == 0
