"""The operator that asks a person, and the fields of its form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context

ASK_TASK = "ask_a_person"
"""Id of the task that asks, in every DAG that has one."""

ASK_FIRST_TASK = "ask_before_canaries"
"""Id of the task of `benchmark_release` that asks before canaries are measured."""

HOURS = "answer_within_hours"
"""The DAG's parameter that says how long a question stays open."""

ANSWER = "answer"
"""XCom key of the answer: `{"approved": ..., "who": ..., "why": ...}`."""

WHY = {
    "why": Param(None, type=["null", "string"], title="Why", description="Reason; stored with the answer.")
}
"""The field that a person may fill in with the answer."""

ASKS_AGAIN: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=5)}
"""Airflow loses an answer within a second of the question, and fails the task: it asks again."""


def hours_to_answer() -> Param:
    """The field of the form that says how long a question stays open."""
    return Param(
        24,
        type="number",
        exclusiveMinimum=0,
        maximum=24 * 14,
        title="Hours to answer",
        description="How long the question stays open. No answer in time counts as Reject.",
    )


class AskApproval(ApprovalOperator):
    """Ask for approval of `asking["question"]`; skipped if there is no question.

    No answer within the DAG's parameter `answer_within_hours` counts as Reject, so that an open question
    delays later runs only for that time.

    Args:
        asking: result of the task before it. It is never rendered as a template, as names come from bundles.
    """

    template_fields = ("asking",)

    def __init__(self, *, asking: Any, **kwargs: Any) -> None:
        super().__init__(subject="", defaults=self.REJECT, **kwargs)
        self.asking: Mapping[str, Any] = asking

    def execute(self, context: Context) -> Any:
        """Ask the question and defer the task, which uses no worker while it waits.

        Raises:
            AirflowSkipException: there is no question.
        """
        question = self.asking.get("question")
        if question is None:
            raise AirflowSkipException("nobody needs to be asked")
        self.subject, self.body = question["subject"], question["body"]
        self.response_timeout = timedelta(hours=context["params"][HOURS])
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Store the answer, then let the next tasks run or skip them."""
        # After a rejection this method raises, and its return value is lost.
        context["ti"].xcom_push(key=ANSWER, value=_answer(event))
        return super().execute_complete(context, event)


def _answer(event: Mapping[str, Any]) -> dict[str, Any]:
    """The answer, who gave it (None if nobody did in time), and why, in one line."""
    user = event.get("responded_by_user") or {}
    why = (event.get("params_input") or {}).get("why")
    approved = AskApproval.APPROVE in event["chosen_options"]
    return {
        "approved": approved,
        "who": user.get("name") or user.get("id"),
        "why": " ".join(str(why).split()) if why else None,
    }
