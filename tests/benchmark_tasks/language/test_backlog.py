"""Whether a backlog grows, by numbers that can be counted by hand and by simulated servers."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark_tasks.client.arrivals import OpenLoop
from benchmark_tasks.language.backlog import Backlog, backlog_between


def served(rate: float, slots: int, seconds: float, *, burstiness: float = 1.0, seed: int = 0) -> Backlog:
    """A server of `slots` that answers each request in 1 s, first come, first served; its last half."""
    arrivals = OpenLoop(rate, burstiness).arrivals_seconds(seed)
    sent, ended, free = [], [], [0.0] * slots
    for at in arrivals:
        if at > seconds:
            break
        slot = int(np.argmin(free))
        free[slot] = max(free[slot], at) + 1.0
        sent.append(at)
        ended.append(free[slot])
    return backlog_between(np.array(sent), np.array(ended), seconds / 2, seconds, burstiness)


def test_a_backlog_can_be_counted_by_hand() -> None:
    sent, ended = np.array([0.0, 10.0, 20.0, 25.0]), np.array([5.0, 40.0, 24.0, 60.0])
    seen = backlog_between(sent, ended, 9.0, 39.0, 1.0)
    assert seen.arrived == 3 and seen.busy_share == pytest.approx(29 / 30)
    assert seen.mean == pytest.approx((29 + 4 + 14) / 30)
    first, last = 9 / 10, 20 / 10
    assert seen.growth_per_second == pytest.approx((last - first) / 20)
    assert seen.growth_share == pytest.approx((last - first) / 20 * 30 / 3)


def test_without_requests_nothing_grows() -> None:
    none = np.array([])
    assert backlog_between(none, none, 0.0, 10.0, 1.0) == Backlog(0, 0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("rate", "burstiness"), [(2.0, 1.0), (10.0, 1.0), (16.0, 1.0), (10.0, 0.5), (16.0, 4.0)]
)
def test_a_server_that_keeps_up_is_said_to(rate: float, burstiness: float, seed: int) -> None:
    assert not served(rate, 20, 200, burstiness=burstiness, seed=seed).grows


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("rate", [24.0, 30.0, 60.0])
def test_a_server_that_does_not_is_known_by_its_backlog(rate: float, seed: int) -> None:
    seen = served(rate, 20, 200, seed=seed)
    assert seen.grows
    assert seen.growth_per_second == pytest.approx(rate - 20, rel=0.4)


def test_behind_a_jam_the_backlog_falls() -> None:
    sent = np.sort(np.concatenate([np.zeros(100), np.arange(0, 60, 0.5)]))
    ended = np.maximum(sent + 1, 1 + np.arange(len(sent)) / 4)
    seen = backlog_between(sent, ended, 0.5, 55.0, 1.0)
    assert seen.falls and not seen.grows
