"""What the forms of the DAGs refuse before anything runs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

NO_VERSIONS = (
    "1.0; touch pwned",
    "$(touch pwned)",
    "../../../../tmp/pwned",
    "--index-url=http://127.0.0.1:9/",
    "1.0\n--extra-index-url http://127.0.0.1:9/",
    "{{ conn.warehouse.password }}",
    "<script>alert(1)</script>",
    "",
)


@pytest.mark.parametrize("text", NO_VERSIONS)
@pytest.mark.parametrize(
    ("dag_id", "field"),
    [
        ("benchmark_release", "version"),
        ("benchmark_on_demand", "version"),
        ("benchmark_on_demand", "model"),
        ("benchmark_on_demand", "task"),
        ("benchmark_on_demand", "gpu_model"),
        ("benchmark_on_demand", "batch_sizes"),
        ("watch_releases", "vllm_floor"),
    ],
)
def test_a_version_is_a_version(dags: dict[str, Any], dag_id: str, field: str, text: str) -> None:
    params = copy.deepcopy(dags[dag_id].params)
    with pytest.raises(ParamValidationError):
        params[field] = text


@pytest.mark.parametrize("hours", [0, -1, 24 * 15, "soon"])
def test_a_question_ends(dags: dict[str, Any], hours: Any) -> None:
    params = copy.deepcopy(dags["refresh_leaderboard"].params)
    with pytest.raises(ParamValidationError):
        params["answer_within_hours"] = hours
