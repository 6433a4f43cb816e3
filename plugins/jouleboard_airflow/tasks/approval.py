"""The operator that asks a person."""

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
"""Name of the task that asks, in every DAG that has one."""

HOURS = "answer_within_hours"
"""The DAG's parameter that says how long a question stays open."""

ANSWER = "answer"
"""Where a person's answer is kept: `{"approved": ..., "who": ..., "why": ...}`."""

WHY = {"why": Param(None, type=["null", "string"], title="Why", description="Kept with the answer.")}
"""What a person may add to the answer."""

ASKS_AGAIN: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=5)}
"""Airflow loses an answer that comes within a second of the question, and fails the task: ask again."""


def hours_to_answer() -> Param:
    """The form's field `HOURS`."""
    return Param(
        24,
        type="number",
        exclusiveMinimum=0,
        maximum=24 * 14,
        title="Hours to answer",
        description="How long a question stays open. No answer is Reject.",
    )


class AskApproval(ApprovalOperator):
    """Ask for approval of what `asking["question"]` says; skipped when there is no question.

    No answer within the DAG's parameter `answer_within_hours` counts as Reject, so that an open
    question holds up later runs for so long at most.

    asking: what the task before it returned. It never goes through a template: names in it come from bundles.
    """

    template_fields = ("asking",)

    def __init__(self, *, asking: Any, **kwargs: Any) -> None:
        super().__init__(subject="", defaults=self.REJECT, **kwargs)
        self.asking: Mapping[str, Any] = asking

    def execute(self, context: Context) -> Any:
        """Put the question and park the task, which occupies no worker while it waits."""
        question = self.asking.get("question")
        if question is None:
            raise AirflowSkipException("nothing to ask")
        self.subject, self.body = question["subject"], question["body"]
        self.response_timeout = timedelta(hours=context["params"][HOURS])
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Keep the answer, then let what follows run or be skipped."""
        # A rejection leaves this method by an exception, and its return value with it.
        context["ti"].xcom_push(key=ANSWER, value=_answer(event))
        return super().execute_complete(context, event)


def _answer(event: Mapping[str, Any]) -> dict[str, Any]:
    """What was answered, by whom (None when time ran out) and why, in one line."""
    user = event.get("responded_by_user") or {}
    why = (event.get("params_input") or {}).get("why")
    approved = AskApproval.APPROVE in event["chosen_options"]
    return {
        "approved": approved,
        "who": user.get("name") or user.get("id"),
        "why": " ".join(str(why).split()) if why else None,
    }
