"""docker-compose.yml at work, without containers: a release becomes a publication on several machines.

One world for all tests; their order matters.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import jwt
import psutil
import pytest
from airflow.api_fastapi.auth.tokens import JWTGenerator

from benchmark_tasks.testing.package_index import PackageIndex
from benchmark_tasks.testing.waiting import until
from expectations.publications import query
from jouleboard_airflow.demo.main_job import DAGS
from jouleboard_airflow.platform.api import DagRun
from jouleboard_airflow.platform.worker_keys import KEY_ID
from jouleboard_airflow.tasks.approval import ASK_TASK, AskApproval
from jouleboard_airflow.ui.logins import LIMIT
from tests.e2e.compose import MAIN, load
from tests.e2e.conftest import NEWEST
from tests.e2e.gpu_safety import Bench, disturb, mark_failed
from tests.e2e.scale_out import (
    COMPONENTS,
    QUEUE,
    WORKER_NAME,
    ScaleOut,
    running_scale_out,
    task_client,
    task_instances,
)
from tests.login_form import guess_in_the_form
from tests.object_store import running_object_store

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


class Alerts:
    """A chat's incoming webhook: keeps what is posted."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        alerts = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                alerts.texts.append(json.loads(body)["message"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture(scope="module")
def alerts() -> Iterator[Alerts]:
    alerts = Alerts()
    yield alerts
    alerts.server.shutdown()
    alerts.server.server_close()


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, index: PackageIndex, alerts: Alerts
) -> Iterator[ScaleOut]:
    folder = tmp_path_factory.mktemp("scale-out")
    with (
        running_object_store() as objects,
        running_scale_out(folder, index, objects, alerts.url) as world,
    ):
        for dag_id in DAGS:
            until(partial(_is_known, world, dag_id), 300, dag_id)
            world.airflow.set_paused(dag_id, False)
        yield world


def _is_known(world: ScaleOut, dag_id: str) -> bool:
    return world.airflow.is_paused(dag_id) is not None


def finished(world: ScaleOut, dag_id: str, run_id: str, seconds: float) -> str:
    def ended() -> str | None:
        run = world.airflow.run(dag_id, run_id)
        return run.state if run and run.finished else None

    return until(ended, seconds, f"the end of {run_id}")


def test_a_release_becomes_a_publication(world: ScaleOut) -> None:
    world.airflow.trigger("watch_releases", {"gpu_model": "none", "hub": False})
    run_id = f"release__vllm__{NEWEST}"
    assert finished(world, "benchmark_release", run_id, 400) == "success"
    run = world.airflow.run("benchmark_release", run_id)
    assert run is not None
    instances = task_instances(world.airflow, run)
    (measured,) = [
        task for task in instances if task["task_id"].startswith("measure") and task["state"] == "success"
    ]
    assert (measured["queue"], measured["hostname"]) == (QUEUE, WORKER_NAME)
    assert WORKER_NAME not in {task["hostname"] for task in instances if task is not measured}
    assert sum(key.endswith("/run.json") for key in world.objects.objects()) == 2
    (refresh,) = until(lambda: world.airflow.runs("refresh_leaderboard"), 180, "a refresh")
    assert finished(world, "refresh_leaderboard", refresh.run_id, 400) == "success"
    columns = "runtime_version, batch_size, throughput_per_second > 0"
    answer = query(world.settings, f"select {columns} from leaderboard order by batch_size")
    assert answer.rows == ((NEWEST, 1, True), (NEWEST, 4, True))
    # Nothing below reads a publication, and each campaign would be followed by one.
    world.airflow.set_paused("refresh_leaderboard", True)


