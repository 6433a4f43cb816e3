"""What the notifier asks Airflow's database, on a real PostgreSQL with the columns that a query needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, text

from benchmark_tasks.settings import Settings
from jouleboard_airflow.notifications.in_airflow import QUERIES
from jouleboard_airflow.platform import database
from jouleboard_airflow.platform.installation import Installation
from tests.folders import folder_for_everybody
from tests.plugins.platform.test_database import running

TASKS = """
create temporary table task_instance (
    task_id text,
    pool text,
    state text,
    scheduled_dttm timestamptz,
    queued_dttm timestamptz,
    end_date timestamptz
)
"""


@pytest.fixture
def connection() -> Iterator[Connection]:
    with folder_for_everybody() as folder:
        installation = Installation(Settings(home=folder / "home"), 8080)
        with running(installation):
            engine = create_engine(database.address(installation))
            with engine.connect() as connection:
                yield connection
            engine.dispose()


def test_sweeps_wait_when_nothing_ran_in_their_pool(connection: Connection) -> None:
    """A skipped task ends without having run; work in another pool is not theirs."""
    connection.execute(text(TASKS))
    add = text(
        "insert into task_instance values (:task, :pool, :state,"
        " now() - make_interval(mins => :scheduled), null, now() - make_interval(mins => :ended))"
    )

    def task(
        state: str, *, pool: str = "cpu", scheduled: int | None = None, ended: int | None = None
    ) -> None:
        values = {
            "task": "measure_on_cpu",
            "pool": pool,
            "state": state,
            "scheduled": scheduled,
            "ended": ended,
        }
        connection.execute(add, values)

    def waiting() -> list[tuple[str, int]]:
        query = text((QUERIES / "waiting_sweeps.sql").read_text())
        return [(row.pool, row.sweeps) for row in connection.execute(query, {"minutes": 30})]

    task("scheduled", scheduled=29)
    assert waiting() == []
    task("scheduled", scheduled=31)
    task("success", pool="gpu-h200", ended=1)
    task("failed", ended=31)
    task("skipped", ended=1)
    task("upstream_failed", ended=1)
    assert waiting() == [("cpu", 2)]
    for state in ("success", "failed", "up_for_retry"):
        with connection.begin_nested() as nested:
            task(state, ended=1)
            assert waiting() == []
            nested.rollback()
    task("running")
    assert waiting() == []
