"""Metrics for Prometheus: who gets them, that they parse, and that the dashboard asks for what exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from benchmark_tasks.settings import Settings
from jouleboard_airflow.notifications import Incident, Kind, tell
from jouleboard_airflow.platform.installation import Installation
from tests.receivers import write_publication

DASHBOARD = Path(__file__).parents[3] / "docs" / "grafana-dashboard.json"
TABLES = {
    "task_instance": "task_id text, pool text, state text",
    "job": "job_type text, latest_heartbeat timestamp",
}
"""What the metrics read of Airflow's database."""
TOKEN = "token-of-prometheus"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import StaticPool

    from jouleboard_airflow.ui import metrics

    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    with engine.begin() as connection:
        for table, columns in TABLES.items():
            connection.exec_driver_sql(f"create table {table} ({columns})")
    monkeypatch.setattr(metrics, "create_session", lambda: Session(engine))
    monkeypatch.setenv("AIRFLOW__JOULEBOARD__METRICS_TOKEN", TOKEN)
    settings = Settings(home=tmp_path / "home")
    write_publication(settings, 7, datetime.now(UTC), {"leaderboard": 1858, "quarantine": 12})
    tell(Incident("disk/a", Kind.DISK, "The disk is nearly full."), settings)
    yield TestClient(metrics.build_app(Installation(settings, 8080)))


def scraped(client: TestClient) -> dict[str, Any]:
    answer = client.get("/", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return {family.name: family.samples for family in text_string_to_metric_families(answer.text)}


@pytest.mark.parametrize(
    "given", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}]
)
def test_without_the_token_there_is_no_answer(client: TestClient, given: dict[str, str]) -> None:
    assert client.get("/", headers=given).status_code == 401


def test_without_a_configured_token_nobody_gets_an_answer(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__JOULEBOARD__METRICS_TOKEN", "")
    assert client.get("/", headers={"Authorization": "Bearer "}).status_code == 401


def test_what_is_exposed(client: TestClient) -> None:
    metrics = scraped(client)
    values = {name: samples[0].value for name, samples in metrics.items() if samples}
    assert values["jouleboard_publication_number"] == 7
    assert values["jouleboard_publication_rows"] == 1858
    assert values["jouleboard_quarantined_bundles"] == 12
    assert 0 <= values["jouleboard_publication_age_seconds"] < 60
    assert 0 < values["jouleboard_disk_free_bytes"] < values["jouleboard_disk_size_bytes"]
    incidents = {sample.labels["kind"]: sample.value for sample in metrics["jouleboard_open_incidents"]}
    assert incidents == {kind.value: float(kind is Kind.DISK) for kind in Kind}


def test_every_query_of_the_dashboard_is_of_a_metric_that_exists(client: TestClient) -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"jouleboard_\w+", query)}
    assert asked == set(scraped(client))
    assert len({panel["id"] for panel in panels}) == len(panels)
