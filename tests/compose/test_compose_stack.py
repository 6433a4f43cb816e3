"""docker compose with a real engine, from the commit before to the one that is tested; `make test-compose`.

One project for all tests; their order matters.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest

from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.testing.waiting import until
from jouleboard_airflow.platform.api import DagRun
from jouleboard_airflow.ui.logins import LIMIT
from tests.compose.stack import (
    COMPONENTS,
    Stack,
    checkout,
    docker,
    free_port,
    new_variables,
    patiently,
)
from tests.login_form import guess_in_the_form, send_form

pytestmark = [pytest.mark.compose, pytest.mark.timeout(2400)]

FROM = os.environ.get("JOULEBOARD_COMPOSE_FROM", "HEAD~1")
"""The commit whose images an installation is upgraded from; empty: none, it starts with the working tree."""

RECORDED = "recorded_runs/h200-2026-11-26-vllm-versions"
CANARY = "canary-93b1d5"
LOADS_NUMA = 'import ctypes; ctypes.CDLL("libnuma.so.1")'
SPENT = """
import os, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
times = os.times()
print(times.children_user + times.children_system)
"""
"""Prints the processor seconds of a command."""

CLEAN = """
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.upkeep import airflow_database
for old in airflow_database.old_rows(Installation.from_environment(), days=1 / 1440).removable:
    old.remove()
"""
IMPOSSIBLE = {"models": ["Qwen/Qwen3-8B"], "gpu_model": "none"}
EVERYTHING = "from leaderboard order by all"
ON_DEMAND = {
    "model": "jouleboard/qwen3-tiny",
    "task": "lm-arena-chat",
    "gpu_model": "none",
    "batch_sizes": "1",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The commit before at work, with one publication; then stopped."""
    folder = tmp_path_factory.mktemp("compose")
    project = f"jouleboard-test-{os.getpid()}"
    now = checkout(folder / "now", None)
    (now / "var").mkdir()
    (now / "var" / "secrets.json").write_text(CANARY)
    before = checkout(folder / "before", FROM) if FROM else now
    stack = Stack(project, before, new_variables(f"{project}-before"))
    try:
        timed(stack, "build of the commit before", partial(stack.compose, "build"))
        timed(stack, "first start of the commit before", partial(start_before, stack))
        stack.compose("cp", RECORDED, "scheduler:/var/tmp/recorded")
        stack.jouleboard("land", "/var/tmp/recorded")
        timed(stack, "a publication", partial(stack.run_dag, "refresh_leaderboard", {}, 900))
        assert stack.publications() == [1]
        stack.compose("down")
        stack.folder = now
        stack.variables["JOULEBOARD_TAG"] = project
        yield stack
    finally:
        for name, value in stack.figures.items():
            print(f"{name}: {value:.1f}")
        stack.succeeds("down", "--volumes", "--remove-orphans")
        for name in ("jouleboard", "jouleboard-worker"):
            for tag in (project, f"{project}-before"):
                subprocess.run(["docker", "image", "rm", f"{name}:{tag}"], capture_output=True, check=False)


def start_before(stack: Stack) -> None:
    """Older files have health checks that fail on a busy machine: what counts is Airflow's own report."""
    stack.compose("up", "--detach", *COMPONENTS)

    def healthy() -> bool:
        time.sleep(1)
        try:
            return "healthy" in httpx.get(f"{stack.url}/api/v2/monitor/health", timeout=20).text
        except httpx.HTTPError:
            return False

    until(healthy, 600, "health of the commit before")


def timed(stack: Stack, name: str, action: Callable[[], object]) -> None:
    """Do it, and keep how many seconds it took."""
    began = time.monotonic()
    action()
    stack.figures[name] = time.monotonic() - began


def test_an_upgrade_keeps_what_is_published_and_the_history(stack: Stack) -> None:
    timed(stack, "build", partial(stack.compose, "build"))
    timed(stack, "upgrade until healthy", stack.up)
    assert stack.publications() == [1]
    assert [run.state for run in stack.airflow().runs("refresh_leaderboard")] == ["success"]


