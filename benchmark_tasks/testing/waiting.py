"""Waiting for something observable, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_SHORTEST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.5
_PART_OF_THE_WAIT = 0.1


def until(condition: Callable[[], T | None], seconds: float = 30.0, what: str = "the condition") -> T:
    """The first true value of `condition()`.

    It is asked at once, then less and less often: a pause is a tenth of the wait so far, at most half a
    second. To ask an API server or to read the process table takes the time of those that are waited for.

    Raises:
        TimeoutError: it stayed false for `seconds`.
    """
    began = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - began
        if waited > seconds:
            raise TimeoutError(f"{what} did not come true within {seconds:g} s")
        time.sleep(min(max(waited * _PART_OF_THE_WAIT, _SHORTEST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS))
    return value
