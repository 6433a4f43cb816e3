"""The compose files with a real engine: a checkout, its `.env`, and what is asked of containers."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx

from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.testing.waiting import until
from jouleboard_airflow.platform.api import Airflow, DagRun
from jouleboard_airflow.platform.installation import Installation

T = TypeVar("T")

REPOSITORY = Path(__file__).parents[2]
QUEUE = "cpu"
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
SUBSTITUTES = ("JOULEBOARD_BASE_IMAGE", "JOULEBOARD_POSTGRES_IMAGE", "JOULEBOARD_PROXY_IMAGE")
"""Settings of a person whose registry has other names; passed on if they are set."""

EXTRA = "JOULEBOARD_COMPOSE_EXTRA"
"""One more compose file, for example with the mounts that a package index on disk needs."""

_CPU_ONLY = "services: {gpu-worker: {deploy: !reset null}}\n"
"""The worker on a machine without NVIDIA's container toolkit."""


def checkout(folder: Path, commit: str | None) -> Path:
    """The files of a commit, or those of the working tree with what git does not ignore."""
    folder.mkdir(parents=True)
    if commit is not None:
        archive = subprocess.run(
            ["git", "archive", commit], cwd=REPOSITORY, stdout=subprocess.PIPE, check=True
        )
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        return folder
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    return folder


def free_port() -> int:
    """A port of the loopback interface that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Stack:
    """One compose project. `folder`: the checkout that it runs from; `variables`: its `.env`."""

    project: str
    folder: Path
    variables: dict[str, str]
    files: tuple[str, ...] = ("docker-compose.yml",)
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Address of the API server on this machine."""
        return f"http://127.0.0.1:{self.variables['JOULEBOARD_PORT']}"

    def password(self) -> str:
        """What `Airflow` asks of an installation."""
        return self.variables["AIRFLOW_ADMIN_PASSWORD"]

    def airflow(self) -> Airflow:
        """A new session with the API server."""
        return Airflow(cast("Installation", self))

    def compose(self, *arguments: str, seconds: float = 900, given: str = "") -> str:
        """Run `docker compose` on this project; its output. given: its standard input."""
        ended = self._run(arguments, seconds, given)
        assert ended.returncode == 0, f"{' '.join(arguments)}:\n{ended.stderr[-4000:]}"
        return ended.stdout

    def succeeds(self, *arguments: str, seconds: float = 900) -> bool:
        """Run `docker compose` on this project; whether it succeeds."""
        return self._run(arguments, seconds).returncode == 0

    def _run(
        self, arguments: Sequence[str], seconds: float, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        (self.folder / ".env").write_text(
            "".join(f"{name}={value}\n" for name, value in self.variables.items())
        )
        (self.folder / "cpu.yml").write_text(_CPU_ONLY)
        extra = [os.environ[EXTRA]] if os.environ.get(EXTRA) else []
        files = [part for file in (*self.files, "cpu.yml", *extra) for part in ("--file", file)]
        project = ["docker", "compose", "--project-name", self.project, *files, "--profile", "gpu"]
        passed_on = ("DOCKER_", "PATH", "HOME")
        return subprocess.run(
            [*project, *arguments],
            cwd=self.folder,
            env={name: value for name, value in os.environ.items() if name.startswith(passed_on)},
            input=given,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def up(self, *services: str) -> None:
        """Start the services and wait until they are healthy."""
        self.compose("up", "--detach", *services)
        self.wait_until_healthy()

    def wait_until_healthy(self, seconds: float = 900) -> None:
        """Wait until every container is healthy, and Airflow says so of its components."""
        until(self._is_healthy, seconds, f"health of {self.project}: {self.states()}")

    def states(self) -> dict[str, str]:
        """Health of each container that runs; its state where it has no check."""
        lines = self.compose("ps", "--format", "json").splitlines()
        return {row["Service"]: row["Health"] or row["State"] for row in map(json.loads, lines)}

    def _is_healthy(self) -> bool:
        states = self.states()
        time.sleep(1)  # asking compose costs more than the components' own work
        if not {*COMPONENTS, "postgres"} <= states.keys() or {*states.values()} - {"healthy"}:
            return False
        with contextlib.suppress(httpx.HTTPError, ValueError):
            report = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=20).raise_for_status().json()
            parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
            return all((report.get(part) or {}).get("status") == "healthy" for part in parts)
        return False

    def jouleboard(self, *arguments: str, seconds: float = 300) -> str:
        """The output of a `jouleboard` command in the control plane."""
        return self.compose("exec", "-T", "scheduler", "jouleboard", *arguments, seconds=seconds)

    def publications(self) -> list[int]:
        """Numbers of the publications on disk, oldest first."""
        rows = json.loads(self.jouleboard("publications", "list", "--json"))
        return [int(row["publication_number"]) for row in rows]

    def run_dag(self, dag_id: str, conf: dict[str, Any], seconds: float, state: str = "success") -> DagRun:
        """Unpause and trigger a DAG; its run, once that has ended as it should."""
        airflow = patiently(self.airflow)
        until(lambda: airflow.is_paused(dag_id) is not None, 120, dag_id)
        airflow.set_paused(dag_id, False)
        run = airflow.trigger(dag_id, conf)

        def ended() -> DagRun | None:
            time.sleep(1)
            now = patiently(lambda: airflow.run(dag_id, run.run_id))
            return now if now and now.finished else None

        finished = until(ended, seconds, f"the end of {run.run_id}")
        assert finished.state == state, airflow.errors(finished)
        return finished

    def wait_until_ended(self, dag_id: str, count: int, seconds: float) -> None:
        """Wait until so many runs of a DAG have ended. To ask a command in a container costs far more."""
        airflow = patiently(self.airflow)

        def ended() -> bool:
            time.sleep(1)
            return sum(run.finished for run in patiently(lambda: airflow.runs(dag_id))) == count

        until(ended, seconds, f"the end of {count} runs of {dag_id}")

    def memory(self) -> dict[str, float]:
        """What each service's container uses now, in MB."""
        of = {container["Id"]: name for name, container in self.containers().items()}
        lines = docker("stats", "--no-stream", "--no-trunc", "--format", "{{.ID}} {{.MemUsage}}", *of)
        used = {line.split()[0]: line.split()[1] for line in lines.splitlines()}
        return {of[container]: _megabytes(text) for container, text in used.items()}

    def containers(self) -> dict[str, dict[str, Any]]:
        """What the engine knows of each service's running container."""
        ids = self.compose("ps", "--quiet").split()
        known = json.loads(docker("inspect", *ids))
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in known}


