"""A GPU host that joins a control plane: its settings, and the environment and command of its worker."""

from __future__ import annotations

import argparse
import os
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmark_tasks import disk
from benchmark_tasks.errors import JouleboardError, SettingsError
from benchmark_tasks.settings import Settings
from jouleboard_airflow.platform import heartbeats, worker_beat
from jouleboard_airflow.platform.installation import QUIET, REPOSITORY
from jouleboard_airflow.platform.worker_keys import KEY_ID, require_secret

_ABOUT_WORKERS = ("AIRFLOW__EDGE__", "AIRFLOW__WORKERS__")
LOCK = "worker.lock"
SILENT_SECONDS = 120.0
"""The Edge worker beats every 30 seconds."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


@dataclass(frozen=True)
class Worker:
    """The worker of one GPU host, as the control plane sees it.

    Attributes:
        control_plane: address of the UI (`JOULEBOARD_CONTROL_PLANE`).
        secret: the key that GPU hosts sign with (`JOULEBOARD_WORKER_SECRET`).
        name: name of the host in the UI (`JOULEBOARD_WORKER_NAME`; by default the machine's name).
        queue: the queue that it takes tasks from (`JOULEBOARD_QUEUE`; by default that of its GPUs).
        gpus: number of tasks at a time: one per GPU; one on a host without a GPU.
        fleet: `[jouleboard] fleet`, from which the ids of measuring tasks follow (`JOULEBOARD_FLEET`; by
            default the GPUs of this host).
    """

    settings: Settings
    control_plane: str
    secret: str
    name: str
    queue: str
    gpus: int
    fleet: str

    @property
    def home(self) -> Path:
        """AIRFLOW_HOME of the worker: its lock, its pid file, and logs that are not sent yet."""
        return self.settings.home / "worker"

    @property
    def lock_file(self) -> Path:
        """Held as long as the worker runs."""
        return self.home / LOCK

    @property
    def command(self) -> list[str]:
        """The command that runs under the guardian."""
        options = ["--queues", self.queue, "--concurrency", str(self.gpus), "--edge-hostname", self.name]
        return [sys.executable, "-m", "airflow", "edge", "worker", *options]

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Environment of the command. Variables of another Airflow on this machine are left out."""
        kept = {name: value for name, value in inherited.items() if not is_of_another_airflow(name)}
        kept.pop("JOULEBOARD_WORKER_SECRET", None)
        search_path = [str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)]
        return kept | {
            **QUIET,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.control_plane}/execution/",
            "AIRFLOW__EDGE__API_URL": f"{self.control_plane}/edge_worker/v1/rpcapi",
            "AIRFLOW__EDGE__EXTENDED_SYSTEM_INFO_FUNCTION": f"{worker_beat.__name__}.beat",
            "AIRFLOW__API_AUTH__JWT_SECRET": self.secret,
            "AIRFLOW__API_AUTH__JWT_KID": KEY_ID,
            "AIRFLOW__JOULEBOARD__FLEET": self.fleet,
            "JOULEBOARD_HOME": str(self.settings.home),
            "PATH": os.pathsep.join(search_path),
            "PYTHONPATH": str(REPOSITORY / "plugins"),
            "PYTHONUNBUFFERED": "1",
            # Airflow renames its processes; without this the new title overwrites their environment.
            "SPT_NOENV": "1",
        }


def read(options: argparse.Namespace, environment: Mapping[str, str]) -> Worker:
    """The worker that the command line describes; what it leaves open comes from the environment.

    Raises:
        SettingsError: a setting is missing or not usable.
        CatalogError: this machine's GPUs are not in the catalog.
    """
    from benchmark_tasks.catalog import load
    from benchmark_tasks.host.machine import this_machine
    from jouleboard_airflow.gpu_hosts import GpuHosts, fleet_here

    machine = this_machine(load())
    url = options.control_plane or environment.get("JOULEBOARD_CONTROL_PLANE") or ""
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s@?#]*)?", url):
        raise SettingsError(
            f"JOULEBOARD_CONTROL_PLANE={url}: set it to the address of the UI, like https://host or "
            "http://host:8080"
        )
    hosts = GpuHosts(machine.gpu_model, machine.num_gpus) if machine.has_gpu else None
    queue = options.queue or environment.get("JOULEBOARD_QUEUE") or (hosts.queue if hosts else None)
    if queue is None:
        raise SettingsError(
            "this machine has no GPU: name the queue that it takes tasks from (JOULEBOARD_QUEUE)"
        )
    name = options.name or environment.get("JOULEBOARD_WORKER_NAME") or socket.gethostname()
    for kind, value in (("JOULEBOARD_QUEUE", queue), ("JOULEBOARD_WORKER_NAME", name)):
        if not _NAME.fullmatch(value):
            raise SettingsError(f"{kind}={value}: use letters, digits, dots, dashes and underscores")
    return Worker(
        settings=Settings.from_environment(environment),
        control_plane=url.rstrip("/"),
        secret=require_secret(environment.get("JOULEBOARD_WORKER_SECRET"), "JOULEBOARD_WORKER_SECRET"),
        name=name,
        queue=queue,
        gpus=max(1, machine.num_gpus),
        fleet=fleet_here(environment),
    )


def last_beat(settings: Settings) -> datetime | None:
    """The last heartbeat of the worker that joined with this home; None if there was none."""
    return heartbeats.last_beat(settings.home / "worker" / worker_beat.BEAT)


def runs(settings: Settings) -> bool:
    """Whether a worker of this home runs, also one that hangs: it holds its lock."""
    file = settings.home / "worker" / LOCK
    if not file.exists():
        return False
    try:
        disk.lock(file, busy=JouleboardError).close()
    except JouleboardError:
        return True
    return False


def is_of_another_airflow(variable: str) -> bool:
    """Whether a variable configures another Airflow. How often a worker asks for tasks may be configured."""
    return variable.startswith("AIRFLOW") and not variable.startswith(_ABOUT_WORKERS)