def test_many_watchers_at_once_start_one_run(world: ScaleOut) -> None:
    """As their supervisors ask for it, over HTTP, on PostgreSQL; nobody's task fails."""
    at_once = threading.Barrier(8)
    run_id = "release__vllm__0.33.0"  # has no build for a machine without a GPU: nothing is measured

    def start(_: int) -> str:
        with task_client(world) as client:
            at_once.wait(30)
            conf = {"version": "0.33.0", "gpu_model": "none"}
            return repr(client.dag_runs.trigger("benchmark_release", run_id, conf))

    with ThreadPoolExecutor(at_once.parties) as pool:
        answers = list(pool.map(start, range(at_once.parties)))
    assert sum("DAGRUN_ALREADY_EXISTS" in answer for answer in answers) == at_once.parties - 1, answers
    assert sum(answer.startswith("OKResponse") for answer in answers) == 1, answers
    assert [run.run_id for run in world.airflow.runs("benchmark_release")].count(run_id) == 1


def test_what_a_person_approves_goes_to_its_gpu_host(world: ScaleOut) -> None:
    """Which has no H200 here: its one line on that is what comes back."""
    wanted = {"version": NEWEST, "models": ["Qwen/Qwen3-8B"], "tasks": ["lm-arena-chat"], "repeats": 1}
    run = world.airflow.trigger("benchmark_release", wanted | {"ask_above_gpu_hours": 0})
    approve(world, run, 300)
    assert finished(world, run.dag_id, run.run_id, 300) == "failed"
    (measured,) = [task for task in task_instances(world.airflow, run) if task["hostname"] == WORKER_NAME]
    found = [measured[column] for column in ("task_id", "state", "queue")]
    assert found == ["measure_canaries_on_1x_h200", "failed", QUEUE]
    (error,) = world.airflow.errors(run)
    assert error.endswith(": CUDA_VISIBLE_DEVICES leaves 0 of 1 GPUs")


def approve(world: ScaleOut, run: DagRun, seconds: float) -> None:
    """Answer the run's question once it has stood for a moment: Airflow loses answers that come at once."""

    def standing() -> bool:
        asked = [datetime.fromisoformat(one["created_at"]) for one in world.airflow.questions(run)]
        return any(datetime.now(UTC) - when > timedelta(seconds=3) for when in asked)

    until(standing, seconds, "a question")
    world.airflow.answer(run, ASK_TASK, AskApproval.APPROVE, {"why": "worth it"})


def test_the_measuring_tasks_log_is_on_the_control_plane(world: ScaleOut) -> None:
    run = world.airflow.run("benchmark_release", f"release__vllm__{NEWEST}")
    assert run is not None
    (task,) = [task for task in world.airflow.tasks(run) if task.task_id == "measure_on_cpu"]

    def has_come() -> bool:
        """The worker sends the log piece by piece."""
        return any("batch 4: completed" in line["event"] for line in world.airflow.log(run, task))

    until(has_come, 90, "the end of the measuring task's log")