def _megabytes(text: str) -> float:
    """MB of a number as docker writes it: 512.3MiB."""
    number, unit = re.fullmatch(r"([\d.]+)([KMG]?i?B)", text).groups()
    return float(number) * {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[unit] / 1e6


def patiently(ask: Callable[[], T], seconds: float = 180) -> T:
    """An answer of the API server, which may take its time on a machine that builds images beside it."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except JouleboardError:
            if time.monotonic() > deadline:
                raise
            time.sleep(2)


def docker(*arguments: str, seconds: float = 300) -> str:
    """The output of a docker command."""
    ended = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=seconds, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def new_variables(tag: str) -> dict[str, str]:
    """An `.env` with fresh secrets."""
    port = free_port()
    return {
        "POSTGRES_PASSWORD": secrets.token_hex(32),
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "AIRFLOW_JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW_API_SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW_ADMIN_PASSWORD": secrets.token_hex(16),
        "JOULEBOARD_WORKER_SECRET": secrets.token_hex(64),
        "JOULEBOARD_TAG": tag,
        "JOULEBOARD_PORT": str(port),
        "JOULEBOARD_URL": f"http://localhost:{port}",
        "JOULEBOARD_CPU_QUEUE": QUEUE,
        "JOULEBOARD_QUEUE": QUEUE,
        "JOULEBOARD_SCHEDULES": "off",
        **{name: os.environ[name] for name in SUBSTITUTES if os.environ.get(name)},
    }
