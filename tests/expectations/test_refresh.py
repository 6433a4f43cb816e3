"""The story of a refresh on real parts: landed bundles, dbt, Great Expectations, publications."""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from benchmark_tasks.errors import BuildError, DiskFull, GateRefused
from benchmark_tasks.imports import mlenergy
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import KeyKind, Registry, new_key
from benchmark_tasks.testing.samples import (
    sample_generation_run,
    sample_open_run,
    sample_run,
    write_sample,
)
from benchmarks.published import published_folder
from expectations import publications
from expectations.candidate.build import PROJECT
from expectations.contributions import pack, take
from expectations.gate import intake, quarantine
from expectations.gate.approval import Approval
from expectations.publications import query
from expectations.refresh import RefreshResult, judge_now, refresh
from expectations.suites.run import run_checks
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.upkeep.backup import backup
from jouleboard_airflow.upkeep.restore import restore
from tests.expectations import document
from tests.expectations.gate_faults import FAULTS, good_runs, imperfect_runs, land, land_fault

SECRET = "canary-2f9c1e"
ODD = 'it\'s $HOME; {x} {{ y }} %20 [a]* "q" \\ & # \u00e9/' + 60 * "long"
HOSTILE = "<script>alert(1)<"
HOSTILE_VERSION = (
    "99999999999999999999999.0'); drop table marts.leaderboard; --<script>alert(2)</script>{{ 7*7 }}"
)
First = tuple[RefreshResult, list[str]]
"""The first refresh, and what it said."""
ENVIRONMENT = {**os.environ, "GX_ANALYTICS_ENABLED": "false"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Good, imperfect and faulty runs, a folder with a hostile name, and ML.ENERGY's rows where they are.

    The home's name has whatever SQL, Jinja, shells, glob patterns and settings read as their own.
    """
    settings = Settings(home=tmp_path_factory.mktemp("story") / ODD)
    store = Store(settings.raw)
    for run in (*good_runs(), *(run for run, _ in imperfect_runs().values())):
        land(store, run)
    land(store, hostile_run())
    by_name = {fault.name: fault for fault in FAULTS}
    for name in ("power above the TDP", "truncated run.json", "tampered run.json"):
        land_fault(store, by_name[name])
    (settings.raw / "lm-arena-chat" / "2026-11" / HOSTILE).mkdir()
    if published := published_folder():
        mlenergy.import_results(str(published), settings)
    contribute(settings, Settings(home=settings.home.with_name("alice")))
    return settings


def contribute(settings: Settings, hers: Settings) -> None:
    """Land every kind of run from alice: one row that ours reproduce, and others that only she measured."""
    key = new_key(hers)
    Registry().trust("alice", KeyKind.CONTRIBUTOR, key.public_key).write(settings)
    runs = (
        *(sample_run(batch_size=32, tokens_per_second=4000 * (1 + i / 90)) for i in range(1, 3)),
        sample_run(batch_size=8, tokens_per_second=1010),
        *(sample_generation_run(video=video, batch_size=2) for video in (False, True)),
        *(sample_open_run(request_rate=rate, power_watts=160 + 28 * rate) for rate in (0.4, 4.0)),
    )
    bundles = [write_sample(hers.home / "bundles", run) for run in runs]
    pack(bundles, hers.home / "runs.tar.gz", hers)
    assert len(take(hers.home / "runs.tar.gz", "alice", settings).landed) == len(runs)


def hostile_run() -> Run:
    """A good run whose every free text tries something."""
    good = sample_run(
        batch_size=64, runtime_version=HOSTILE_VERSION, note=HOSTILE_VERSION, campaign_id="../../x'"
    )
    names = ("host", "operating_system", "cpu_model", "python_version", "git_commit", "catalog_hash")
    return good.model_copy(
        update={
            "provenance": good.provenance.model_copy(update=dict.fromkeys(names, HOSTILE_VERSION)),
            "comparability": good.comparability.model_copy(update={"request_set_id": HOSTILE_VERSION}),
        }
    )


DYING = """
import os, signal, sys
from pathlib import Path
from benchmark_tasks.settings import Settings
from expectations.refresh import refresh

def die(event, arguments):
    if event == "open" and sys.argv[2] in str(arguments[0]):
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die)
refresh(Settings(home=Path(sys.argv[1])), say=print)
"""


@pytest.fixture(scope="module")
def killed(settings: Settings) -> subprocess.CompletedProcess[str]:
    """A refresh that was killed while dbt built the leaderboard."""
    return subprocess.run(
        [sys.executable, "-c", DYING, settings.home, "target/run/jouleboard/models/marts/leaderboard/"],
        capture_output=True,
        text=True,
        timeout=250,
        env=ENVIRONMENT,
        check=False,
    )


def test_killed_while_dbt_builds_nothing_is_published(
    settings: Settings, killed: subprocess.CompletedProcess[str]
) -> None:
    assert killed.returncode == -9, killed.stderr
    assert killed.stdout.splitlines()[-1] == "building the marts with dbt"
    assert publications.current(settings) is None
    assert len(list(settings.warehouse.glob("*-*"))) == 1


@pytest.fixture(scope="module")
def first(settings: Settings, killed: subprocess.CompletedProcess[str]) -> First:
    """The first refresh after the killed one, and what it said."""
    names = ("HF_TOKEN", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "DBT_ENV_SECRET_ANY", "AWS_SECRET_ACCESS_KEY")
    secrets = dict.fromkeys(names, f"postgresql://user:{SECRET}@db/airflow")
    done = subprocess.run(
        [sys.executable, "-m", "benchmark_tasks.cli", "refresh", "--note", "first", "--json"],
        capture_output=True,
        text=True,
        timeout=250,
        env={**ENVIRONMENT, **secrets, "JOULEBOARD_HOME": str(settings.home)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return RefreshResult(**json.loads(done.stdout)), done.stderr.splitlines()


OWN_LINES = (
    "reading the landing zone",
    r"checking \d+ runs",
    r"quarantined \S.*: .*",
    r"accepted \d+ runs, quarantined \d+",
    "building the marts with dbt",
    r"dbt built \d+ models; .*tests passed; checking the marts",
    r"recomputed \d+ measured and \d+ imported rows",
    r"published 1: .*",
)
"""What a refresh says; everything else would be a library's."""


