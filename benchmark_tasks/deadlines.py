"""A limit for a whole answer: the limits of HTTP clients hold for each part of it that arrives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


MOST_LATE = 4
"""So many calls of one kind may be late at once; before one of them has ended, no other is begun."""

_late: dict[str, list[threading.Thread]] = {}


def within(seconds: float, call: Callable[[], T], whom: str) -> T:
    """What a call returns or raises, if it does so within `seconds`. whom: is asked, such as an address.

    A call that takes longer goes on in a thread of its own, with its connection; that does not keep the
    process from ending.

    Raises:
        TimeoutError: it takes longer, or too many earlier ones of the same go on.
    """
    late = [thread for thread in _late.pop(whom, ()) if thread.is_alive()]
    if late:
        _late[whom] = late
    if len(late) >= MOST_LATE:
        raise TimeoutError(f"{len(late)} earlier answers have not ended")
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001  raised below, where it was called
            answer.set_exception(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not answer.done():
        _late.setdefault(whom, []).append(thread)
        raise TimeoutError(f"no whole answer within {seconds:g} s")
    return answer.result()
