"""A third runtime, as a newcomer would write it: this is all that the program knows of it.

A server under requests with metrics of its own names (shaped like SGLang's); the mock server behind it.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import JsonValue

from benchmark_tasks.catalog import Model
from benchmark_tasks.results.tables import Series
from benchmark_tasks.runtimes.installer import Distribution, Installer
from benchmark_tasks.runtimes.kinds.contract import Metric, OverEngines, RuntimeKind, ServerContract, Setup
from benchmark_tasks.runtimes.server_options import flags
from benchmark_tasks.vocabulary import Architecture
from benchmark_tasks.workloads.requests import SERVED_MODEL_NAME


def server_command(
    python: Path | str,
    model: Model,
    setup: Setup,
    source: str,
    *,
    port: int,
    max_num_seqs: int,
    seed: int,
    config: Path | str | None = None,
) -> tuple[str, ...]:
    """How its server is started, in its own options."""
    options: dict[str, JsonValue] = {
        "model_path": source,
        "served_model_name": SERVED_MODEL_NAME,
        "host": "127.0.0.1",
        "port": port,
        "max_num_seqs": max_num_seqs,
        "random_seed": seed,
        "context_length": model.server.get("max_model_len"),
        "config": None if config is None else str(config),
    }
    return (str(python), "-m", "mockllm.launch_server", *flags(options))


def install(installer: Installer, wanted: str) -> None:
    """One package, whatever the machine."""
    installer.uv_pip("install", wanted)


RUNTIME = RuntimeKind(
    name="mockllm",
    title="MockLLM",
    contract=ServerContract(
        command=server_command,
        metrics={
            "mockllm:num_running_reqs": Metric(Series.RUNNING_REQUESTS),
            "mockllm:num_queue_reqs": Metric(Series.WAITING_REQUESTS),
            "mockllm:token_usage": Metric(Series.KV_CACHE_USAGE, OverEngines.MEAN),
        },
        token_counters=("mockllm:generation_tokens_total",),
        refused_options=frozenset({"model-path", "port", "max-num-seqs", "random-seed"}),
    ),
    architectures=frozenset({Architecture.LLM}),
    distributions={"mockllm": Distribution("mockllm", install)},
)
