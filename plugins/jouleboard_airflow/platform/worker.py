"""Join a control plane with this GPU host: `make gpu-worker`.

Checks the settings, ends what a dead worker left on the GPUs, sends the runs that an outage kept here, and
then runs Airflow's Edge worker. The host knows the control plane's address and a key of its own, and no
other secret.

The worker runs under a guardian (`benchmark_tasks/runtimes/guardian.py`): however it ends, its tasks and
their model servers end with it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from typing import IO, NoReturn

from benchmark_tasks import disk
from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.processes import beside_proxies
from benchmark_tasks.settings import Settings
from jouleboard_airflow.platform.edge_api import report_offline
from jouleboard_airflow.platform.gpu_host import Worker, is_of_another_airflow, read
from jouleboard_airflow.platform.installation import REPOSITORY


def main(arguments: list[str] | None = None) -> int:
    """Become the worker. Returns an exit code only if it cannot; an error is one line on stderr."""
    disk.keep_others_from_writing()
    try:
        _forget_other_airflows()
        worker = read(parse(arguments), os.environ)
        lock = take_place(worker)
        clean_up(worker)
        become(worker, lock)
    except JouleboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line; what it leaves open comes from the environment."""
    parser = argparse.ArgumentParser(prog="worker", description="Join a control plane with this GPU host.")
    parser.add_argument("--control-plane", metavar="URL", help="address of the control plane's UI")
    parser.add_argument(
        "--queue",
        help="queue to take tasks from; by default that of this machine's GPUs, for example gpu-h200",
    )
    parser.add_argument("--name", help="name of this host in the UI; by default the machine's name")
    return parser.parse_args(arguments)


def take_place(worker: Worker) -> IO[str]:
    """Lock the home for this worker. The lock ends with the process, however it ends.

    Raises:
        JouleboardError: another worker has the lock.
    """
    busy = JouleboardError(
        f"a worker with JOULEBOARD_HOME={worker.settings.home} runs already: stop it first"
    )
    return disk.lock(worker.lock_file, busy=lambda holder: busy)


def clean_up(worker: Worker) -> None:
    """End processes and remove files that an earlier worker left, and send the runs that it could not send.

    Raises:
        LandingZoneUnreachable: this host cannot land runs.
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
        print(f"sent {sent} runs that an outage had kept on this host", flush=True)


def become(worker: Worker, lock: IO[str]) -> NoReturn:
    """Turn this process into the guardian of the Edge worker; the guardian holds the lock.

    Raises:
        ControlPlaneUnreachable: it does not answer, or does not accept this host.
    """
    os.environ |= beside_proxies(os.environ)
    environment = worker.environment(os.environ)
    os.environ |= {name: value for name, value in environment.items() if name.startswith("AIRFLOW__")}
    asyncio.run(report_offline(worker))
    print(f"{worker.name} takes tasks from queue {worker.queue} of {worker.control_plane}", flush=True)
    os.set_inheritable(lock.fileno(), True)
    environment["JOULEBOARD_GUARDIAN_PYTHONPATH"] = environment["PYTHONPATH"]
    environment["PYTHONPATH"] = str(REPOSITORY)
    guardian = [sys.executable, "-m", "benchmark_tasks.runtimes.guardian", str(os.getppid()), "--"]
    os.chdir(worker.home)
    os.execve(guardian[0], [*guardian, *worker.command], environment)


def _forget_other_airflows() -> None:
    """Airflow reads its configuration when it is imported: leave it only this worker's."""
    for name in filter(is_of_another_airflow, list(os.environ)):
        del os.environ[name]
    os.environ["AIRFLOW_HOME"] = str(Settings.from_environment().home / "worker")


if __name__ == "__main__":
    sys.exit(main())