def test_images_hold_what_a_worker_needs_no_secret_and_run_as_nobody_special(stack: Stack) -> None:
    tag = stack.variables["JOULEBOARD_TAG"]
    for name in ("jouleboard", "jouleboard-worker"):
        image = f"{name}:{tag}"
        stack.figures[f"size of {name}, MB"] = (
            int(docker("image", "inspect", "--format", "{{.Size}}", image)) / 1e6
        )
        look = ["run", "--rm", "--entrypoint", "sh", image, "-c"]
        assert docker(*look, "id -u").strip() == "50000"
        left = docker(
            *look,
            "find / -xdev \\( -name '.env*' -o -name secrets.json \\) -not -path '/proc/*' 2>/dev/null; true",
        )
        assert left.split() == []
        secret = "|".join([CANARY, stack.variables["AIRFLOW_JWT_SECRET"]])
        found = docker(*look, f"grep -rlE '{secret}' /opt /home /etc /tmp /var 2>/dev/null; true")
        assert found.split() == []
        assert CANARY not in docker("history", "--no-trunc", image)
    needed = f"cc --version && c++ --version && python -c '{LOADS_NUMA}'"
    docker("run", "--rm", "--entrypoint", "sh", f"jouleboard-worker:{tag}", "-c", needed)


def test_containers_have_limits_and_rotate_their_logs(stack: Stack) -> None:
    stack.figures |= {f"memory of {name}, MB": used for name, used in stack.memory().items()}
    for name, container in stack.containers().items():
        host = container["HostConfig"]
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}, name
        assert host["Memory"] > 0 or name == "gpu-worker", name
        assert host["CapDrop"] == ["ALL"] or name == "postgres"


def test_a_health_check_costs_little(stack: Stack) -> None:
    for name in ("dag-processor", "triggerer"):
        test = stack.containers()[name]["Config"]["Healthcheck"]["Test"][1:]
        spent = float(stack.compose("exec", "-T", name, "python", "-c", SPENT, *test).split()[-1])
        stack.figures[f"processor seconds per check of {name}"] = spent
        assert spent < 1


def test_a_worker_joins_under_the_machine_s_name_measures_and_it_is_published(stack: Stack) -> None:
    workers = stack.airflow()._call("GET", "/edge_worker/ui/worker")["workers"]
    assert platform.node() in [worker["worker_name"] for worker in workers if worker["state"] == "idle"]
    doctor = json.loads(stack.compose("exec", "-T", "gpu-worker", "jouleboard", "doctor", "--json"))
    assert {row["name"]: row["state"] for row in doctor}["libraries"] == "ok"
    timed(
        stack, "a measurement on a new worker", partial(stack.run_dag, "benchmark_on_demand", ON_DEMAND, 2000)
    )
    stack.wait_until_ended("refresh_leaderboard", 2, 900)
    assert len(stack.publications()) == 2
    rows = json.loads(
        stack.jouleboard("query", "--json", "select host from run_log where gpu_model = 'none'")
    )
    assert [row["host"] for row in rows] == [platform.node()]


def test_every_killed_container_comes_back(stack: Stack) -> None:
    published = stack.publications()
    for name, container in stack.containers().items():
        before = container["State"]["Pid"]
        try:
            os.kill(before, 9)
        except (PermissionError, ProcessLookupError):
            pytest.skip("the engine's processes are not this machine's, or not this user's")
        until(partial(_runs_anew, stack, name, before), 120, f"{name} anew")
    timed(stack, "healthy after every container was killed", stack.wait_until_healthy)
    assert stack.publications() == published


def _runs_anew(stack: Stack, name: str, pid: int) -> bool:
    time.sleep(0.5)
    container = stack.containers().get(name)
    return container is not None and container["State"]["Pid"] not in (0, pid)


def test_logins_are_limited_and_a_forged_address_is_not_believed(stack: Stack) -> None:
    statuses = [guess_in_the_form(stack.url, 1, headers=forged(guess)) for guess in range(6)]
    assert statuses == [[302]] * 5 + [[429]]
    wrong = {"username": "admin", "password": "wrong"}
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        answers = [
            client.post("/auth/token", json=wrong, headers=forged(guess)) for guess in range(LIMIT.amount + 1)
        ]
        form = client.get("/auth/login/", headers=forged(0))
    assert [answer.status_code for answer in answers] == [401] * LIMIT.amount + [429]
    cookies = form.headers.get_list("set-cookie")
    assert cookies and [cookie for cookie in cookies if "secure" in cookie.lower()] == []