def test_a_refresh_prints_no_line_of_a_library(first: First) -> None:
    _, said = first
    assert [line for line in said if not any(re.fullmatch(own, line) for own in OWN_LINES)] == []
    assert len(said) > 5


def test_the_first_refresh_publishes_what_was_accepted(settings: Settings, first: First) -> None:
    result, said = first
    assert (result.changed, result.publication, result.quarantined) == (True, 1, 4)
    assert list(settings.warehouse.glob("*-*")) == []
    current = publications.current(settings)
    assert current is not None and publications.verify(settings, current) == []
    rows = query(
        settings, "select count(*) from run_log where data_source <> 'mlenergy-v3' and is_accepted"
    ).rows
    assert rows == ((result.accepted,),)
    assert any("power_within_tdp" in line and "900 W per GPU of 700 W TDP" in line for line in said)


def test_published_rows_of_others_all_pass(settings: Settings, first: First, published_v3: Path) -> None:
    rows = query(settings, "select count(*) from run_log where data_source = 'mlenergy-v3'").rows
    assert rows == ((1858,),)
    rows = query(settings, "select count(*) from leaderboard where data_source = 'mlenergy-v3'").rows
    assert rows == ((1855,),)  # three configurations were measured twice
    by_task = query(
        settings,
        "select task, count(*), count(*) filter (not is_accepted) from run_log"
        " where data_source = 'mlenergy-v3' group by all order by all",
    ).rows
    text = document.table(
        ("task", "rows", "refused"), [*by_task, ("all", 1858, sum(row[2] for row in by_task))]
    )
    document.check("published", text)


def test_what_others_measured_is_published_as_theirs_and_counts_as_ours_nowhere(
    settings: Settings, first: First
) -> None:
    """Checks of the marts are asked of every kind of contributed row; whose a run is reaches the marts."""
    rows = query(
        settings,
        "select signed_by, data_source, count(*), bool_and(is_accepted) from run_log"
        " where signed_by is not null group by all",
    ).rows
    assert rows == (("alice", "contributor/alice", 7, True),)
    rows = query(
        settings,
        "select task, batch_size, tier from leaderboard where data_source = 'contributor/alice' order by all",
    ).rows
    assert rows == (
        ("lm-arena-chat", 8, "contributed"),
        ("lm-arena-chat", 32, "reproduced"),
        ("text-to-image", 2, "contributed"),
        ("text-to-video", 2, "contributed"),
    )
    ranks = query(
        settings, "select count(*) from leaderboard where data_source = 'jouleboard' and tier <> 'certified'"
    )
    assert ranks.rows == ((0,),)


