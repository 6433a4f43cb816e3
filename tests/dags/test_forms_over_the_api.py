"""Forms over the API: an impossible one is refused with its fields; all others reach Airflow as they came."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from jouleboard_airflow.ui import forms

SANA = "Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers"


@pytest.fixture
def app(dags: dict[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """An API that makes runs of what reaches it; `app.state.runs`: the bodies.

    The DAGs are written to the database again: `dag.test()` of another test leaves those of its own fleet,
    and Airflow itself does not write a DAG twice within 30 s.
    """
    from airflow.models.dagbag import DBDagBag
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG

    for dag in dags.values():
        SerializedDagModel.write_dag(LazyDeserializedDAG.from_dag(dag), "dags-folder")
    app = FastAPI()
    app.add_middleware(forms.FormCheck)
    app.state.dag_bag, app.state.runs, app.state.may_trigger = DBDagBag(), [], True

    async def may_trigger(_request: Request, _dag_id: str) -> bool:
        return bool(app.state.may_trigger)

    monkeypatch.setattr(forms, "_may_trigger", may_trigger)

    @app.post("/api/v2/dags/{dag_id}/dagRuns")
    async def run(dag_id: str, request: Request) -> str:
        app.state.runs.append(await request.body())
        return dag_id

    return app


def post(app: FastAPI, dag_id: str, body: Any) -> httpx.Response:
    """The answer to one form. body: bytes as they are, anything else as JSON."""

    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as client:
            address = f"/api/v2/dags/{dag_id}/dagRuns"
            if isinstance(body, bytes):
                return await client.post(address, content=body)
            return await client.post(address, json=body)

    return asyncio.run(answer())


@pytest.mark.parametrize(
    ("dag_id", "conf", "told"),
    [
        ("benchmark_on_demand", {"model": SANA, "gpu_model": "none"}, ["Task: SANA 1.5", "Model: SANA 1.5"]),
        (
            "benchmark_on_demand",
            {"modle": SANA},
            ["'modle': the form has no such field; did you mean"],
        ),
        (
            "benchmark_release",
            {"models": ["nobody/nothing"], "tasks": ["poetry"]},
            ["Models: ", "Tasks: there is no task 'poetry'"],
        ),
        ("recheck", {"gpu_model": "B9000"}, ["GPU model: "]),
        ("import_published_results", {"source": "results"}, ["Source: 'results' is neither a whole path"]),
    ],
)
def test_an_impossible_form_is_refused_with_all_its_fields_and_makes_no_run(
    app: FastAPI, dag_id: str, conf: dict[str, Any], told: list[str]
) -> None:
    answer = post(app, dag_id, {"conf": conf, "logical_date": None})
    assert answer.status_code == 400
    fields = answer.json()["detail"].split(" | ")
    assert len(fields) == len(told)
    for field, start in zip(fields, told, strict=True):
        assert field.startswith(start)
        assert "; " in field
    assert app.state.runs == []


@pytest.mark.parametrize(
    ("dag_id", "body"),
    [
        ("benchmark_on_demand", {"logical_date": None}),
        ("benchmark_on_demand", {"logical_date": None, "conf": {"version": "0.1.2"}}),
        ("benchmark_on_demand", {"logical_date": None, "conf": {"num_gpus": "many"}}),
        ("benchmark_release", {"logical_date": None, "conf": {"models": ["a/b"], "revision": "c" * 40}}),
        ("refresh_leaderboard", {"logical_date": None, "conf": {"nothing": 1}}),
        ("no_such_dag", {"logical_date": None}),
        ("benchmark_on_demand", b"not JSON"),
        ("benchmark_on_demand", [1]),
        ("benchmark_on_demand", {"conf": "text"}),
    ],
)
def test_what_is_possible_or_airflows_to_judge_reaches_it_unchanged(
    app: FastAPI, dag_id: str, body: Any
) -> None:
    assert post(app, dag_id, body).status_code == 200
    sent = body if isinstance(body, bytes) else httpx.Request("POST", "http://a", json=body).content
    assert app.state.runs == [sent]


def test_who_may_not_trigger_the_dag_learns_nothing_of_its_form(app: FastAPI) -> None:
    app.state.may_trigger = False
    assert post(app, "benchmark_on_demand", {"conf": {"model": SANA}}).status_code == 200
    assert len(app.state.runs) == 1
