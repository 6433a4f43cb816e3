"""One published configuration in the form of ML.ENERGY's leaderboard files, and its checks.

Field names and units are ML.ENERGY's. Tolerances are those at which every row of the published
v3.0 data passes (its data dictionary, "Suggested tolerances for sanity checks").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from benchmark_tasks.vocabulary import OutputUnit, Task

IDENTITY_TOLERANCE = 1e-9
"""Relative; the derived fields agree to float error in files since 2026-01-01."""
MIN_BATCH_FILL = 0.85
"""avg_batch_size / max_num_seqs: ML.ENERGY's own stability filter."""
MAX_LITTLE_RATIO = 1.4
"""throughput x median ITL / avg_batch_size; the published maximum is 1.39."""
HISTOGRAM_TOLERANCE = 0.02
"""Histogram mean against avg_output_len, relative: binning error, published maximum 0.0194."""
MIN_WATTS_PER_GPU = 200.0

Positive = Annotated[float, Field(gt=0)]
Degree = Annotated[int, Field(ge=1, le=1_000_000)]
ModelId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$", max_length=200)]
Text = Annotated[str, Field(pattern=r"^[^\p{Cc}\p{Zl}\p{Zp}]+$", max_length=200)]
"""Without control characters and line breaks."""
Precision = Literal["bfloat16", "fp8", "mxfp4"]
ModelArchitecture = Literal["Dense Transformer", "MoE", "Mamba-Transformer Hybrid"]


class Published(BaseModel):
    """Frozen; refuses unknown fields, NaN, infinity, and a number given as text."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=()
    )


class Row(Published):
    """Fields of both kinds of row. Powers are sums over all GPUs of the configuration."""

    model_id: ModelId
    nickname: Text
    weight_precision: Precision
    total_params_billions: Positive
    activated_params_billions: Positive
    gpu_model: Text
    num_gpus: Degree
    avg_power_watts: Positive

    @property
    def items_together(self) -> int:
        """Batch size: requests in flight, or images or videos generated together."""
        raise NotImplementedError

    def label(self) -> str:
        """Short name of the row for messages."""
        return f"{self.model_id} on {self.num_gpus}x {self.gpu_model}, batch {self.items_together}"


class LanguageRow(Row):
    """A row of an LLM or MLLM task. Energy covers GPUs only, over the steady-state window."""

    architecture: ModelArchitecture
    max_num_seqs: Degree
    tensor_parallel: Degree
    expert_parallel: Degree
    data_parallel: Degree
    avg_batch_size: Positive
    avg_output_len: Positive
    energy_per_token_joules: Positive
    energy_per_request_joules: Positive
    output_throughput_tokens_per_sec: Positive
    median_itl_ms: Positive
    p90_itl_ms: Positive
    p95_itl_ms: Positive
    p99_itl_ms: Positive

    @property
    def items_together(self) -> int:
        """The batch size: the most requests that the server runs at once."""
        return self.max_num_seqs


class DiffusionRow(Row):
    """Fields of rows of both diffusion tasks. `batch_latency_s` is the mean time of one whole batch."""

    batch_size: Degree
    ulysses_degree: Degree
    ring_degree: Degree
    inference_steps: Degree
    batch_latency_s: Positive

    @property
    def items_together(self) -> int:
        """The batch size: images or videos that are generated together."""
        return self.batch_size


class ImageRow(DiffusionRow):
    """A row of text-to-image."""

    image_height: Degree
    image_width: Degree
    energy_per_image_joules: Positive
    throughput_images_per_sec: Positive


class VideoRow(DiffusionRow):
    """A row of text-to-video. `fps` is the playback rate."""

    video_height: Degree
    video_width: Degree
    num_frames: Degree
    fps: Degree
    energy_per_video_joules: Positive
    throughput_videos_per_sec: Positive


class Model(Published):
    """A model as index.json describes it; diffusion models have no architecture."""

    nickname: Text
    weight_precision: Precision
    total_params_billions: Positive
    activated_params_billions: Positive
    architecture: ModelArchitecture | None = None


class OutputLengths(Published):
    """Histogram of output lengths: 51 edges in tokens, 50 counts of completed requests."""

    bins: list[Annotated[float, Field(ge=0)]] = Field(min_length=2)
    counts: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)

    @property
    def completed_requests(self) -> int:
        """Requests of the run that were completed."""
        return sum(self.counts)

    @property
    def mean_tokens(self) -> float:
        """Mean of the bins' midpoints."""
        middles = [(low + high) / 2 for low, high in zip(self.bins, self.bins[1:], strict=False)]
        total = sum(middle * count for middle, count in zip(middles, self.counts, strict=True))
        return total / self.completed_requests


def row_type(task: Task) -> type[LanguageRow] | type[ImageRow] | type[VideoRow]:
    """The type of a task's rows."""
    match task.output_unit:
        case OutputUnit.IMAGE:
            return ImageRow
        case OutputUnit.VIDEO:
            return VideoRow
        case _:
            return LanguageRow


@dataclass(frozen=True)
class Broken:
    """A check that a row does not pass: the field it is about and why."""

    field: str
    reason: str


