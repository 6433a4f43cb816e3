"""Metrics for Prometheus: who gets them, that they parse, and that the dashboard asks for what exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
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
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def client(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
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
    metrics._sums.cache_clear()
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
    found = {name: samples[0].value for name, samples in metrics.items() if samples}
    assert found["jouleboard_publication_number"] == 7
    assert found["jouleboard_publication_rows"] == 1858
    assert found["jouleboard_quarantined_bundles"] == 12
    assert 0 <= found["jouleboard_publication_age_seconds"] < 60
    assert 0 < found["jouleboard_disk_free_bytes"] < found["jouleboard_disk_size_bytes"]
    incidents = {sample.labels["kind"]: sample.value for sample in metrics["jouleboard_open_incidents"]}
    assert incidents == {kind.value: float(kind is Kind.DISK) for kind in Kind}


def values(client: TestClient) -> dict[str, float]:
    """The value of each metric that has one sample."""
    short = {name.removeprefix("jouleboard_"): found for name, found in scraped(client).items()}
    return {name: samples[0].value for name, samples in short.items() if len(samples) == 1}


def test_a_ledger_that_cannot_be_read_is_said_and_is_not_zero(client: TestClient) -> None:
    found = values(client)
    assert found["ledger_unreadable"] == 1
    assert not [name for name in found if "measured" in name or "energy" in name]


def test_a_publication_that_cannot_be_read_is_said(client: TestClient, settings: Settings) -> None:
    (settings.published / "7" / "manifest.json").write_text("{")
    found = values(client)
    assert found["ledger_unreadable"] == 1
    assert "publication_rows" not in found


def test_before_the_first_publication_there_is_nothing_to_say(client: TestClient, settings: Settings) -> None:
    (settings.published / "current").unlink()
    assert not [name for name in values(client) if "publication" in name or "ledger" in name]


def test_marts_that_a_manifest_does_not_name_have_no_rows(client: TestClient, settings: Settings) -> None:
    manifest = settings.published / "7" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"tables": {}}))
    found = values(client)
    assert "publication_rows" not in found and "quarantined_bundles" not in found


@pytest.mark.parametrize(
    ("campaigns", "expected"),
    [
        ([(4, 2.5, 1.5, 0)], {"runs": 4, "runs_without_energy": 0, "gpu_hours": 2.5, "energy_kwh": 1.5}),
        ([(4, 2.5, 1.5, 1), (3, 1, None, 3)], {"runs": 7, "runs_without_energy": 4, "gpu_hours": 3.5}),
        ([(4, None, 1.5, 0)], {"runs": 4, "runs_without_energy": 0, "energy_kwh": 1.5}),
        ([], {"runs": 0, "runs_without_energy": 0, "gpu_hours": 0, "energy_kwh": 0}),
    ],
)
def test_what_is_unknown_in_the_ledger_is_left_out(
    client: TestClient,
    settings: Settings,
    campaigns: list[tuple[int, float | None, float | None, int]],
    expected: dict[str, float],
) -> None:
    write_ledger(settings, campaigns)
    found = values(client)
    known = [energy for _, _, energy, _ in campaigns if energy is not None]
    assert found["ledger_unreadable"] == 0
    assert found.get("known_energy_kwh") == (sum(known) if known or not campaigns else None)
    measured = {name: value for name, value in found.items() if name.startswith("measured_")}
    assert measured == {f"measured_{name}": value for name, value in expected.items()}


def write_ledger(settings: Settings, campaigns: list[tuple[int, float | None, float | None, int]]) -> None:
    """Give publication 7 a ledger: runs, GPU-hours, known kWh, runs without energy."""
    with duckdb.connect(str(settings.published / "7" / "leaderboard.duckdb")) as connection:
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.campaign_ledger (runs integer, gpu_hours double, known_energy_kwh double,"
            " runs_without_energy integer)"
        )
        if campaigns:
            connection.executemany("insert into marts.campaign_ledger values (?, ?, ?, ?)", campaigns)


def test_every_query_of_the_dashboard_is_of_a_metric_that_exists(
    client: TestClient, settings: Settings
) -> None:
    write_ledger(settings, [(4, 2.5, 1.5, 0)])
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"jouleboard_\w+", query)}
    assert asked == set(scraped(client))
    assert len({panel["id"] for panel in panels}) == len(panels)
