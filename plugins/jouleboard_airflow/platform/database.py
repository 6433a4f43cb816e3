"""Airflow's metadata database on one machine: a PostgreSQL server of the installation's own.

Its files lie in `$JOULEBOARD_HOME/airflow/postgres`. A server of root runs as `nobody`; where `nobody` cannot
reach that folder (a home below /root, or of mode 0700), they lie in `/var/lib/jouleboard/<installation>`.
`JOULEBOARD_DATABASE_FOLDER` names any other folder. The port is a free one, chosen at every start.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
from functools import partial
from pathlib import Path
from typing import IO

from benchmark_tasks.errors import JouleboardError, SettingsError
from benchmark_tasks.processes import PLATFORM_MARK, die_with_parent
from jouleboard_airflow.platform import postgres
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.platform.postgres import LOOPBACK, NAME, Answer, Cluster

POOL_SIZE = 5
"""Connections that an engine of Airflow keeps open."""

POOL_LIMIT = 200
"""Connections that an engine opens at most. The API server waits for a connection in its event loop, where
those that hold one must end: with a pool of fewer than the requests at a time it stands still."""

MAX_CONNECTIONS = 2 * POOL_LIMIT + 100
"""Both engines of the API server may use their pools up; the other components never use more than a few."""


def cluster(installation: Installation) -> Cluster:
    """The installation's database server."""
    return Cluster.at(folder(installation))


def folder(installation: Installation) -> Path:
    """Where its files lie."""
    if installation.database_folder:
        return installation.database_folder
    token = installation.secrets().platform_token
    inside = installation.home.resolve() / "postgres"
    outside = postgres.ROOTS_FOLDER / hashlib.sha256(token.encode()).hexdigest()[:16]
    account = postgres.account_for(inside / "data")
    if account is None or (inside / "data").exists():
        return inside
    return inside if account.may_reach(inside.parent) and not outside.exists() else outside


def make_ready(installation: Installation) -> bool:
    """Make what is missing. Returns whether the database is new.

    Raises:
        SettingsError: the server's user cannot reach the folder, it holds files of others, or its name is
            too long.
        DiskFull: no space.
        JouleboardError: it could not be made; says why.
    """
    own = cluster(installation)
    new = not own.exists
    try:
        if own.folder.parent == postgres.ROOTS_FOLDER:
            postgres.make_roots_folder()
        _require_reachable(own)
        _require_short(own)
        own.make_ready(installation.secrets().database_password)
    except OSError as error:
        raise JouleboardError(
            f"the database cannot be made in {own.folder} ({error.strerror}): "
            "name another folder in JOULEBOARD_DATABASE_FOLDER"
        ) from error
    return new


def start(
    installation: Installation, log: IO[bytes], *, die_with_me: bool, port: int | None = None
) -> subprocess.Popen[bytes]:
    """Start the server; returns before it answers.

    die_with_me: when this process ends, the server ends as soon as nobody is connected any more.
    port: by default a free one.
    """
    return cluster(installation).start(
        port or _free_port(),
        log,
        max_connections=MAX_CONNECTIONS,
        variables={
            PLATFORM_MARK: installation.secrets().platform_token,
            "JOULEBOARD_HOME": str(installation.settings.home),
        },
        preexec=partial(die_with_parent, signal.SIGTERM) if die_with_me else None,
    )


def answers(installation: Installation) -> bool:
    """Whether the server accepts the installation's login."""
    return ask(installation, "select 1").rows is not None


def ask(installation: Installation, statement: str) -> Answer:
    """What the running server answers to a statement; an empty answer if it does not run or hangs."""
    own = cluster(installation)
    port = own.port()
    return own.ask(port, installation.secrets().database_password, statement) if port else Answer()


def address(installation: Installation) -> str:
    """The URL of the running database, with its password.

    Raises:
        JouleboardError: it does not run.
    """
    place = f"{LOOPBACK}:{_port(installation)}/{NAME}"
    return f"postgresql+psycopg2://{NAME}:{installation.secrets().database_password}@{place}"


def client_variables(installation: Installation) -> dict[str, str]:
    """What a client program of PostgreSQL needs in its environment to log in.

    Raises:
        JouleboardError: the database does not run.
    """
    return {
        "PGHOST": LOOPBACK,
        "PGPORT": str(_port(installation)),
        "PGUSER": NAME,
        "PGDATABASE": NAME,
        "PGPASSWORD": installation.secrets().database_password,
    }


def stamp_file(installation: Installation) -> Path:
    """Says what the database was prepared for; it is gone with the database."""
    return folder(installation) / postgres.STAMP


def _require_reachable(own: Cluster) -> None:
    there = next(folder for folder in own.folder.parents if folder.exists())
    if own.account and (barrier := own.account.barrier(there)):
        name, move = own.account.name, f", and move {own.folder} there" if own.exists else ""
        raise SettingsError(
            f"PostgreSQL runs as {name}, who cannot enter {barrier}: `chmod o+x {barrier}`, or name a folder "
            f"in JOULEBOARD_DATABASE_FOLDER that {name} can reach{move}"
        )


def _require_short(own: Cluster) -> None:
    """PostgreSQL cuts a path off that is too long, and would write to another place."""
    length = len(os.fsencode(own.folder))
    if length > postgres.LONGEST_FOLDER:
        raise SettingsError(
            f"the database's folder would have a name of {length} bytes, and PostgreSQL takes "
            f"{postgres.LONGEST_FOLDER}: name a shorter folder in JOULEBOARD_DATABASE_FOLDER"
        )


def _port(installation: Installation) -> int:
    port = cluster(installation).port()
    if port is None:
        home = installation.settings.home
        raise JouleboardError(f"the database of {home} does not run: `make up` starts it")
    return port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
