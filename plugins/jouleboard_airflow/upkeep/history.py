"""Airflow's own history: dumped from the platform's PostgreSQL, and loaded into a new one.

A database that is not the platform's own (docker compose, `AIRFLOW__DATABASE__SQL_ALCHEMY_CONN`) is left to
its own tools; whoever makes a backup is told so.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmark_tasks.errors import BackupError, JouleboardError
from jouleboard_airflow.platform import components, database
from jouleboard_airflow.platform.health import wait_until_database_answers
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.platform.postgres import NAME, installed_programs

EXTERNAL = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
_PROGRAM_SECONDS = 3600.0


def has_own_database(installation: Installation) -> bool:
    """Whether the platform's own database exists. Asking makes nothing."""
    known = (installation.home / "secrets.json").exists() or installation.database_folder is not None
    return known and database.cluster(installation).exists


def dump(installation: Installation, target: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Write Airflow's history to a file, if it is in the platform's own database. Returns one line on it.

    Raises:
        JouleboardError: the database does not answer or cannot be read; has PostgreSQL's reason.
    """
    if not has_own_database(installation):
        if environment.get(EXTERNAL):
            return "not in this backup: Airflow's database is another server, back it up with its own tools"
        return "none: Airflow was never started here"
    with answering(installation) as variables:
        _run("pg_dump", ["--format=custom", f"--file={target}"], variables)
    return "dumped by pg_dump"


def load(installation: Installation, dumped: Path) -> None:
    """Make the platform's database, and load a dump into it.

    Raises:
        JouleboardError: PostgreSQL refused; has its reason. The database is then as it was made, empty.
    """
    with components.exclusive(installation):
        database.make_ready(installation)
    options = ["--no-owner", "--exit-on-error", "--single-transaction", f"--dbname={NAME}", str(dumped)]
    with answering(installation) as variables:
        _run("pg_restore", options, variables)


@contextmanager
def answering(installation: Installation) -> Iterator[dict[str, str]]:
    """Variables for PostgreSQL's programs; the server is started for that time unless it runs."""
    if database.answers(installation):
        yield database.client_variables(installation)
        return
    with components.exclusive(installation):
        cluster = database.cluster(installation)
        if cluster.server() is not None:
            raise BackupError("Airflow's database runs but does not answer: try again, or `make down` first")
        cluster.stop()  # what a crash left
        installation.component_logs.mkdir(parents=True, exist_ok=True)
        log = installation.component_logs / "upkeep.log"
        try:
            with log.open("wb") as output:
                process = database.start(installation, output, die_with_me=True)
            wait_until_database_answers(installation, components.started(process.pid), log)
            yield database.client_variables(installation)
        finally:
            cluster.stop()


def _run(program: str, options: list[str], variables: Mapping[str, str]) -> None:
    try:
        ended = subprocess.run(
            [installed_programs() / program, *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={"PATH": os.defpath, "LC_ALL": "C", **variables},
            timeout=_PROGRAM_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BackupError(f"{program} did not end within {_PROGRAM_SECONDS:.0f} s") from error
    if ended.returncode != 0:
        lines = ended.stderr.strip().splitlines() or ["it said nothing"]
        raise JouleboardError(f"{program} failed: {lines[0]}")
