"""How a task fails: one line in its log, and a retry only where one can help.

Every try costs a server start, and a failed run is recorded with its log anyway: so nothing is
retried but what is known to pass (a busy GPU, port or publisher, an index that did not answer).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowException

from benchmark_tasks.errors import INFEASIBLE, TRY_AGAIN, JouleboardError, one_line

log = logging.getLogger("airflow.task")

ERROR_PREFIX = "error: "
"""Starts the one line that says what went wrong, in task logs as on the command line."""


class StepFailed(AirflowException):
    """A step failed in a way that the same step will fail again."""


class DoesNotFit(StepFailed):
    """The configuration does not fit the device: recorded as infeasible, never retried."""


class PassingTrouble(StepFailed):
    """What may well work a little later."""


RETRIES: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(minutes=2),
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule(
                exception=f"{PassingTrouble.__module__}.{PassingTrouble.__qualname__}",
                action=RetryAction.RETRY,
            ),
        ],
        default=RetryAction.FAIL,
    ),
}
"""Arguments of every task that measures, plans or publishes. The watcher simply comes again in an hour."""


def failure(message: str, exit_code: int) -> StepFailed:
    """The exception for a command that ended with `exit_code`, or an error that has one."""
    kinds = {INFEASIBLE: DoesNotFit, TRY_AGAIN: PassingTrouble}
    return kinds.get(exit_code, StepFailed)(message)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Log an error that a person is meant to read as the one line it is, and fail the task with it."""
    try:
        yield
    except JouleboardError as error:
        line = one_line(error)  # names in it come from forms and bundles
        log.error("%s%s", ERROR_PREFIX, line)
        raise failure(line, error.exit_code) from error
