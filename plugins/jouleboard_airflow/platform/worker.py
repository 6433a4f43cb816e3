"""Join this GPU host to a control plane: `make gpu-worker`.

Checks what is needed, ends what a dead worker left on the GPUs, sends what an outage kept here, and then
runs Airflow's Edge worker. The host knows the control plane's address and a key of its own, nothing else.

The worker stands under a guardian (`benchmark_tasks/runtimes/guardian.py`): however it ends, its tasks and
their model servers end with it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO

from benchmark_tasks import disk
from benchmark_tasks.errors import ControlPlaneUnreachable, JouleboardError, SettingsError
from benchmark_tasks.settings import Settings
from jouleboard_airflow.platform.installation import QUIET, REPOSITORY
from jouleboard_airflow.platform.worker_keys import KEY_ID, require_secret

_ABOUT_WORKERS = ("AIRFLOW__EDGE__", "AIRFLOW__WORKERS__")
_ANSWER_SECONDS = 20.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


@dataclass(frozen=True)
class Worker:
    """One GPU host as the control plane sees it.

    control_plane: address of the UI (`JOULEBOARD_CONTROL_PLANE`).
    secret: the key that GPU hosts sign with (`JOULEBOARD_WORKER_SECRET`).
    queue: what it takes tasks from (`JOULEBOARD_QUEUE`; by default that of its GPUs).
    gpus: how many GPUs' worth of tasks at a time; one task where there is none.
    fleet: the GPUs of `[jouleboard] fleet`, so that it knows the tasks for them (`JOULEBOARD_FLEET`; by
        default its own).
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
        """AIRFLOW_HOME of the worker: logs on their way, a pid file."""
        return self.settings.home / "worker"

    @property
    def command(self) -> list[str]:
        """What runs under the guardian."""
        options = ["--queues", self.queue, "--concurrency", str(self.gpus), "--edge-hostname", self.name]
        return [sys.executable, "-m", "airflow", "edge", "worker", *options]

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """What it runs with: nothing of an Airflow that may be on this machine for another reason."""
        kept = {name: value for name, value in inherited.items() if not _is_foreign(name)}
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


def main(arguments: list[str] | None = None) -> int:
    """Become the worker, unless something is wrong that a person can act on: one line on stderr."""
    try:
        _forget_other_airflows()
        worker = read(parse(arguments), os.environ)
        lock = take_place(worker)
        leave_nothing_behind(worker)
        become(worker, lock)
    except JouleboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line; what is not given comes from the environment."""
    parser = argparse.ArgumentParser(prog="worker", description=__doc__.splitlines()[0])
    parser.add_argument("--control-plane", metavar="URL", help="address of the UI")
    parser.add_argument("--queue", help="by default that of this machine's GPUs, for example gpu-h200")
    parser.add_argument("--name", help="by default this machine's name")
    return parser.parse_args(arguments)


def read(options: argparse.Namespace, environment: Mapping[str, str]) -> Worker:
    """
    Raises:
        SettingsError: something is missing, or is not what it should be.
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
        raise SettingsError("this machine has no GPU: name the queue that it is to serve (JOULEBOARD_QUEUE)")
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


def take_place(worker: Worker) -> IO[str]:
    """The one worker of this home; the lock goes with the process, however it ends.

    Raises:
        JouleboardError: there is one already.
    """
    busy = JouleboardError(
        f"a worker runs here already with JOULEBOARD_HOME={worker.settings.home}: stop it first"
    )
    return disk.lock(worker.home / "worker.lock", busy=lambda holder: busy)


def leave_nothing_behind(worker: Worker) -> None:
    """End what an earlier worker left running, remove what it left half-made, send what it could not send.

    Raises:
        LandingZoneUnreachable: nothing could be landed from here.
    """
    from benchmark_tasks.host.device_lock import reap
    from benchmark_tasks.results.store import Store
    from benchmark_tasks.runtimes import container

    ended = reap(worker.settings.home, also=container.end_leftovers)
    if ended:
        print(f"ended {ended} processes and containers that an earlier worker left", flush=True)
    store = Store.of(worker.settings)
    store.sweep_up()
    sent = store.send()
    if sent:
        print(f"sent {sent} runs that waited here", flush=True)


def become(worker: Worker, lock: IO[str]) -> None:
    """Turn this process into the guardian of the Edge worker; the guardian holds the lock.

    Raises:
        ControlPlaneUnreachable
    """
    environment = worker.environment(os.environ)
    os.environ |= {name: value for name, value in environment.items() if name.startswith("AIRFLOW__")}
    asyncio.run(_say_offline(worker))
    print(f"{worker.name} serves {worker.queue} of {worker.control_plane}", flush=True)
    os.set_inheritable(lock.fileno(), True)
    environment["JOULEBOARD_GUARDIAN_PYTHONPATH"] = environment["PYTHONPATH"]
    environment["PYTHONPATH"] = str(REPOSITORY)
    guardian = [sys.executable, "-m", "benchmark_tasks.runtimes.guardian", str(os.getppid()), "--"]
    os.chdir(worker.home)
    os.execve(guardian[0], [*guardian, *worker.command], environment)


async def _say_offline(worker: Worker) -> None:
    """Tell the control plane that the last worker of this name is gone: it would refuse another one.

    Raises:
        ControlPlaneUnreachable: it does not answer, does not know this host's key, or has another version.
    """
    import aiohttp
    import httpx
    from airflow import __version__ as airflow_version
    from airflow.providers.edge3 import __version__ as edge_version
    from airflow.providers.edge3.cli.api_client import worker_set_state
    from airflow.providers.edge3.models.edge_worker import EdgeWorkerState, EdgeWorkerVersionException

    url = worker.control_plane
    try:
        httpx.get(f"{url}/edge_worker/v1/health", timeout=_ANSWER_SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        said = f"{type(error).__name__}: {error}".strip()
        raise ControlPlaneUnreachable(
            f"{url} does not answer as a control plane that takes GPU hosts ({said}): check the address"
        ) from error
    about = {"airflow_version": airflow_version, "edge_provider_version": edge_version}
    about |= {"status": logging.NOTSET, "concurrency": worker.gpus, "free_concurrency": worker.gpus}
    try:
        await worker_set_state(worker.name, EdgeWorkerState.OFFLINE, 0, [worker.queue], about)
    except EdgeWorkerVersionException as error:
        raise ControlPlaneUnreachable(
            f"{url} has another version of Airflow or of its Edge provider than {airflow_version} and "
            f"{edge_version} here: bring both to the same version of Jouleboard"
        ) from error
    except aiohttp.ClientResponseError as error:
        if error.status == HTTPStatus.FORBIDDEN:
            raise ControlPlaneUnreachable(
                f"{url} refuses this host's key: JOULEBOARD_WORKER_SECRET must be as in its .env, and the "
                "clocks must agree"
            ) from error
        if error.status != HTTPStatus.NOT_FOUND:
            raise ControlPlaneUnreachable(f"{url} answers {error.status}: see its log") from error


def _forget_other_airflows() -> None:
    """Airflow reads its configuration when it is imported: none but this worker's."""
    for name in filter(_is_foreign, list(os.environ)):
        del os.environ[name]
    os.environ["AIRFLOW_HOME"] = str(Settings.from_environment().home / "worker")


def _is_foreign(variable: str) -> bool:
    """Whether it belongs to another Airflow on this machine. How often a worker asks may be set."""
    return variable.startswith("AIRFLOW") and not variable.startswith(_ABOUT_WORKERS)


if __name__ == "__main__":
    sys.exit(main())