def forged(guess: int) -> dict[str, str]:
    """What a client may claim, that no proxy confirms."""
    return {"X-Forwarded-For": f"203.0.113.{guess}", "X-Forwarded-Proto": "https"}


def test_down_and_up_keep_data_and_a_new_password_takes_effect(stack: Stack) -> None:
    airflow = patiently(stack.airflow)  # which refused too many logins a moment ago
    old, published, runs = stack.password(), stack.publications(), airflow.runs("refresh_leaderboard")
    stack.compose("down")
    stack.variables["AIRFLOW_ADMIN_PASSWORD"] = "the-new-one-" + old[:8]
    timed(stack, "down, and up until healthy", stack.up)
    assert stack.publications() == published
    assert stack.airflow().runs("refresh_leaderboard") == runs
    refused = httpx.post(f"{stack.url}/auth/token", json={"username": "admin", "password": old}, timeout=60)
    assert refused.status_code == 401
    stack.variables["AIRFLOW_ADMIN_PASSWORD"] = "and-another-" + old[:8]
    stack.up()  # the containers stay: only init runs again
    stack.airflow()
    stack.variables["AIRFLOW_ADMIN_PASSWORD"], current = "the-new-one-" + old[:8], stack.password()
    with pytest.raises(JouleboardError):
        stack.airflow()
    stack.variables["AIRFLOW_ADMIN_PASSWORD"] = current


