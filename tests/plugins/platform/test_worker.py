"""Joining a control plane: what is missing or wrong is one line; what starts knows no more than it must.

That a host which joined measures, and survives what may happen to it: `tests/e2e/test_scale_out.py`.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from benchmark_tasks.errors import TRY_AGAIN, JouleboardError, SettingsError
from benchmark_tasks.host.device_lock import MARK, hold_devices
from jouleboard_airflow.platform import gpu_host, worker, worker_keys

SECRET = "s" * 64
PLUGINS = str(Path(worker.__file__).parents[2])


def variables(home: Path, **changes: str) -> dict[str, str]:
    own = {
        "JOULEBOARD_HOME": str(home),
        "JOULEBOARD_CONTROL_PLANE": "http://127.0.0.1:9",
        "JOULEBOARD_WORKER_SECRET": SECRET,
        "JOULEBOARD_QUEUE": "gpu-h200",
        "CUDA_VISIBLE_DEVICES": "",
    }
    return own | changes


def read(environment: Mapping[str, str], *arguments: str) -> gpu_host.Worker:
    return gpu_host.read(worker.parse(list(arguments)), environment)


def join(home: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JOULEBOARD_")}
    environment = inherited | {"PYTHONPATH": PLUGINS} | variables(home, **changes)
    command = [sys.executable, "-m", "jouleboard_airflow.platform.worker"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def control_plane(status: int) -> Iterator[str]:
    """Answers the health check, and everything else with a status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200)

        def do_PATCH(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(status)

        def _answer(self, code: int) -> None:
            self.send_response(code)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"JOULEBOARD_CONTROL_PLANE": ""}, "address of the UI"),
        ({"JOULEBOARD_CONTROL_PLANE": "ftp://host"}, "JOULEBOARD_CONTROL_PLANE=ftp://host"),
        ({"JOULEBOARD_CONTROL_PLANE": "http://user:secret@host"}, "address of the UI"),
        ({"JOULEBOARD_WORKER_SECRET": ""}, "openssl rand -hex 64"),
        ({"JOULEBOARD_WORKER_SECRET": "short"}, "at least 64 characters"),
        ({"JOULEBOARD_QUEUE": ""}, "no GPU: name the queue"),
        ({"JOULEBOARD_QUEUE": "a,b"}, "JOULEBOARD_QUEUE=a,b"),
        ({"JOULEBOARD_WORKER_NAME": "x/../y"}, "JOULEBOARD_WORKER_NAME=x/../y"),
    ],
)
def test_what_is_missing_or_wrong_is_one_line(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        read(variables(tmp_path, **changes))
    assert "\n" not in str(caught.value)


def test_the_command_line_goes_before_the_environment(tmp_path: Path) -> None:
    found = read(
        variables(tmp_path), "--control-plane", "https://ui.example.org/", "--queue", "q", "--name", "n"
    )
    assert (found.control_plane, found.queue, found.name) == ("https://ui.example.org", "q", "n")


def test_it_may_be_told_the_fleet_so_that_it_knows_every_task_of_it(tmp_path: Path) -> None:
    assert read(variables(tmp_path)).fleet == ""
    told = read(variables(tmp_path, JOULEBOARD_FLEET="H200:8x2,B200:8"))
    assert told.environment({})["AIRFLOW__JOULEBOARD__FLEET"] == "H200:8x2,B200:8"


def test_it_starts_with_its_own_key_and_nothing_of_another_airflow(tmp_path: Path) -> None:
    found = read(variables(tmp_path))
    inherited = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://x",
        "AIRFLOW_HOME": "/elsewhere",
        "AIRFLOW__EDGE__JOB_POLL_INTERVAL": "1",
        "AIRFLOW__EDGE__API_URL": "http://elsewhere",
        "JOULEBOARD_WORKER_SECRET": SECRET,
        "AWS_ENDPOINT_URL": "http://store",
    }
    environment = found.environment(inherited)
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in environment
    assert "JOULEBOARD_WORKER_SECRET" not in environment
    assert environment["AIRFLOW_HOME"] == str(tmp_path / "worker")
    assert environment["AIRFLOW__EDGE__API_URL"] == "http://127.0.0.1:9/edge_worker/v1/rpcapi"
    assert environment["AIRFLOW__EDGE__JOB_POLL_INTERVAL"] == "1"
    assert environment["AWS_ENDPOINT_URL"] == "http://store"


def test_one_worker_a_home(tmp_path: Path) -> None:
    found = read(variables(tmp_path))
    with worker.take_place(found), pytest.raises(JouleboardError, match=r"a worker with .* runs already"):
        worker.take_place(found)
    worker.take_place(found).close()


def test_what_an_earlier_worker_left_is_ended_before_anything_else(tmp_path: Path) -> None:
    with hold_devices(tmp_path, [0], "first") as mark:
        leftover = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: mark}, start_new_session=True)
    worker.clean_up(read(variables(tmp_path)))
    assert not psutil.pid_exists(leftover.pid)


def test_a_control_plane_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    ended = join(tmp_path)
    assert ended.returncode == TRY_AGAIN
    assert ended.stderr.startswith("error: http://127.0.0.1:9 does not answer like a control plane")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("status", "message"),
    [(403, "refuses this host's key"), (400, "has another version of Airflow"), (409, "answers 409")],
)
def test_a_control_plane_that_refuses_is_one_line(tmp_path: Path, status: int, message: str) -> None:
    with control_plane(status) as url:
        ended = join(tmp_path, JOULEBOARD_CONTROL_PLANE=url)
    assert ended.returncode == TRY_AGAIN
    assert message in ended.stderr.splitlines()[-1]
    assert SECRET not in ended.stdout + ended.stderr


def test_the_key_set_is_read_by_its_owner_only_and_has_the_secret(tmp_path: Path) -> None:
    import jwt

    path = tmp_path / "home" / "workers.jwks"
    worker_keys.write_key_set(path, SECRET)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = jwt.PyJWKSet.from_dict(json.loads(path.read_text()))[worker_keys.KEY_ID]
    token = jwt.encode({"method": "jobs"}, SECRET, algorithm="HS512")
    assert jwt.decode(token, key, algorithms=["HS512"]) == {"method": "jobs"}


@pytest.mark.parametrize(("claimed", "allowed"), [("worker/x", True), ("jobs/fetch/x", False), (None, False)])
def test_a_token_is_good_for_one_route(claimed: str | None, allowed: bool) -> None:
    context = SimpleNamespace(method="worker/x")
    assert worker_keys.verify({"method": claimed}, context) == {"authorized": allowed}
