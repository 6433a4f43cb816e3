"""The record of one run: what `run.json` holds.

Raw and immutable. Only what was measured is stored; ratios (energy per token, throughput per
watt) are derived once, in dbt. A missing measurement is `None`, never zero.

schema_version history
    1  first version
"""

from __future__ import annotations

import os
import time
import uuid
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, ConfigDict, Field, JsonValue, model_validator

from benchmark_tasks.results.identity import Comparability, Configuration
from benchmark_tasks.results.record import Bin, Count, Degree, Measured, Moment, Record, Seconds, Seed
from benchmark_tasks.vocabulary import AnswerForm, EnergySource, RunStatus, ServerKind, Weights

SCHEMA_VERSION: Literal[1] = 1


class WindowEnergy(Record):
    """Energy of one window by two instruments, summed over all GPUs of the configuration.

    `counter_joules` is the difference of NVML's cumulative counter (through Zeus);
    `integral_joules` the trapezoid integral of the sampled power over the same span.
    """

    counter_joules: Measured
    counter_joules_per_gpu: tuple[Measured, ...]
    counter_seconds: Seconds
    integral_joules: Measured | None
    power_samples: Count


class SubWindow(Record):
    """One of the equal parts of a window: the tokens (or items) that arrived in it, and its energy."""

    outputs: Count
    counter_joules: Measured


class Window(Record):
    """One steady-state window of a run. Times are seconds since the run's first request.

    `sub_windows` show how much energy per output varies inside the run. A ranking window with energy
    has them; ML.ENERGY's window of a text run does since 2026-11-26.

    `settled` false means that the window's conditions were never met, for `reason`;
    such a window has no energy. An open loop has no slots, so no turnovers.
    """

    settled: bool
    reason: str | None = None
    start_seconds: Seconds | None = None
    end_seconds: Seconds | None = None
    output_tokens: Count | None = None
    output_items: Count | None = None
    completed_requests: Count | None = None
    turnovers: Measured | None = None
    mean_running_requests: Measured | None = None
    power_trend: float | None = None
    throughput_trend: float | None = None
    energy: WindowEnergy | None = None
    sub_windows: tuple[SubWindow, ...] = ()

    @property
    def outputs(self) -> int | None:
        """Number of outputs in it: tokens, images or videos. `None` if the window never settled."""
        return self.output_tokens if self.output_tokens is not None else self.output_items

    @property
    def joules_per_output(self) -> float | None:
        """Energy per output by the counter, joules; `None` without energy or without outputs."""
        return self.energy.counter_joules / self.outputs if self.energy and self.outputs else None


class Quantiles(Record):
    """Quantiles of a latency, milliseconds."""

    p50: Measured
    p90: Measured
    p95: Measured
    p99: Measured


class Latency(Record):
    """Client-side latencies over all completed requests of a run.

    In an open loop, over those of them that were sent in the ranking window, if it has one.

    Of images and videos only `e2e_ms` is known, over those in the ranking window: an item takes as
    long as its batch.

    Inter-token latency: a chunk of k tokens that arrives after a gap g counts as k latencies
    of g/k (arrivals in chunks smoothed, as ML.ENERGY does). `itl_histogram` holds counts of
    logarithmic bins (see `results.histogram`), so that runs can be merged without samples.
    """

    ttft_ms: Quantiles | None
    itl_ms: Quantiles | None
    e2e_ms: Quantiles | None
    itl_histogram: dict[Bin, Count] = {}


class Requests(Record):
    """Requests and answers of the whole run.

    Images and videos count as requests, those that warmed up included; they have no tokens.

    `sent` counts the requests that came to an end: `completed` + `failed`. `cancelled` ones were
    in flight when the load stopped. `mean_output_tokens` is the mean answer length: over completed
    requests when lengths are natural; over the prescribed lengths of all full-length requests when
    they are fixed (completed ones alone would favour short answers).
    """

    sent: Count
    completed: Count
    failed: Count
    cancelled: Count = 0
    mean_output_tokens: Measured | None = None
    prompt_tokens: Count | None = None
    output_tokens: Count | None = None
    at_length_cap: Count | None = None
    duration_seconds: Seconds
    first_error: str | None = None


