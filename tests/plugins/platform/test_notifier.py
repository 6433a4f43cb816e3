"""The notifier goes on where an earlier one ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark_tasks.settings import Settings
from jouleboard_airflow.notifications import Incident, Kind, tell
from jouleboard_airflow.notifications.records import Records
from jouleboard_airflow.platform import disk_space, heartbeats
from jouleboard_airflow.platform.disk_space import Space
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.platform.notifier import CONFIRMED, Notifier

ADDRESS = {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://127.0.0.1:9/execution/"}
HEALTHY = {name: {"status": "healthy"} for name in ("scheduler", "dag_processor", "triggerer")}


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """With docker compose: nobody else looks at the components and disks."""
    monkeypatch.setattr(Notifier, "_look_at_airflow", lambda _: None)
    monkeypatch.setattr(heartbeats, "health", lambda _: HEALTHY)
    monkeypatch.setattr(disk_space, "spaces", lambda _: [Space(Path("/data"), 500, 1000)])
    return Installation(Settings(home=tmp_path), 8080)


def open_keys(installation: Installation) -> set[str]:
    records = Records(installation.settings).all()
    return {key for key, record in records.items() if record.ended is None}


def test_what_an_earlier_notifier_told_is_ended_by_the_next(installation: Installation) -> None:
    tell(Incident("component/scheduler", Kind.COMPONENT, "The scheduler is silent."), installation.settings)
    tell(Incident("disk//data", Kind.DISK, "The disk is nearly full."), installation.settings)
    Notifier(installation, ADDRESS).look()
    assert open_keys(installation) == set()


def test_one_slow_answer_is_no_incident(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    notifier = Notifier(installation, ADDRESS)
    monkeypatch.setattr(heartbeats, "health", lambda _: None)
    for _ in range(CONFIRMED - 1):
        notifier.look()
    assert open_keys(installation) == set()
    notifier.look()
    assert open_keys(installation) == {"component/api-server"}
