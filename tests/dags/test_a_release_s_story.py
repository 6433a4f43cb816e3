"""Three releases, of which the last needs 5 % more energy: from the watch to the message that says so.

Watch, plans, canaries, decisions, reruns, gate, dbt, publications, pages and messages are real. Each DAG is
run whole by `dag.test()`, with the form that the DAG before it filled in. Only `jouleboard measure` is
replaced, by a command that lands bundles of a known power: the gate wants windows of 30 s. The real command,
and the asset events between the DAGs, are in `tests/e2e`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.catalog import load, records
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.package_index import PackageIndex
from benchmark_tasks.vocabulary import Task
from expectations.publications import query
from jouleboard_airflow.notifications.delivery import Delivery
from jouleboard_airflow.notifications.receivers import Receivers
from jouleboard_airflow.notifications.records import Records
from jouleboard_airflow.tasks import confirming
from tests.dags.commands import answer, measure_with, said, states
from tests.dags.conftest import dags_with_fleet
from tests.dags.small_catalog import CANARY, OTHER, POLICY, small_catalog
from tests.receivers import Hook

__all__ = ["small_catalog"]

FIRST, SAME, HIGHER = "0.62.0", "0.63.0", "0.64.0"
BATCH_SIZE = 64
STEP = 0.05
WATTS = {FIRST: 300.0, SAME: 300.0, HIGHER: 300.0 * (1 + STEP)}
"""Power under each release; all are equally fast."""

LANDS_IN_TURN = """
import json, os, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from benchmark_tasks.plan.sweep import Plan
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.samples import sample_run, write_sample

a100 = {"name": "NVIDIA A100-SXM4-80GB", "memory_bytes": 80 * 2**30, "power_limit_watts": 400.0}
clocks = {"sm_clock_median_mhz": 1400.0, "memory_clock_median_mhz": 1593.0}
taken = ("weights", "length_control", "model_revision")
plan = Plan.model_validate_json(Path(sys.argv[1]).read_bytes())
settings, watts = Settings.from_environment(), json.loads(os.environ["WATTS"])
landed = [run for run, _ in Store.of(settings).records().runs]
began = max((run.finished_at for run in landed), default=datetime.now(UTC) - timedelta(days=1))
for number, sweep in enumerate(plan.sweeps):
    slow = 1 if sweep.model_id.endswith("canary") else 10
    like = sample_run(runtime_version=sweep.runtime_version)
    keys = {"power_limit_watts": 400.0} | {name: getattr(sweep, name) for name in taken}
    gpu = like.provenance.gpus[0].model_copy(update=a100)
    for point in sweep.points:
        for repeat in range(point.repeats):
            began += timedelta(minutes=20)
            run = sample_run(
                configuration=sweep.configuration(point), batch_size=point.batch_size,
                comparability=like.comparability.model_copy(update=keys),
                provenance=like.provenance.model_copy(update={"gpus": (gpu,)}),
                campaign_id=sweep.campaign_id,
                server=like.server, device=like.device.model_copy(update=clocks),
                power_watts=watts[sweep.runtime_version] + 0.2 * ((number + repeat) % 3),
                started_at=began, finished_at=began + timedelta(seconds=90),
            )
            start, *rest = run.phases
            start = start.model_copy(update={"seconds": slow * start.seconds, "joules": slow * start.joules})
            run = run.model_copy(update={"phases": (start, *rest)})
            Store.of(settings).land_copy(write_sample(settings.home / "measured", run))
            print("landed", run.run_id)
"""
"""One server per sweep, one after the other on one GPU, with a scatter of 0.1 %; a canary's starts faster."""


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    """A package index without a release of vLLM yet."""
    with PackageIndex({"xfuser": ["0.1.0"]}) as index:
        monkeypatch.setenv("JOULEBOARD_INDEX_URL", index.url)
        yield index


@pytest.fixture
def here(
    dags: dict[str, Any], small_catalog: Path, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Any]]:
    """The DAGs of an installation with one A100 and two configurations, of which one is a canary."""
    measures(small_catalog, OTHER, (BATCH_SIZE,))
    policy = POLICY | {"most_of_sweep": 0.7}  # one canary is much of two configurations
    (small_catalog / "canaries.yaml").write_text(yaml.safe_dump(policy))
    measure_with(LANDS_IN_TURN, monkeypatch)
    monkeypatch.setenv("WATTS", json.dumps(WATTS))
    yield dags_with_fleet("A100:1", monkeypatch)
    forget_runs()


def measures(catalog: Path, model_id: str, sizes: tuple[int, ...]) -> None:
    """The catalog has these batch sizes of a model."""
    model = load(overlay=catalog).model(model_id)
    task = model.tasks[Task.LM_ARENA_CHAT]
    place = task.deployments[0].model_copy(update={"batch_sizes": sizes})
    tasks = {Task.LM_ARENA_CHAT: task.model_copy(update={"deployments": (place,)})}
    records.write(records.file_of(catalog / "models", model_id), model.model_copy(update={"tasks": tasks}))


def forget_runs() -> None:
    """Other tests count the runs that a watch started."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(DagRun).where(DagRun.run_id.in_([run_id_of(each) for each in WATTS])))


def run_id_of(version: str) -> str:
    return f"release__vllm__{version}"


def asked_for(dag_id: str) -> dict[str, dict[str, Any]]:
    """The forms of runs that other DAGs started, by run id, the oldest first."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        waiting = select(DagRun).where(DagRun.dag_id == dag_id, DagRun.state == "queued").order_by(DagRun.id)
        return {run.run_id: dict(run.conf or {}) for run in session.scalars(waiting)}