class Device(Record):
    """What the GPUs did during the ranking window; `None` where the machine has no such counter.

    idle_watts_before_server, idle_watts_loaded: sum over the GPUs. `..._max_per_gpu`: of the one that drew
        most, which tells that a GPU of several was busy.
    peak_memory_bytes_per_gpu: most memory that PyTorch had allocated on one GPU; diffusion only.
    """

    idle_watts_before_server: Measured | None = None
    idle_watts_before_server_max_per_gpu: Measured | None = None
    idle_watts_loaded: Measured | None = None
    temperature_min_celsius: float | None = None
    temperature_max_celsius: float | None = None
    sm_clock_median_mhz: Measured | None = None
    memory_clock_median_mhz: Measured | None = None
    power_max_watts_per_gpu: Measured | None = None
    throttle_reasons: tuple[str, ...] | None = None
    peak_memory_bytes_per_gpu: Count | None = None
    cpu_joules: Measured | None = None
    dram_joules: Measured | None = None


MeasuredAddedLater = Annotated[Measured | None, Field(exclude_if=lambda value: value is None)]
"""Not written while it is `None`, so that the digest of an older record stays what it was."""


class Server(Record):
    """What the server said of itself through `/metrics`, and what its processes cost.

    Over the ranking window, except the three counters (`preemptions` and cache hits), which are over
    the whole load.

    `received_tokens`: all tokens that the client received over the whole load, of cancelled requests too.
    `generated_tokens`: how many the server generated over the same load, by its own counter;
    `generated_tokens_in_window`: over the ranking window, interpolated between readings;
    `generated_tokens_absent_reason`: why that is not known. Runs before 2026-11-28 have none of the four.

    `mean_preprocessing_ms`: of a request's time at the server, by the server's clocks, what it spent
    outside the engine: decoding of its picture, preparation for the vision encoder, chat template,
    tokenizing, and the way to the engine and back. `cpu_seconds`: CPU time of all the server's
    processes; `frontend_cpu_seconds`: of those that are not its engine. `counters_absent_reason`: why
    some of the three counters are `None`.

    `drafts_in_window`: with speculative decoding, how many drafts were checked, one per request and step;
    `accepted_tokens_in_window`: how many of the drafted tokens were accepted. Both interpolated between
    readings; `None` for a server without drafts. Runs before 2026-12-01 have none of the two.
    """

    session_id: str
    metric_samples: Count = 0
    max_kv_cache_usage: Measured | None = None
    mean_kv_cache_usage: Measured | None = None
    mean_preprocessing_ms: Measured | None = None
    cpu_seconds: Measured | None = None
    frontend_cpu_seconds: Measured | None = None
    preemptions: Count | None = None
    prefix_cache_hits: Count | None = None
    multimodal_cache_hits: Count | None = None
    counters_absent_reason: str | None = None
    received_tokens: Count | None = None
    generated_tokens: Count | None = None
    generated_tokens_in_window: Measured | None = None
    generated_tokens_absent_reason: str | None = None
    drafts_in_window: MeasuredAddedLater = None
    accepted_tokens_in_window: MeasuredAddedLater = None


DegreeAddedLater = Annotated[Degree | None, Field(exclude_if=lambda value: value is None)]
"""As `MeasuredAddedLater`."""


