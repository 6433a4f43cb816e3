"""A real PostgreSQL on loopback, from the same package as the platform's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from benchmark_tasks.testing.waiting import until
from jouleboard_airflow.platform.postgres import LOOPBACK, NAME, Cluster
from tests.folders import folder_for_everybody

START_SECONDS = 60
MAX_CONNECTIONS = 100
"""As the image of docker-compose.yml has it."""


@dataclass(frozen=True)
class Postgres:
    """An empty database `airflow` of the user `airflow`."""

    port: int
    password: str = field(repr=False)

    def url(self, **options: str) -> str:
        """Its address, with options of libpq."""
        query = f"?{urlencode(options, quote_via=quote)}" if options else ""
        return f"postgresql://{NAME}:{quote(self.password, safe='')}@{LOOPBACK}:{self.port}/{NAME}{query}"


@contextlib.contextmanager
def running_postgres(port: int, password: str) -> Iterator[Postgres]:
    """Start a server, and stop it at the end."""
    with folder_for_everybody() as folder:
        cluster = Cluster.at(folder)
        cluster.make_ready(password)
        try:
            with (
                (folder / "log").open("wb") as log,
                cluster.start(port, log, max_connections=MAX_CONNECTIONS),
            ):
                until(lambda: cluster.answers(port, password), START_SECONDS, "a database that answers")
                try:
                    yield Postgres(port, password)
                finally:
                    cluster.stop()
        finally:
            cluster.stop()
