"""How a task fails: one line in its log, and a retry only where one can help.

Every try costs the start of a server, and a failed run is recorded with its log anyway. So a task is tried
again only after an error that is known to pass: a busy GPU, port or publisher, an index that did not answer.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowException

from benchmark_tasks.errors import (
    ERROR_PREFIX,
    INFEASIBLE,
    TRY_AGAIN,
    JouleboardError,
    of_this_machine,
    one_line,
)

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol as RuntimeTaskInstance

log = logging.getLogger("airflow.task")

ERROR_KEY = "error"
"""XCom key of the line that a task failed with."""


class StepFailed(AirflowException):
    """A task failed, and would fail again in the same way."""


class DoesNotFit(StepFailed):
    """The configuration does not fit the device: recorded as infeasible, never retried."""


class TemporaryFailure(StepFailed):
    """A task failed for a reason that may soon be gone; it is tried again."""


RETRIES: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(minutes=2),
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule(
                exception=f"{TemporaryFailure.__module__}.{TemporaryFailure.__qualname__}",
                action=RetryAction.RETRY,
            ),
        ],
        default=RetryAction.FAIL,
    ),
}
"""Arguments of every task that measures, plans or publishes."""


def failure(message: str, exit_code: int) -> StepFailed:
    """The exception for a command that ended with `exit_code`, or for an error that has that exit code."""
    kinds = {INFEASIBLE: DoesNotFit, TRY_AGAIN: TemporaryFailure}
    return kinds.get(exit_code, StepFailed)(message)


@contextmanager
def one_line_errors(ti: RuntimeTaskInstance | None = None) -> Iterator[None]:
    """Log an error that people are to read as one line, and fail the task with that line.

    ti: the task; the line is pushed to XCom under `error`, for the verdict and the tab in the UI.

    Raises:
        DoesNotFit, TemporaryFailure, StepFailed: for a `JouleboardError`, or a file that cannot be used.
    """
    try:
        yield
    except (JouleboardError, OSError) as error:
        line = of_this_machine(error) if isinstance(error, OSError) else one_line(error)
        if line is None:
            raise
        # Names in it come from forms and bundles.
        log.error("%s%s", ERROR_PREFIX, line)
        if ti is not None:
            ti.xcom_push(key=ERROR_KEY, value=line)
        raise failure(line, getattr(error, "exit_code", 1)) from error