def test_the_gpu_host_knows_no_secret_of_the_control_plane_and_no_way_to_the_database(
    world: ScaleOut,
) -> None:
    processes = world.gpu.processes()
    assert len(processes) >= 2
    own = {"JOULEBOARD_WORKER_SECRET", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"}
    secrets = {
        value
        for name, value in world.variables.items()
        if name.endswith(("PASSWORD", "SECRET", "KEY")) and name not in own
    }
    for process in processes:
        text = "\n".join(f"{name}={value}" for name, value in process.environ().items())
        assert not [secret for secret in secrets if secret in text]
        assert "postgres" not in text.lower()
        ports = {connection.raddr.port for connection in process.net_connections() if connection.raddr}
        assert world.postgres.port not in ports


def test_the_gpu_hosts_key_opens_nothing_but_the_edge_api(world: ScaleOut) -> None:
    theirs, ours = world.variables["JOULEBOARD_WORKER_SECRET"], world.variables["AIRFLOW_JWT_SECRET"]
    route = f"worker/{WORKER_NAME}"

    def ask_edge(secret: str, method: str) -> int:
        generator = JWTGenerator(secret_key=secret, valid_for=60, audience="api", kid=KEY_ID)
        headers = {"Authorization": generator.generate({"method": method})}
        url = f"{world.url}/edge_worker/v1/{route}"
        return httpx.patch(url, headers=headers, json={}, timeout=90).status_code

    assert ask_edge(theirs, route) == 422  # let in; the empty body is what is wrong
    assert ask_edge(theirs, "worker/another") == 403
    assert ask_edge(ours, route) == 403

    credentials = {"username": "admin", "password": world.password()}
    login = httpx.post(f"{world.url}/auth/token", json=credentials, timeout=90).json()["access_token"]
    claims = jwt.decode(login, options={"verify_signature": False})

    def ask_api(secret: str) -> int:
        signed = jwt.encode(claims, secret, algorithm="HS512", headers={"kid": "not-used"})
        headers = {"Authorization": f"Bearer {signed}"}
        return httpx.get(f"{world.url}/api/v2/dags", headers=headers, timeout=90).status_code

    assert ask_api(ours) == 200
    assert ask_api(theirs) in (401, 403)


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_health_checks_find_health(world: ScaleOut, name: str) -> None:
    service = load(MAIN, world.variables)["services"][name]
    kind, *command = service["healthcheck"]["test"]
    assert kind == "CMD"
    command = world.control.command({"command": command})
    if command[0] == "curl":
        assert httpx.get(command[-1], timeout=20).status_code == 200
        return
    environment = world.control.environment(service, world.variables)
    subprocess.run(command, env=environment, timeout=180, check=True, capture_output=True)


def test_an_upgrade_prepares_again_what_is_prepared(world: ScaleOut) -> None:
    """`docker compose up` after a new image: the service `init` runs once more, over what is there."""
    before = {run.run_id: run.state for run in world.airflow.runs("benchmark_release")}
    service = load(MAIN, world.variables)["services"]["init"]
    world.control.run(service, world.variables, 300)
    after = {run.run_id: run.state for run in world.airflow.runs("benchmark_release")}
    assert after.keys() == before.keys()
    ended = {run_id: state for run_id, state in before.items() if state in ("success", "failed")}
    assert ended
    assert ended.items() <= after.items()


def test_no_gpu_is_lost_whatever_happens_and_a_run_that_hangs_is_told(
    world: ScaleOut, alerts: Alerts
) -> None:
    def kill_worker() -> None:
        guardian = psutil.Process(world.gpu.running["gpu-worker"].pid)
        (worker,) = [child for child in guardian.children() if "edge" in " ".join(child.cmdline())]
        worker.kill()
        world.gpu.running["gpu-worker"].wait(60)
        assert world.gpu.processes() == []
        world.start_worker()

    bench = Bench(world.airflow, world.gpu_home, world.servers)
    run = disturb(bench)
    bench.try_again_at_once(run)

    measurement = bench.next_measurement()
    all_of_it = [measurement.supervisor, *measurement.below_the_supervisor()]
    kill_worker()
    bench.assert_nothing_left_of(all_of_it)
    bench.try_again_at_once(run)

    mark_failed(bench, run, bench.next_measurement())
    late = run.run_id

    def told() -> list[str]:
        """The message that it is solved has the same sentence, and may have come by now."""
        broke = f"What broke: benchmark_release {late} has not ended by its deadline"
        return [text for text in alerts.texts if broke in text]

    (text,) = until(told, 180, "the notification of a late run")
    assert f"What broke: benchmark_release {late} has not ended by its deadline; it is running." in text


def test_who_guesses_passwords_is_refused_by_the_form_and_by_the_address_for_scripts(world: ScaleOut) -> None:
    """The last test: this client is locked out for a minute."""
    wrong = {"username": "admin", "password": "a guess"}
    assert guess_in_the_form(world.url, 6) == [302] * 5 + [429]
    answers = [httpx.post(f"{world.url}/auth/token", json=wrong, timeout=90) for _ in range(LIMIT.amount + 1)]
    assert [answer.status_code for answer in answers] == [401] * LIMIT.amount + [429]