class Sample(Record):
    """The image, or the video, that `sample.jpg` shows.

    `pixel_spread`: standard deviation of its pixels, from 0 (one colour) to 255; of a video, of the
    frames in `sample.jpg`. `non_finite_share`: share of NaN and infinity among a video's values; an
    image has none any more, its NaN have become black. `computed_width`, `computed_height`: pixels of the
    latent picture that was decoded; a pipeline may compute at another size than it returns. `frames`: as
    returned; an image is one. The last three are `None` in runs from before they were recorded.
    """

    pixel_spread: Measured
    non_finite_share: Measured | None
    computed_width: DegreeAddedLater = None
    computed_height: DegreeAddedLater = None
    frames: DegreeAddedLater = None

    @model_validator(mode="after")
    def _both_sides(self) -> Sample:
        if (self.computed_width is None) != (self.computed_height is None):
            raise ValueError("computed_width and computed_height are recorded together")
        return self

    @property
    def blank(self) -> bool:
        """Whether it shows nothing, for example because the model computed with NaN."""
        return self.pixel_spread == 0 or bool(self.non_finite_share)


class Client(Record):
    """The load generator's own cost: it must not be what is measured."""

    processes: Degree
    cpu_seconds: Seconds
    cpu_share: Measured
    loop_lag_p99_ms: Measured | None
    loop_lag_max_ms: Measured | None
    lagged: bool


class Grades(Record):
    """How many answers were right: complete ones to prompts as they are in the data set (the first round).

    grader: version of how answers are read (`grading`).
    choices: how many letters there are to choose from, where it is a choice.
    questions: different ones among the answers.
    unreadable: no answer, or several, were given. cut: ended at the longest length. Both count as wrong.
    unanswered: requests of the first round that failed or were cancelled; no part of `answers`.
    output_tokens: of all graded answers.
    """

    grader: Degree
    form: AnswerForm
    choices: Degree | None = None
    answers: Count
    questions: Count
    right: Count
    unreadable: Count
    cut: Count
    unanswered: Count
    output_tokens: Count

    @model_validator(mode="after")
    def _adds_up(self) -> Grades:
        if self.right + self.unreadable + self.cut > self.answers or self.questions > self.answers:
            raise ValueError("right, unreadable and cut answers, and questions, are no more than the answers")
        return self


class Arrivals(Record):
    """How requests arrived in an open loop, and whether the server kept up; over the ranking window.

    scheduled: how many the schedule has in the window. arrived: how many were sent in it.
    error_p50_ms, error_p99_ms, error_max_ms: how far from the schedule requests were sent, in the whole load.
    mean_backlog: requests that have arrived and not ended (waiting or being answered), averaged over time.
    backlog_growth_per_second: from the mean over the first third of the window to that over the last.
    backlog_deviate: that growth in standard deviations of what chance explains (`language.open_loop`).
    busy_share: share of the window in which at least one request was there.
    sustained: whether the server kept up. `False` is a result: the load is above what it can carry.
    reason: why not.
    """

    scheduled: Count
    arrived: Count
    error_p50_ms: Measured | None = None
    error_p99_ms: Measured | None = None
    error_max_ms: Measured | None = None
    mean_backlog: Measured | None = None
    backlog_growth_per_second: float | None = None
    backlog_deviate: float | None = None
    busy_share: Measured | None = None
    sustained: bool
    reason: str | None = None


class Spent(Record):
    """What something took: seconds, and joules of all GPUs; `None` where their counters cannot say."""

    seconds: Seconds
    joules: Measured | None


class Sleep(Record):
    """A server without requests that was put to sleep and woken, after its idle window.

    level: how deep, by the runtime's numbers.
    falling_asleep: from the request to its answer.
    waking: from the request until the first token of an answer has arrived.
    window: power asleep, from where it is steady; its times are seconds since it slept.
    absent_reason: why something of it is missing.
    """

    level: Degree
    falling_asleep: Spent | None = None
    window: Window | None = None
    waking: Spent | None = None
    absent_reason: str | None = None


class Phase(Record):
    """GPU time and energy one phase cost: the raw material of the ledger.

    `server-start` reaches from holding the GPU to the first warm-up, idle readings included; only the
    first run on a server has it. What stopping costs is not known: a run is landed before its server stops.
    """

    name: Literal["server-start", "warm-up", "measure"]
    seconds: Seconds
    joules: Measured | None