def test_behind_a_tls_proxy_everything_stays_https(stack: Stack, tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", "privkey.pem", "-out", "fullchain.pem"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    http, https = free_port(), free_port()
    url = f"https://localhost:{https}"
    stack.files = (*stack.files, "docker-compose.tls.yml")
    stack.variables |= {
        "JOULEBOARD_CERTIFICATES": str(tmp_path),
        "JOULEBOARD_HTTP_PORT": str(http),
        "JOULEBOARD_HTTPS_PORT": str(https),
        # The default may be in use here: by another stack, or by a bridge that an engine left behind.
        "JOULEBOARD_PROXY_NETWORK": f"172.31.{secrets.randbelow(250)}.{16 * secrets.randbelow(16)}/28",
        "JOULEBOARD_URL": url,
    }
    timed(stack, "with the proxy until healthy", stack.up)
    trusted = ssl.create_default_context(cafile=str(tmp_path / "fullchain.pem"))
    moved = httpx.get(f"http://localhost:{http}/x?y=1", timeout=30)
    assert (moved.status_code, moved.headers["location"]) == (308, "https://localhost/x?y=1")
    with httpx.Client(base_url=url, verify=trusted, timeout=60) as client:
        redirect = client.get("/jouleboard/")
        form = client.get("/auth/login/")
        for answer in (redirect, form):
            assert not answer.headers.get("location", "").startswith("http:")
            assert answer.headers["strict-transport-security"].startswith("max-age=")
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
            assert answer.headers["referrer-policy"]
        token = client.post("/auth/token", json={"username": "admin", "password": stack.password()})
        assert token.status_code == 201
        _log_in(client, stack.password())
        page = client.get("/jouleboard/")
        assert page.status_code == 200 and "default-src 'none'" in page.headers["content-security-policy"]
        guess = partial(client.post, "/auth/token", json={"username": "admin", "password": "wrong"})
        with ThreadPoolExecutor(LIMIT.amount) as guesses:  # at once: the proxy allows one per 6 s
            answers = [each.result() for each in [guesses.submit(guess) for _ in range(LIMIT.amount)]]
        assert {answer.status_code for answer in answers} == {401, 429}
        refused = [answer.text for answer in answers if answer.status_code == 429]
        assert all("nginx" in text for text in refused)  # the API server would refuse the next one
    assert _check(stack, "proxy")
    stack.compose("stop", "api-server")
    assert not _check(stack, "proxy"), "nothing is reached through it"
    stack.up("api-server")


def _check(stack: Stack, name: str) -> bool:
    """Whether the health check of a service's container succeeds now."""
    test = stack.containers()[name]["Config"]["Healthcheck"]["Test"]
    assert test[0] == "CMD"
    return stack.succeeds("exec", "-T", name, *test[1:])


def _log_in(client: httpx.Client, password: str) -> None:
    """As the form does; every redirect stays on https, and every cookie is for https only."""
    answer = send_form(client, "admin", password)
    cookies = answer.headers.get_list("set-cookie")
    for _ in range(5):
        if answer.next_request is None:
            break
        assert answer.next_request.url.scheme == "https"
        answer = client.send(answer.next_request)
        cookies += answer.headers.get_list("set-cookie")
    assert any(cookie.startswith("_token=") for cookie in cookies)
    assert [cookie for cookie in cookies if "secure" not in cookie.lower()] == []


def test_a_backup_of_the_running_stack_makes_another_one_whole(stack: Stack, tmp_path: Path) -> None:
    """As docs/how-to/back-up-and-restore.md says, into empty volumes; the next refresh changes nothing.

    Nor does it after all of Airflow's history was cleaned that is not needed, while Airflow works.
    """
    published, runs = stack.publications(), stack.airflow().runs("benchmark_on_demand")
    rows = stack.jouleboard("query", "--json", EVERYTHING)
    history = stack.compose("exec", "-T", "postgres", "pg_dump", "--username", "airflow", "airflow")
    file = "/var/tmp/jouleboard.zip"
    timed(stack, "backup", partial(stack.jouleboard, "backup", file))
    stack.compose("cp", f"scheduler:{file}", str(tmp_path / "jouleboard.zip"))
    (tmp_path / "jouleboard.zip").chmod(0o644)
    stack.compose("down")
    port = free_port()
    own = {"JOULEBOARD_PORT": str(port), "JOULEBOARD_URL": f"http://localhost:{port}"}
    other = Stack(f"{stack.project}-restored", stack.folder, stack.variables | own)
    try:
        timed(stack, "restore until healthy", partial(_restore, other, tmp_path / "jouleboard.zip", history))
        assert other.publications() == published
        assert other.jouleboard("query", "--json", EVERYTHING) == rows
        assert other.airflow().runs("benchmark_on_demand") == runs
        timed(stack, "a refresh after the restore", partial(other.run_dag, "refresh_leaderboard", {}, 900))
        assert other.publications() == published
        timed(stack, "Airflow's history cleaned while it works", partial(_clean_history, other))
        assert other.publications() == published
        assert other.jouleboard("query", "--json", EVERYTHING) == rows
    finally:
        other.succeeds("down", "--volumes", "--remove-orphans")


def _restore(other: Stack, file: Path, history: str) -> None:
    other.compose("up", "--detach", "--wait", "postgres")
    load = ("psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--username", "airflow", "airflow")
    other.compose("exec", "-T", "postgres", *load, given=history)
    volume = f"{file}:/var/tmp/jouleboard.zip:ro"
    restore = ("scheduler", "jouleboard", "restore", "/var/tmp/jouleboard.zip")
    other.compose("run", "--rm", "--no-deps", "-T", "--volume", volume, *restore)
    other.up(*COMPONENTS)


def _failed_at_once(other: Stack) -> DagRun:
    """A run of a release, asked for where no form is checked before: by Airflow's own command."""
    airflow = patiently(other.airflow)
    until(lambda: airflow.is_paused("benchmark_release") is not None, 120, "benchmark_release")
    airflow.set_paused("benchmark_release", False)
    trigger = ("airflow", "dags", "trigger", "benchmark_release", "--conf", json.dumps(IMPOSSIBLE))
    other.compose("exec", "-T", "scheduler", *trigger)
    other.wait_until_ended("benchmark_release", 1, 300)
    (run,) = other.airflow().runs("benchmark_release")
    assert run.state == "failed", other.airflow().errors(run)
    return run


def _clean_history(other: Stack) -> None:
    """As if what is older than a minute were old. The runs that say what was measured once stay."""
    judged = _failed_at_once(other)
    old = time.monotonic() + 90
    until(lambda: time.monotonic() > old, 100, "rows that are old")
    other.compose("exec", "-T", "scheduler", "python", "-c", CLEAN, seconds=300)
    assert [run.run_id for run in other.airflow().runs("benchmark_release")] == [judged.run_id]
    assert other.airflow().runs("benchmark_on_demand") == []
    other.wait_until_healthy(120)
    other.run_dag("refresh_leaderboard", {}, 900)
