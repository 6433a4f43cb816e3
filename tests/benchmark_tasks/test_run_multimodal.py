"""Pictures, clips and recordings from request set to landed bundle, against the mock server."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark_tasks.catalog import load
from benchmark_tasks.results import bundle
from benchmark_tasks.results.summary import run_row
from benchmark_tasks.run import measure
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.quick import quick_sweep
from benchmark_tasks.testing.replay_meter import ReplayMeter
from benchmark_tasks.vocabulary import RunStatus, Task, Weights

TINY, OMNI = "jouleboard/qwen3-vl-tiny", "Qwen/Qwen3-Omni-30B-A3B-Instruct"


@pytest.mark.parametrize(
    ("task", "model_id", "weights", "limit"),
    [
        (Task.IMAGE_CHAT, TINY, Weights.DUMMY, '{"image": 1, "video": 0, "audio": 0}'),
        (Task.VIDEO_CHAT, TINY, Weights.DUMMY, '{"image": 0, "video": 1, "audio": 0}'),
        (Task.AUDIO_CHAT, OMNI, Weights.REAL, '{"image": 0, "video": 0, "audio": 1}'),
    ],
    ids=["image", "video", "audio"],
)
def test_a_task_with_items_is_measured_like_a_text_task(
    tmp_path: Path, task: Task, model_id: str, weights: Weights, limit: str
) -> None:
    model = load().model(model_id).model_copy(update={"revision": "a" * 40})
    wanted = quick_sweep(task=task, model_id=model_id, weights=weights, model=model)
    meter = ReplayMeter(lambda seconds: 400.0)
    result = measure(wanted, Settings(home=tmp_path / "home"), meter=meter, say=lambda line: None)
    run = bundle.verify(result.landed[0])
    assert run.status is RunStatus.COMPLETED and run.requests.failed == 0
    for window in (run.window_steady, run.window_mlenergy):
        seconds = window.end_seconds - window.start_seconds
        assert window.settled and window.energy.counter_joules == pytest.approx(400 * seconds, rel=0.01)
    assert run.comparability.request_set_id.startswith(f"synthetic-{task}-")
    assert {"--mm-processor-cache-gb=0", "--no-enable-prefix-caching", f"--limit-mm-per-prompt={limit}"} <= {
        *run.provenance.server_arguments
    }
    server = run.server
    assert server.multimodal_cache_hits == server.prefix_cache_hits == 0
    assert server.mean_preprocessing_ms > 0
    assert 0 < server.mean_kv_cache_usage <= server.max_kv_cache_usage <= 1
    assert server.cpu_seconds > 0 and server.frontend_cpu_seconds is None  # the mock has no engine apart
    row = run_row(run, result.landed[0])
    assert row["server_cpu_seconds"] == server.cpu_seconds and row["architecture"] == "mllm"
