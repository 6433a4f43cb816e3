"""What a model's repository says about it: facts for a proposal, each with its source.

Nothing is guessed. A fact that is not known, or on which two sources contradict each other, is None, and
its source says why.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from benchmark_tasks.catalog import (
    Catalog,
    GpuEntry,
    HubWatch,
    LengthDistribution,
    ModelArchitecture,
    TaskEntry,
)
from benchmark_tasks.errors import HubRefused
from benchmark_tasks.releases.hub import Hub, Repository, Tensor
from benchmark_tasks.results.record import Record
from benchmark_tasks.vocabulary import Architecture, Modality, Task, WeightPrecision

GIB = 1 << 30
BYTES_OF_A_CACHED_NUMBER = 2
"""The server keeps keys and values in bfloat16."""

_ROUTED_EXPERTS = re.compile(r"(^|\.)experts\.")
_PRECISIONS = {
    "BF16": WeightPrecision.BFLOAT16,
    "F32": WeightPrecision.FLOAT32,
    "F8_E4M3": WeightPrecision.FP8,
}
_LARGEST = 10**9


class Fact(Record):
    """A fact about a model. `source`: where it comes from, or why it is not known."""

    value: JsonValue = None
    source: str


Facts = dict[str, Fact]


@dataclass(frozen=True)
class _Read:
    """What was read of a model. `text`: the part of config.json about its language model."""

    repository: Repository
    config: Mapping[str, Any]
    text: Mapping[str, Any]
    tensors: list[Tensor] | None
    no_tensors: str


def facts_of(repository: Repository, hub: Hub, catalog: Catalog, policy: HubWatch) -> Facts:
    """What can be known of a model without running it.

    Raises:
        IndexUnreachable: the hub did not answer.
        HubRefused: the model is gated, or not a model that a server can load.
    """
    read = _read(repository, hub)
    tasks = policy.tasks.get(repository.model.pipeline_tag or "", ())
    total, activated = _parameters(read)
    architecture, family = _architecture(read, policy)
    facts = {
        "nickname": Fact(value=repository.model.model_id.split("/")[1], source="its name on the hub"),
        "organisation": Fact(value=repository.model.model_id.split("/")[0], source="its name on the hub"),
        "family": family,
        "architecture": architecture,
        "modality": _modality(repository, tasks),
        "total_params_billions": total,
        "activated_params_billions": activated,
        "weight_precision": _precision(read),
        "weight_bytes": _weight_bytes(repository),
        "cache_bytes_per_token": _cache(read),
        "max_context_tokens": _context(read),
        "chat_template": _chat_template(repository),
        "own_code": _own_code(read),
        "gated": Fact(value=repository.model.gated, source="the hub"),
    }
    return {**facts, "deployments": _deployments(read, facts, tasks, catalog, policy)}


def _read(repository: Repository, hub: Hub) -> _Read:
    config = hub.config(repository)
    text = config.get("text_config")
    tensors, problem = None, ""
    if repository.weights:
        try:
            tensors = hub.tensors(repository)
        except HubRefused as error:
            problem = str(error)
    else:
        problem = "no model*.safetensors in the repository"
    return _Read(repository, config, text if isinstance(text, dict) else config, tensors, problem)


def _architecture(read: _Read, policy: HubWatch) -> tuple[Fact, Fact]:
    """(architecture, family), from a list that a person keeps, unless config.json contradicts it."""
    named = read.config.get("architectures")
    name = named[0] if isinstance(named, list) and named else None
    known = policy.families.get(name) if isinstance(name, str) else None
    if known is None:
        unknown = Fact(source="config.json: its architecture is not in the catalog's watch.yaml")
        return unknown, unknown
    source = f"config.json: {name}, which the catalog's watch.yaml knows"
    family = Fact(value=known.family, source=source)
    if (known.architecture is ModelArchitecture.MOE) and _experts(read.text) is None:
        return Fact(source=f"{source} as MoE, but config.json has no number of experts"), family
    if known.architecture is ModelArchitecture.DENSE and _experts(read.text) is not None:
        return Fact(source=f"{source} as dense, but config.json has experts"), family
    return Fact(value=known.architecture.value, source=source), family


def _modality(repository: Repository, tasks: tuple[Task, ...]) -> Fact:
    source = f"the hub's pipeline tag {_short(repository.model.pipeline_tag)}, and watch.yaml's tasks for it"
    kinds = {task.architecture for task in tasks}
    if kinds == {Architecture.LLM}:
        return Fact(value=Modality.TEXT.value, source=source)
    return Fact(value=Modality.MULTIMODAL.value if kinds else None, source=source)


def _parameters(read: _Read) -> tuple[Fact, Fact]:
    """(total, activated for one token), in billions."""
    listed = read.repository.model.total_params
    if _packed(read):
        unknown = Fact(source="several parameters are packed in one number; the files do not say how many")
        return unknown, unknown
    if read.tensors is None:
        if listed is None:
            unknown = Fact(source=f"not known from the hub or the weight files: {read.no_tensors}")
            return unknown, unknown
        return _billions(listed, "the hub's count over the weight files"), _activated(read, listed)
    counted = sum(tensor.parameters for tensor in read.tensors)
    if listed is not None and not math.isclose(listed, counted, rel_tol=1e-3):
        unknown = Fact(source=f"the hub counts {listed:,} parameters, the weight files' headers {counted:,}")
        return unknown, unknown
    return _billions(counted, "the weight files' headers, scales included"), _activated(read, counted)


def _activated(read: _Read, total: int) -> Fact:
    experts = _experts(read.text)
    if experts is None:
        return _billions(total, "all parameters: config.json has no experts")
    chosen = _whole(read.text, "num_experts_per_tok", "experts_per_token")
    if chosen is None or chosen > experts:
        return Fact(source="config.json does not say how many experts are used per token")
    routed = sum(t.parameters for t in read.tensors or () if _ROUTED_EXPERTS.search(t.name))
    if routed == 0:
        return Fact(source="the weight files do not say which parameters belong to experts")
    active = total - routed + routed * chosen // experts
    return _billions(
        active, f"the weight files' headers, and config.json: {chosen} of {experts} experts per token"
    )


def _precision(read: _Read) -> Fact:
    """The number format that config.json and most of the weights agree on."""
    stated, source = _stated_precision(read)
    if stated is None:
        return Fact(source=source)
    counts = read.repository.model.params_by_dtype or _by_dtype(read.tensors)
    if not counts:
        return Fact(
            value=stated.value, source=f"{source}; the number formats of the weight files are not known"
        )
    most = max(counts, key=counts.__getitem__)
    if stated is not WeightPrecision.MXFP4 and _PRECISIONS.get(most) is not stated:
        return Fact(source=f"{source} says {stated}, but most weights are {_short(most)}")
    return Fact(value=stated.value, source=f"{source}; most weights are {_short(most)}")


def _stated_precision(read: _Read) -> tuple[WeightPrecision | None, str]:
    quantised = read.config.get("quantization_config") or read.text.get("quantization_config")
    if quantised is not None:
        method = quantised.get("quant_method") if isinstance(quantised, dict) else None
        source = f"config.json: quantised by {_short(method)}"
        if method in ("fp8", "mxfp4"):
            return WeightPrecision(method), source
        return None, f"{source}, which is not a precision of the leaderboard"
    names = [part.get(key) for part in (read.text, read.config) for key in ("dtype", "torch_dtype")]
    name = next((name for name in names if name is not None), None)
    if name == "bfloat16":
        return WeightPrecision.BFLOAT16, "config.json: bfloat16"
    return None, f"config.json: {_short(name)}; the server runs in bfloat16"


def _packed(read: _Read) -> bool:
    """Whether config.json says that one stored number holds several parameters."""
    quantised = read.config.get("quantization_config") or read.text.get("quantization_config")
    return quantised is not None and (
        not isinstance(quantised, dict) or quantised.get("quant_method") != "fp8"
    )


def _weight_bytes(repository: Repository) -> Fact:
    sizes = [file.size_bytes for file in repository.weights]
    if not sizes or None in sizes:
        return Fact(source="the hub does not say how large model*.safetensors are")
    return Fact(value=sum(sizes), source=f"sizes of {len(sizes)} weight files on the hub")


def _cache(read: _Read) -> Fact:
    """Bytes of keys and values per token, all layers, on one GPU; for several GPUs see `_cache_on`."""
    size = _cache_on(read.text, 1)
    if size is None:
        return Fact(source="config.json does not say how many layers, heads and dimensions there are")
    return Fact(
        value=size,
        source="config.json: layers, heads and dimensions; assumes that every layer keeps every token",
    )


def _cache_on(text: Mapping[str, Any], num_gpus: int) -> int | None:
    """Bytes of keys and values per token on each of `num_gpus` GPUs; a head stays whole on one GPU."""
    layers = _whole(text, "num_hidden_layers")
    latent, rotary = _whole(text, "kv_lora_rank"), _whole(text, "qk_rope_head_dim")
    if layers and latent and rotary:
        return layers * (latent + rotary) * BYTES_OF_A_CACHED_NUMBER
    heads, hidden = _whole(text, "num_attention_heads"), _whole(text, "hidden_size")
    if not (layers and heads and hidden):
        return None
    key_value_heads = _whole(text, "num_key_value_heads") or heads
    dimension = _whole(text, "head_dim") or hidden // heads
    return layers * 2 * math.ceil(key_value_heads / num_gpus) * dimension * BYTES_OF_A_CACHED_NUMBER


def _context(read: _Read) -> Fact:
    value = _whole(read.text, "max_position_embeddings")
    return Fact(value=value, source="config.json: max_position_embeddings" + ("" if value else " is missing"))


def _chat_template(repository: Repository) -> Fact:
    present = any(file.path == "chat_template.jinja" for file in repository.files)
    if present:
        return Fact(value=True, source="chat_template.jinja is in the repository")
    return Fact(source="no chat_template.jinja in the repository; the tokenizer's files may contain it")


def _own_code(read: _Read) -> Fact:
    present = "auto_map" in read.config
    tail = "has an auto_map; the repository's code is never run" if present else "has no auto_map"
    return Fact(value=present, source=f"config.json {tail}")


def _deployments(
    read: _Read, facts: Facts, tasks: tuple[Task, ...], catalog: Catalog, policy: HubWatch
) -> Fact:
    """By task and GPU model: the smallest number of GPUs that is enough, and the batch sizes that fit."""
    weight_bytes = facts["weight_bytes"].value
    if not isinstance(weight_bytes, int) or facts["cache_bytes_per_token"].value is None or not tasks:
        return Fact(source="not known without the size of the weights, the size of the cache, and a task")
    by_task: dict[str, JsonValue] = {}
    context = _whole(read.text, "max_position_embeddings") or policy.context_tokens
    for task in tasks:
        lengths = _lengths(catalog.tasks[task])
        if sum(length.maximum_tokens for length in lengths) > context:
            continue
        tokens = sum(_mean(length) for length in lengths)
        by_task[task.value] = {
            name: _placed(read.text, weight_bytes, tokens, catalog.gpus[name], policy)
            for name in policy.gpu_models
        }
    source = (
        f"weights, cache of a request of {policy.context_tokens} tokens and of the batch, and "
        f"{policy.reserved_gib:g} GiB per GPU fit in {policy.memory_fraction:.0%} of the GPU's memory; "
        "heads and experts divide evenly; only tasks whose longest request fits in the context"
    )
    return Fact(value=by_task, source=source)


def _placed(
    text: Mapping[str, Any], weight_bytes: int, mean_tokens: float, gpu: GpuEntry, policy: HubWatch
) -> JsonValue:
    """The smallest placement on a GPU model with room for a batch size; None if there is none."""
    usable = (policy.memory_fraction * gpu.memory_gib - policy.reserved_gib) * GIB
    experts = _experts(text)
    for num_gpus in policy.num_gpus:
        cache = _cache_on(text, num_gpus)
        heads = _whole(text, "num_attention_heads")
        if not cache or (heads and heads % num_gpus) or (experts and experts % num_gpus):
            continue
        room = (usable - weight_bytes / num_gpus) / cache
        sizes: list[JsonValue] = [size for size in policy.batch_sizes if size * mean_tokens <= room]
        if room >= policy.context_tokens and sizes:
            spread = "expert_parallel" if experts else "tensor_parallel"
            return {"num_gpus": num_gpus, spread: num_gpus, "batch_sizes": sizes}
    return None


def _lengths(task: TaskEntry) -> tuple[LengthDistribution, ...]:
    """Length distributions of the task's prompts and answers."""
    return (task.requests.input_tokens, task.requests.output_tokens) if task.requests else ()


def _mean(lengths: LengthDistribution) -> float:
    """Mean length in tokens, at most the longest."""
    return min(lengths.median_tokens * math.exp(lengths.sigma**2 / 2), lengths.maximum_tokens)


def _experts(text: Mapping[str, Any]) -> int | None:
    """Number of routed experts; None for a single one, because then nothing is routed."""
    count = _whole(text, "num_experts", "n_routed_experts", "num_local_experts")
    return None if count in (None, 1) else count


def _whole(part: Mapping[str, Any], *names: str) -> int | None:
    """The first of these fields that is a plausible count."""
    for name in names:
        value = part.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST:
            return value
    return None


def _by_dtype(tensors: list[Tensor] | None) -> dict[str, int]:
    counts: dict[str, int] = {}
    for tensor in tensors or ():
        counts[tensor.dtype] = counts.get(tensor.dtype, 0) + tensor.parameters
    return counts


def _billions(parameters: int, source: str) -> Fact:
    return Fact(value=round(parameters / 1e9, 4) or None, source=f"{source}: {parameters:,}")


def _short(value: object) -> str:
    """A value from config.json, safe to show."""
    return re.sub(r"[^A-Za-z0-9_.-]", "?", str(value))[:40]