def seen(here: dict[str, Any], index: PackageIndex, *versions: str) -> dict[str, dict[str, Any]]:
    """Releases appear, and the watch looks: the forms of the runs that it starts, by run id."""
    before = asked_for("benchmark_release")
    for version in versions:
        index.add("vllm", version)
    form = {"hub": False, "vllm_floor": FIRST, "gpu_model": "A100"}
    assert here["watch_releases"].test(run_conf=form).state == "success"
    after = asked_for("benchmark_release")
    return {run_id: after[run_id] for run_id in after if run_id not in before}


def run_of(dag: Any, form: dict[str, Any]) -> Any:
    """A run of a DAG, which succeeds."""
    run = dag.test(run_conf=form)
    assert run.state == "success", states(run)
    return run


def landed(campaign: str) -> Counter[tuple[str, str]]:
    """Number of runs of a campaign by model and release."""
    runs = [run for run, _ in Store.of(Settings.from_environment()).records().runs]
    return Counter(
        (run.configuration.model_id, run.comparability.runtime_version)
        for run in runs
        if run.campaign_id == campaign
    )


def page_of(version: str, settings: Settings) -> str:
    """The page of a release in the current publication, in one line."""
    path = settings.published / "current" / "site" / "releases" / f"vllm-{version}.html"
    return " ".join(path.read_text().split())


def test_a_step_of_energy_goes_from_the_watch_to_the_message(
    here: dict[str, Any],
    index: PackageIndex,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings, questions = Settings.from_environment(), answer("Approve", monkeypatch)
    benchmark, refresh = here["benchmark_release"], here["refresh_leaderboard"]
    forms = seen(here, index, FIRST, SAME)
    assert set(forms) == {run_id_of(FIRST), run_id_of(SAME)}
    first = run_of(benchmark, forms[run_id_of(FIRST)])
    assert landed(first.run_id) == {(CANARY, FIRST): 3, (OTHER, FIRST): 3}

    same = run_of(benchmark, forms[run_id_of(SAME)])
    assert landed(same.run_id) == {(CANARY, FIRST): 2, (CANARY, SAME): 2}
    assert len(questions) == 2  # nothing is published, so the GPU time is unknown
    assert all("the GPU time of" in body for _, body in questions)
    assert states(run_of(refresh, {})) == {
        "refresh": "success",
        "ask_a_person": "skipped",
        "publish_approved": "skipped",
        "copy_to_database": "skipped",
        "announce": "success",
    }
    waits = query(
        settings, "select distinct canaries_unchanged_until from leaderboard where model_id = 'org/other'"
    )
    assert waits.rows == ((SAME,),)
    assert "On A100, 1 row was not measured under this release, as canaries say" in page_of(SAME, settings)

    forms = seen(here, index, HIGHER)
    assert list(forms) == [run_id_of(HIGHER)]
    higher = run_of(benchmark, forms[run_id_of(HIGHER)])
    canaries = {(CANARY, SAME): 4, (CANARY, HIGHER): 4}
    assert landed(higher.run_id) == canaries | {(OTHER, HIGHER): 3}
    form = list(asked_for("confirm_changes").values())[-1]
    assert form == {confirming.BASIS: confirming.LANDED}
    reruns = run_of(here["confirm_changes"], form)
    assert landed(f"confirm__{reruns.run_id}") == {(OTHER, FIRST): 2, (OTHER, HIGHER): 2}

    run_of(refresh, {})
    history = "select * from release_history where runtime_version = '{}' order by model_id, batch_size"
    for row in query(settings, history.format(HIGHER)).records():
        assert row["is_candidate"] and row["energy_verdict"] == "worse" and row["confirmation"] == "confirmed"
        assert row["energy_change_low"] < STEP < row["energy_change_high"]
    (row,) = query(settings, history.format(SAME)).records()
    assert (row["model_id"], row["is_candidate"]) == (CANARY, False)
    assert len(questions) == 2  # what it takes is known now, and the step is within the gate's band
    told(settings)
    assert states(run_of(refresh, {}))["announce"] == "skipped"
    caplog.clear()
    with pytest.raises(AirflowSkipException, match="no change waits for reruns"):
        confirming.plan_confirmations(dict(here["confirm_changes"].params) | form, "another")
    assert "building release_history" not in said(caplog)  # the publication has all that has landed


def told(settings: Settings) -> None:
    """Page, feed and message say it in the same words, with the interval."""
    assert confirming.tell(1) == "Changes of energy: 2 confirmed"
    with Hook() as hook:
        Delivery(settings, Receivers((hook.address,)), Records(settings)).deliver()
        hook.shutdown()
    (message,) = hook.received
    page, feed = page_of(HIGHER, settings), (settings.published / "current" / "site" / "feed.xml").read_text()
    lines = message["message"].splitlines()
    assert {re.sub(r"[+][\d.]+", "+N", line) for line in lines} == {
        f"vLLM {HIGHER}: energy per token +N % (+N to +N) at batch {BATCH_SIZE}, {model} "
        "(stand-in.1 weights), A100, confirmed"
        for model in ("canary", "other")
    }
    for line in lines:
        assert line in page
        assert line in feed