class Gpu(Record):
    """One physical GPU; `index` is the driver's.

    unanswered: what it did not answer when it was asked before the load: field or series, query, and the
        driver's reason. What is named there is `None`, or comes from another query.
    """

    index: Count
    name: str
    uuid: str
    vbios: str | None
    memory_bytes: Count | None
    power_limit_watts: Measured | None
    unanswered: tuple[str, ...] = ()


class StandIn(Record):
    """The weights that a runtime drew itself, as it reported them.

    recipe: its version, and what is not as it is there. digest: SHA-256 over names, shapes, types and a
        sample of the values of all tensors.
    tensors, values: how many there are. processes: how many drew them, all alike.
    device: where they were drawn; equal seeds give equal weights on one kind of device.
    """

    recipe: str
    seed: Seed
    digest: str
    tensors: Count
    values: Count
    device: str
    processes: Degree = 1


class Provenance(Record):
    """Where a number comes from.

    `stand_in`: what was drawn, where the weights are a stand-in and were drawn before the run failed.
    `server_image`: the container's image as the registry names it, with its digest where it has one.
    `server_options`: the runtime's options that a person added (`--server-config`).
    `server_environment`: environment variables of its process, without those that only say where things are.
    """

    jouleboard_version: str
    git_commit: str | None
    catalog_hash: str
    model_revision: str | None
    runtime_distribution: str
    runtime_packages: dict[str, str]
    server_arguments: tuple[str, ...]
    server_kind: ServerKind = ServerKind.ENVIRONMENT
    server_image: str | None = None
    server_options: dict[str, JsonValue] = {}
    stand_in: StandIn | None = None
    server_environment: dict[str, str] = {}
    host: str
    operating_system: str
    cpu_model: str
    cpu_count: Degree
    python_version: str
    driver_version: str | None
    cuda_version: str | None
    gpus: tuple[Gpu, ...]
    seed: Seed


class Failure(Record):
    """Why a run has no result."""

    phase: str
    error: str
    message: str
    log_tail: tuple[str, ...] = ()


class Run(Record):
    """One measured execution of a configuration under one runtime version.

    campaign_id: the campaign of the sweep that it belongs to. In `run.json` and in the warehouse its name is
        `sweep_id`, which it had first.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    schema_version: Literal[1] = SCHEMA_VERSION
    run_id: str = Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
    status: RunStatus
    started_at: Moment
    finished_at: Moment
    campaign_id: str | None = Field(
        None, validation_alias=AliasChoices("campaign_id", "sweep_id"), serialization_alias="sweep_id"
    )
    note: str | None = None
    configuration: Configuration
    comparability: Comparability
    energy_source: EnergySource
    energy_absent_reason: str | None = None
    requests: Requests | None = None
    window_mlenergy: Window | None = None
    window_steady: Window | None = None
    latency: Latency | None = None
    device: Device = Device()
    server: Server | None = None
    sample: Sample | None = None
    client: Client | None = None
    arrivals: Arrivals | None = None
    grades: Grades | None = None
    sleeps: tuple[Sleep, ...] = ()
    phases: tuple[Phase, ...] = ()
    provenance: Provenance
    failure: Failure | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_revision(cls, data: Any) -> Any:
        """Runs landed before revisions were a comparability key have theirs in the provenance only."""
        keys = data.get("comparability") if isinstance(data, dict) else None
        if not isinstance(keys, dict) or "model_revision" in keys or keys.get("weights") != Weights.REAL:
            return data
        origin = data.get("provenance")
        known = isinstance(origin, dict) and origin.get("server_kind") != ServerKind.ENDPOINT
        revision = origin.get("model_revision") if known else None
        return {**data, "comparability": {**keys, "model_revision": revision}}


def new_run_id() -> str:
    """A UUIDv7 (RFC 9562): sorts by creation time."""
    milliseconds = time.time_ns() // 1_000_000
    random_bits = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds << 80) | random_bits
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return str(uuid.UUID(int=value))