def broken_checks(row: Row, tdp_watts: Mapping[str, float]) -> Iterator[Broken]:
    """Every check that the row does not pass.

    tdp_watts: thermal design power of one GPU by GPU model.
    """
    yield from _power(row, tdp_watts)
    if row.activated_params_billions > row.total_params_billions:
        yield Broken("activated_params_billions", "more than total_params_billions")
    if isinstance(row, LanguageRow):
        yield from _language(row)
    elif isinstance(row, ImageRow):
        yield from _diffusion(row, "image", row.energy_per_image_joules, row.throughput_images_per_sec)
    elif isinstance(row, VideoRow):
        yield from _diffusion(row, "video", row.energy_per_video_joules, row.throughput_videos_per_sec)


def _power(row: Row, tdp_watts: Mapping[str, float]) -> Iterator[Broken]:
    tdp = tdp_watts.get(row.gpu_model)
    per_gpu = row.avg_power_watts / row.num_gpus
    if tdp is None:
        yield Broken(
            "gpu_model", f"{row.gpu_model!r} is not in the GPU catalog ({', '.join(sorted(tdp_watts))})"
        )
    elif not MIN_WATTS_PER_GPU <= per_gpu <= tdp:
        yield Broken(
            "avg_power_watts", f"{per_gpu:.4g} W per GPU is outside {MIN_WATTS_PER_GPU:g}..{tdp:g} (TDP)"
        )


def _language(row: LanguageRow) -> Iterator[Broken]:
    yield from _equal(
        "energy_per_request_joules",
        row.energy_per_request_joules,
        "energy_per_token_joules x avg_output_len",
        row.energy_per_token_joules * row.avg_output_len,
    )
    yield from _equal(
        "avg_power_watts",
        row.avg_power_watts,
        "output_throughput_tokens_per_sec x energy_per_token_joules",
        row.output_throughput_tokens_per_sec * row.energy_per_token_joules,
    )
    fill = row.avg_batch_size / row.max_num_seqs
    if not MIN_BATCH_FILL <= fill <= 1:
        yield Broken("avg_batch_size", f"{fill:.3f} of max_num_seqs is outside {MIN_BATCH_FILL}..1")
    if not row.median_itl_ms <= row.p90_itl_ms <= row.p95_itl_ms <= row.p99_itl_ms:
        yield Broken("p90_itl_ms", "the latency quantiles are not in rising order (median, p90, p95, p99)")
    # Little's law, as an inequality: the median is not the mean where the latencies are skewed.
    if row.output_throughput_tokens_per_sec * row.median_itl_ms / 1e3 > MAX_LITTLE_RATIO * row.avg_batch_size:
        yield Broken(
            "median_itl_ms", f"throughput x median ITL is more than {MAX_LITTLE_RATIO} x avg_batch_size"
        )
    if row.output_throughput_tokens_per_sec * row.p99_itl_ms / 1e3 < row.avg_batch_size:
        yield Broken("p99_itl_ms", "throughput x p99 ITL is less than avg_batch_size")
    if max(row.tensor_parallel * row.data_parallel, row.expert_parallel) != row.num_gpus:
        yield Broken("num_gpus", "not max(tensor_parallel x data_parallel, expert_parallel)")


def _diffusion(row: DiffusionRow, unit: str, energy_joules: float, per_second: float) -> Iterator[Broken]:
    yield from _equal(
        f"energy_per_{unit}_joules",
        energy_joules,
        "avg_power_watts x batch_latency_s / batch_size",
        row.avg_power_watts * row.batch_latency_s / row.batch_size,
    )
    yield from _equal(
        f"throughput_{unit}s_per_sec",
        per_second,
        "batch_size / batch_latency_s",
        row.batch_size / row.batch_latency_s,
    )
    if row.ulysses_degree * row.ring_degree != row.num_gpus:
        yield Broken("num_gpus", "not ulysses_degree x ring_degree")


def broken_histogram(row: LanguageRow, lengths: OutputLengths) -> Iterator[Broken]:
    """Every check that a histogram and its row do not pass."""
    field = "output_length_distribution"
    if len(lengths.bins) != len(lengths.counts) + 1:
        yield Broken(field, f"{len(lengths.bins)} edges do not fit {len(lengths.counts)} counts")
    elif any(low >= high for low, high in zip(lengths.bins, lengths.bins[1:], strict=False)):
        yield Broken(field, "the edges are not in rising order")
    elif lengths.completed_requests == 0:
        yield Broken(field, "no completed request")
    elif abs(lengths.mean_tokens / row.avg_output_len - 1) > HISTOGRAM_TOLERANCE:
        yield Broken(
            field,
            f"mean {lengths.mean_tokens:.5g} tokens against avg_output_len {row.avg_output_len:.5g}"
            f" (more than {HISTOGRAM_TOLERANCE:.0%} apart)",
        )


def _equal(field: str, value: float, formula: str, expected: float) -> Iterator[Broken]:
    if abs(value - expected) > IDENTITY_TOLERANCE * abs(expected):
        yield Broken(field, f"{value:.9g} is not {formula} = {expected:.9g}")
