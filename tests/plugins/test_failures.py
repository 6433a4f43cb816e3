"""What is retried, and how a failure reads."""

from __future__ import annotations

import pytest
from airflow.sdk import RetryAction

from benchmark_tasks import errors
from jouleboard_airflow.failures import (
    RETRIES,
    DoesNotFit,
    StepFailed,
    TemporaryFailure,
    one_line_errors,
)


@pytest.mark.parametrize(
    ("error", "raised", "action"),
    [
        (errors.OutOfMemory("too big"), DoesNotFit, RetryAction.FAIL),
        (errors.GpuBusy("another measurement holds it"), TemporaryFailure, RetryAction.RETRY),
        (errors.IndexUnreachable("no answer"), TemporaryFailure, RetryAction.RETRY),
        (errors.ServerDied("it ended"), StepFailed, RetryAction.FAIL),
        (errors.GateRefused("the gate refused"), StepFailed, RetryAction.FAIL),
    ],
)
def test_only_what_passes_is_retried(
    error: errors.JouleboardError,
    raised: type[Exception],
    action: RetryAction,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(StepFailed) as caught, one_line_errors():
        raise error
    assert type(caught.value) is raised
    assert RETRIES["retry_policy"].evaluate(caught.value, 1, 2).action is action
    assert f"error: {error}" in [record.getMessage() for record in caplog.records]


def test_an_unexpected_error_is_not_dressed_up() -> None:
    with pytest.raises(ZeroDivisionError), one_line_errors():
        1 / 0  # noqa: B018