def test_no_secret_of_the_environment_is_published(settings: Settings, first: First) -> None:
    item = publications.read(settings, 1)
    for path in (*item.path.rglob("*"), *settings.warehouse.rglob("*"), settings.published / "events.jsonl"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_no_energy_without_a_counter_reaches_a_ranking(settings: Settings, first: First) -> None:
    ((rows, *figures),) = query(
        settings,
        "select count(*), count(energy_per_output_joules), count(energy_rank), count(energy_position)"
        " from leaderboard where gpu_model = 'none'",
    ).rows
    assert rows and figures == [0, 0, 0]


def test_the_quarantine_table_tells_every_reason(settings: Settings, first: First) -> None:
    rows = dict(query(settings, "select run_id, reasons from quarantine").rows)
    assert len(rows) == 4
    assert HOSTILE in rows
    assert sum("bundle_readable" in reasons for reasons in rows.values()) == 2
    assert sum("bundle_whole" in reasons for reasons in rows.values()) == 1


def test_the_report_says_what_each_run_measured(settings: Settings, first: First) -> None:
    report = (publications.read(settings, 1).path / "site" / "gate_report.html").read_text()
    known = "select run_id, model_id || ' | ' || task from quarantine where model_id is not null"
    rows = query(settings, known).rows
    assert rows
    for run_id, what in rows:
        row = next(row for row in report.split("<tr>") if f'<td class="key"><code>{run_id}</code>' in row)
        assert row.startswith(f"<td>{what} | ")


def test_hostile_text_is_published_as_text(settings: Settings, first: First) -> None:
    rows = query(settings, "select runtime_version from leaderboard where batch_size = 64").rows
    assert (HOSTILE_VERSION,) in rows
    pages = list((publications.read(settings, 1).path / "site").glob("*.html"))
    assert {"index.html", "gate_report.html"} <= {page.name for page in pages}
    for page in pages:
        assert "<script>alert" not in page.read_text()


def test_nothing_changed_means_no_publication_and_no_heavy_import(settings: Settings, first: First) -> None:
    program = (
        "import sys; from pathlib import Path; from benchmark_tasks.settings import Settings;"
        "from expectations.refresh import refresh;"
        "result = refresh(Settings(home=Path(sys.argv[1])), say=print);"
        "assert not result.changed and result.publication == 1;"
        "assert not {'great_expectations', 'dbt', 'duckdb', 'airflow'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, settings.home],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "nothing changed: publication 1 stays current"
    assert [item.number for item in publications.all_publications(settings)] == [1]


def test_restored_on_an_empty_home_nothing_changed_and_nothing_is_refused(
    settings: Settings, first: First, tmp_path: Path
) -> None:
    """Also with a folder that another host is landing into at the time of the backup."""
    there = Settings(home=tmp_path / "restored")
    with Store.of(settings).staging("being written"):
        backup(Installation(settings, 8080), f"{tmp_path}/backup.zip", environment={})
    restore(Installation(there, 8080), f"{tmp_path}/backup.zip")
    result = refresh(there)
    assert (result.changed, result.publication, result.summary) == (
        False,
        1,
        "nothing changed: publication 1 stays current",
    )
    assert list(judge_now(there)) == list(judge_now(settings))
    current = publications.current(there)
    assert current is not None
    assert publications.verify(there, current) == []


def test_nothing_changed_after_a_rollback_leaves_the_rollback(settings: Settings, first: First) -> None:
    """Uses a copy: the same publication under a second number."""
    home = settings.home.with_name("rolled-back")
    shutil.copytree(settings.home, home, symlinks=True)
    copy = Settings(home=home)
    shutil.copytree(home / "published" / "1", home / "published" / "2")
    manifest = home / "published" / "2" / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_text(manifest.read_text().replace('"number": 1,', '"number": 2,', 1))
    publications.roll_back(copy, 2)
    publications.roll_back(copy, 1)
    # The copied bundles have other paths, so only the rule itself is looked at here.
    from expectations.refresh import _unchanged

    result = _unchanged(copy, publications.newest(copy).manifest["inputs_digest"])
    assert result is not None and not result.changed and result.publication == 1
    assert "rolled back from 2" in result.summary


def test_a_dbt_failure_is_one_line_and_publishes_nothing(
    settings: Settings, first: First, tmp_path: Path
) -> None:
    project = tmp_path / "dbt_project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    model = project / "models" / "marts" / "operations" / "run_log.sql"
    model.write_text(
        model.read_text().replace("measurements.throughput_per_watt", "measurements.no_such_column")
    )
    land(Store(settings.raw), sample_run(batch_size=48, tokens_per_second=5000))
    with pytest.raises(BuildError) as caught:
        refresh(settings, project=project, say=lambda line: None)
    assert str(caught.value).startswith("dbt model run_log: ")
    assert "no_such_column" in str(caught.value) and "\n" not in str(caught.value)
    assert publications.current_number(settings.published) == 1


def test_a_failing_test_of_a_mart_names_its_rows(settings: Settings, first: First, tmp_path: Path) -> None:
    project = tmp_path / "dbt_project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    rules = project / "models" / "marts" / "leaderboard" / "leaderboard.yml"
    rule = "energy_per_output_joules is null or energy_source <> 'none'"
    rules.write_text(
        rules.read_text().replace(rule, "data_source <> 'jouleboard' or task <> 'text-to-video'")
    )
    land(Store(settings.raw), sample_run(batch_size=48, tokens_per_second=5010))
    with pytest.raises(BuildError) as caught:
        refresh(settings, project=project, say=lambda line: None)
    line = str(caught.value)
    assert line.startswith("dbt test holds_leaderboard_") and "\n" not in line
    name = (
        "data_source=jouleboard, model_id=Wan-AI/Wan2.1-T2V-1.3B-Diffusers, task=text-to-video, num_gpus=1,"
    )
    assert f"; 4 rows: {name} gpu_model=H200, batch_size=" in line and "runtime_version=0.7.0" in line
    assert line.count("data_source=") == 3 and "; and 1 more (whole log: " in line
    assert publications.current_number(settings.published) == 1


def test_a_released_run_counts_and_an_approved_change_is_published_with_both_reasons(
    settings: Settings, first: First
) -> None:
    verdicts = judge_now(settings)
    (refused,) = [v for v in verdicts.values() if [f.check for f in v.critical][:1] == ["power_within_tdp"]]
    quarantine.release(settings, refused.run_id, "the wall meter agrees", verdicts, run_checks())
    for i in range(3):  # a release that doubles energy per token
        land(
            Store(settings.raw),
            sample_run(runtime_version="0.27.0", tokens_per_second=2000 + i, batch_size=32),
        )
    result = refresh(settings, approve=Approval("0.27.0 turned graphs off", "ann"), say=lambda line: None)
    assert (result.changed, result.publication, result.quarantined) == (True, 2, 3)
    approval = publications.current(settings).manifest["approval"]
    assert (approval["why"], approval["by"]) == ("0.27.0 turned graphs off", "ann")
    assert "0.27.0" in approval["findings"][0]
    assert query(settings, f"select is_accepted from run_log where run_id = '{refused.run_id}'").rows == (
        (True,),
    )


def test_with_nothing_landed_there_is_nothing_to_publish(tmp_path: Path) -> None:
    with pytest.raises(GateRefused, match="nothing to publish: no run has landed"):
        refresh(Settings(home=tmp_path / "home"), say=lambda line: None)


def test_what_was_read_is_given_back_before_dbt_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path / "home")
    land(Store(settings.raw), sample_run())
    read, seen = intake.read, []

    def watched(settings: Settings) -> intake.Intake:
        landed = read(settings)
        seen.append(weakref.ref(landed))
        return landed

    def build(*_: object, **__: object) -> None:
        gc.collect()
        raise BuildError(f"still held: {[ref() is not None for ref in seen]}")

    monkeypatch.setattr(intake, "read", watched)
    monkeypatch.setattr("expectations.refresh.build", build)
    with pytest.raises(BuildError, match=r"^still held: \[False\]$"):
        refresh(settings, say=lambda line: None)


def test_a_disk_that_fills_while_dbt_builds_is_one_line(small_disk: Path, tmp_path: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    settings = Settings(home=tmp_path / "home")
    land(Store(settings.raw), sample_run())
    settings.warehouse.symlink_to(small_disk)
    said: list[str] = []
    with pytest.raises(DiskFull) as caught:
        refresh(settings, say=said.append)
    assert said[-1] == "building the marts with dbt"
    assert str(caught.value).endswith("free some space or move JOULEBOARD_HOME; nothing was published")
    assert publications.current(settings) is None
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    assert refresh(settings, say=said.append).publication == 1  # and space is all that was missing
