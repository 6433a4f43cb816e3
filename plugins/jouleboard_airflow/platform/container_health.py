"""Whether a component of Airflow is alive, by its heartbeat in the database: a container's health check.

    python container_health.py TriggererJob

`airflow jobs check` answers the same and costs four seconds of processor time per call, as it loads all of
Airflow. This is a script of its own, without any import of this package, and costs a tenth of a second.
"""

from __future__ import annotations

import os
import sys

import psycopg2
from psycopg2.extensions import parse_dsn

VARIABLE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
OLDEST_SECONDS = 120.0
"""Age of a heartbeat that is too old. Components beat every 5 s, less often on a busy machine."""

_ANSWER_SECONDS = 10
_AGE = """
    select extract(epoch from now() - max(latest_heartbeat))
    from job
    where job_type = %s and state = 'running'
"""


def main(arguments: list[str]) -> int:
    """Print one line if the component is not alive; exit code 1 then, else 0."""
    (job_type,) = arguments
    try:
        age = heartbeat_age(os.environ[VARIABLE], job_type)
    except (KeyError, psycopg2.Error) as error:
        print(f"{job_type}: the database cannot be asked ({type(error).__name__})", file=sys.stderr)
        return 1
    if age is None or age > OLDEST_SECONDS:
        said = "none runs" if age is None else f"last heartbeat {age:.0f} s ago"
        print(f"{job_type}: {said}", file=sys.stderr)
        return 1
    return 0


def heartbeat_age(url: str, job_type: str) -> float | None:
    """Seconds since a running job of this type has last beaten; None without one.

    Args:
        url: SQLAlchemy's address of a PostgreSQL database.
        job_type: as in Airflow's table `job`, for example `DagProcessorJob`.

    Raises:
        psycopg2.Error: the database does not answer.
    """
    dsn = "postgresql://" + url.partition("://")[2]
    with (
        psycopg2.connect(**parse_dsn(dsn), connect_timeout=_ANSWER_SECONDS) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(_AGE, (job_type,))
        row = cursor.fetchone()
    return None if row is None or row[0] is None else float(row[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
