"""What docker-compose.yml describes, running: PostgreSQL, the control plane, and one GPU host beside it.

The GPU host has a folder of its own and reaches the control plane over HTTP only; what it measures goes to
an object store. It has no GPU, so what is measured without one is sent to its queue.
"""

from __future__ import annotations

import contextlib
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import psutil
from airflow.api_fastapi.auth.tokens import JWTGenerator
from airflow.sdk.api.client import Client

from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.package_index import PackageIndex
from benchmark_tasks.testing.waiting import until
from jouleboard_airflow.platform.api import Airflow
from jouleboard_airflow.platform.installation import Installation
from tests.e2e.compose import GPU_HOST, MAIN, REPOSITORY, Host, load
from tests.e2e.conftest import NEWEST, free_port
from tests.object_store import URL, ObjectStore
from tests.postgres import Postgres, running_postgres

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
FLEET = "H200:1"
"""Planned for and queued; the GPU host has none, and says so when it is to measure on it."""
QUEUE = "gpu-h200"
WORKER_NAME = "gpu-host-1"
HEARTBEAT_TIMEOUT_SECONDS = 15
DEADLINE_SECONDS = 36


@dataclass
class ScaleOut:
    """A control plane and a GPU host. `variables` are what their `.env` files hold."""

    control: Host
    gpu: Host
    variables: dict[str, str]
    url: str
    postgres: Postgres
    objects: ObjectStore
    _session: Airflow | None = None

    @property
    def airflow(self) -> Airflow:
        """The session with its API server; there is none before it is healthy."""
        assert self._session is not None
        return self._session

    def log_in(self) -> None:
        """Start the session."""
        self._session = Airflow(cast("Installation", self))  # address and password are all it asks for

    def password(self) -> str:
        """What `Airflow` asks of an installation."""
        return self.variables["AIRFLOW_ADMIN_PASSWORD"]

    @property
    def settings(self) -> Settings:
        """Of the control plane."""
        return Settings(home=Path(self.control.places["/var/lib/jouleboard"]))

    @property
    def gpu_home(self) -> Path:
        """JOULEBOARD_HOME of the GPU host."""
        return Path(self.gpu.places["/var/lib/jouleboard"])

    def start_worker(self) -> None:
        """As on a GPU host: its own compose file, and only its own variables."""
        names = ("JOULEBOARD_", "AWS_")
        shared = {name: value for name, value in self.variables.items() if name.startswith(names)}
        shared["JOULEBOARD_CONTROL_PLANE"] = self.url
        self.gpu.start("gpu-worker", load(GPU_HOST, shared)["services"]["gpu-worker"], shared)
        until(self._worker_is_known, 180, "a worker that takes tasks")

    def servers(self) -> list[psutil.Process]:
        """Model servers on the GPU host."""
        return [process for process in self.gpu.processes() if "mock_server" in " ".join(_line(process))]

    def _worker_is_known(self) -> bool:
        if self.gpu.running["gpu-worker"].poll() is not None:
            raise AssertionError(self.gpu.log("gpu-worker").read_text())
        known = self.airflow._call("GET", "/edge_worker/ui/worker")["workers"]
        return [worker["state"] for worker in known if worker["worker_name"] == WORKER_NAME] == ["idle"]


@contextlib.contextmanager
def running_scale_out(
    folder: Path, index: PackageIndex, objects: ObjectStore, alert_url: str
) -> Iterator[ScaleOut]:
    """Everything up and healthy; stopped at the end. Alerts go to `alert_url`."""
    port, database_port, health_port = free_port(), free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    variables = _variables(url, index.url, objects, alert_url)
    places = {
        "@postgres/": f"@127.0.0.1:{database_port}/",
        "http://api-server:8080": url,
        "http://localhost:8080": url,
        "http://localhost:8974": f"http://127.0.0.1:{health_port}",
    }
    added = {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(health_port),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT_SECONDS),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        "JOULEBOARD_SCHEDULES": "off",
        "CUDA_VISIBLE_DEVICES": "",
    }
    polling = {
        "AIRFLOW__EDGE__JOB_POLL_INTERVAL": "1",
        "AIRFLOW__EDGE__HEARTBEAT_INTERVAL": "5",
        "CUDA_VISIBLE_DEVICES": "",
    }
    control = _host(folder / "control", places, added)
    gpu = _host(folder / "gpu-host", {}, polling)
    with running_postgres(database_port, variables["POSTGRES_PASSWORD"]) as postgres:
        world = ScaleOut(control, gpu, variables, url, postgres, objects)
        try:
            services = load(MAIN, variables)["services"]
            control.run(services["init"], variables, 300)
            for name in (*COMPONENTS, "notifier"):
                control.start(name, services[name], variables)
            until(lambda: _is_healthy(world), 400, "a healthy control plane")
            world.log_in()
            world.start_worker()
            yield world
        finally:
            gpu.stop()
            control.stop()


def _variables(url: str, index_url: str, objects: ObjectStore, alert_url: str) -> dict[str, str]:
    from cryptography.fernet import Fernet

    return {
        "POSTGRES_PASSWORD": secrets.token_hex(32),
        "AIRFLOW_FERNET_KEY": Fernet.generate_key().decode(),
        "AIRFLOW_JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW_API_SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW_ADMIN_PASSWORD": secrets.token_hex(16),
        "JOULEBOARD_WORKER_SECRET": secrets.token_hex(64),
        "JOULEBOARD_URL": url,
        "JOULEBOARD_RAW": URL,
        "JOULEBOARD_INDEX_URL": index_url,
        "JOULEBOARD_VLLM_FLOOR": NEWEST,
        "JOULEBOARD_FLEET": FLEET,
        "JOULEBOARD_CPU_QUEUE": QUEUE,
        "JOULEBOARD_QUEUE": QUEUE,
        "JOULEBOARD_DEADLINE_HOURS": str(DEADLINE_SECONDS / 3600),
        "JOULEBOARD_NOTIFY": alert_url.replace("http://", "json://"),
        "JOULEBOARD_WORKER_NAME": WORKER_NAME,
        **objects.variables,
    }


def _host(folder: Path, places: dict[str, str], added: dict[str, str]) -> Host:
    own = {
        "/opt/jouleboard": str(REPOSITORY),
        "/opt/airflow": str(folder / "airflow"),
        "/var/lib/jouleboard": str(folder / "state"),
    }
    folder.mkdir(parents=True)
    return Host(folder, own | places, added)


def _is_healthy(world: ScaleOut) -> bool:
    for name, process in world.control.running.items():
        if process.poll() is not None:
            raise AssertionError(f"{name} ended:\n{world.control.log(name).read_text()[-4000:]}")
    try:
        report = httpx.get(f"{world.url}/api/v2/monitor/health", timeout=5).raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return False
    parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
    return all((report.get(part) or {}).get("status") == "healthy" for part in parts)


def _line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def task_client(world: ScaleOut) -> Client:
    """What a supervisor talks to the control plane with on behalf of a task."""
    generator = JWTGenerator(
        secret_key=world.variables["AIRFLOW_JWT_SECRET"],
        valid_for=60,
        audience="urn:airflow.apache.org:task",
    )
    token = generator.generate({"sub": str(uuid.uuid4())})
    return Client(base_url=f"{world.url}/execution/", token=token)


def task_instances(airflow: Airflow, run: Any) -> list[dict[str, Any]]:
    """Every task instance of a run, as the API gives it: with its queue, executor and host."""
    path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances"
    return list(airflow._call("GET", path, params={"limit": 1000})["task_instances"])
