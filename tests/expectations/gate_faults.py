"""Good runs, and the same runs with one fault each: the fault catalogue of the gate.

A fault takes a good sample run and spoils its record, its files, or where it lies. Files are always
written from the good run, so that a spoiled record contradicts them, as it would in a real bundle.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark_tasks.disk import sha256
from benchmark_tasks.grading import GRADER
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import (
    Client,
    Grades,
    Run,
    Server,
    Sleep,
    Spent,
    Window,
    WindowEnergy,
    new_run_id,
)
from benchmark_tasks.results.store import Store
from benchmark_tasks.results.tables import ANSWERS, REQUESTS, Series, write_table
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import SIGNATURE_FILE, new_key
from benchmark_tasks.testing.samples import sample_generation_run, sample_open_run, sample_run, write_sample
from benchmark_tasks.vocabulary import LengthControl

RECORDED = Path(__file__).parents[2] / "recorded_runs"
COUNTED = "h200-2026-11-30-precision/01a22c93-7cb4-7e90-a9fd-c68a0f1b1619"
"""A run whose server counted the tokens of its window."""
LONG_PROMPTS = "h200-2026-11-30-precision-larger/01a22e10-3469-7bbd-b242-20cf8192bbf5"
"""A run whose first answers were written slowly, because 64 long prompts were read meanwhile."""
TWO_GPUS = "h200-2026-11-26-qwen3-8b/01a217a2-914d-7125-b4dd-c9d54dd3ad0d"
"""Qwen3-8B over two H200s."""
IMAGES = "h200-2026-11-26-diffusion/01a2179d-c951-7fbe-99ec-a2ba6bbdb4b3"
ANOTHER_RUN = "h200-2026-11-26-qwen3-8b/01a217a5-7bf1-7439-b03d-26b9d8b72b17"

Spoil = Callable[[dict[str, Any]], None]
SpoilFiles = Callable[[Path], None]


@dataclass(frozen=True)
class Fault:
    """One fault, and the check that must refuse it.

    `record` edits run.json's content, `files` the folder (checksums are written again unless `keep_sums`),
    `place` says where it lands instead. `recorded`: a bundle under recorded_runs/ that is spoiled in place of
    a sample.
    """

    name: str
    check: str
    record: Spoil | None = None
    files: SpoilFiles | None = None
    sample: dict[str, Any] = field(default_factory=dict)
    make: Callable[..., Run] = sample_run
    recorded: str | None = None
    keep_sums: bool = False
    place: Callable[[Store, Run], Path] | None = None


def drafted(drafts: float, accepted: float, prescribed: float | None) -> dict[str, Any]:
    """Of a fault: a server with drafts of three tokens, and how many it made and accepted in the window."""
    asked: dict[str, Any] = {"method": "draft_model", "model": "/draft", "num_speculative_tokens": 3}
    if prescribed is not None:
        asked |= {"rejection_sample_method": "synthetic", "synthetic_acceptance_length": prescribed}
    run = sample_run()
    assert run.server is not None and run.window_steady is not None
    counted = {
        "drafts_in_window": drafts,
        "accepted_tokens_in_window": accepted,
        "generated_tokens_in_window": run.window_steady.output_tokens,
    }
    return {
        "sample": {"server": run.server.model_copy(update=counted)},
        "record": lambda content: content["provenance"].update(server_options={"speculative_config": asked}),
    }


def start_joules(factor: float) -> Spoil:
    """The energy of the start in another unit."""

    def record(content: dict[str, Any]) -> None:
        for phase in content["phases"]:
            if phase["name"] == "server-start":
                phase["joules"] *= factor

    return record


def land(store: Store, run: Run, folder: Path | None = None) -> Path:
    """Put a sample bundle into the landing zone as it is, past the checks of landing."""
    path = folder or store.path_of(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = write_sample(store.root / ".src", run)
    written.rename(path)
    return path


def land_fault(store: Store, fault: Fault) -> tuple[str, Path]:
    """Land one faulty run; returns the name it has in findings, and its folder."""
    written = write_good(store.root / ".src", fault)
    run = bundle.read_record(written)
    if fault.record is not None:
        content = json.loads((written / bundle.RUN_FILE).read_text())
        fault.record(content)
        run = Run.model_validate(content)
        (written / bundle.CHECKSUMS_FILE).unlink()
        bundle.write_record(written, run)
    if fault.files is not None:
        fault.files(written)
        if not fault.keep_sums:
            _sum_again(written)
    path = fault.place(store, run) if fault.place else store.path_of(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    written.rename(path)
    return path.name, path


def write_good(folder: Path, fault: Fault) -> Path:
    """The bundle before it is spoiled: a sample, or a recorded one under an id of its own."""
    if fault.recorded is None:
        return write_sample(folder, fault.make(**fault.sample))
    run = bundle.read_record(RECORDED / fault.recorded).model_copy(update={"run_id": new_run_id()})
    written = folder / run.run_id
    shutil.copytree(RECORDED / fault.recorded, written)
    (written / bundle.CHECKSUMS_FILE).unlink()
    bundle.write_record(written, run)
    return written


def _sum_again(folder: Path) -> None:
    not_summed = (bundle.CHECKSUMS_FILE, SIGNATURE_FILE)
    names = sorted(path.name for path in folder.iterdir() if path.name not in not_summed)
    lines = [f"{sha256(folder / name)}  {name}" for name in names]
    (folder / bundle.CHECKSUMS_FILE).write_text("\n".join(lines) + "\n")


def sign(folder: Path) -> None:
    """Sign with a key that is not in the registry."""
    with TemporaryDirectory() as home:
        new_key(Settings(home=Path(home))).sign(folder / bundle.CHECKSUMS_FILE)


def changed_after_signing(folder: Path) -> None:
    """A log is edited; the checksums are made to fit it, the signature is not."""
    sign(folder)
    log("one more line")(folder)


def signature_of_another(folder: Path) -> None:
    """The signature is genuine, and belongs to another list of checksums."""
    sums = (folder / bundle.CHECKSUMS_FILE).read_text()
    (folder / bundle.CHECKSUMS_FILE).write_text("".join(sorted(sums.splitlines(keepends=True), reverse=True)))
    sign(folder)
    (folder / bundle.CHECKSUMS_FILE).write_text(sums)


def each_file(*spoils: SpoilFiles) -> SpoilFiles:
    """Several changes of files that make up one fault."""

    def spoil(folder: Path) -> None:
        for one in spoils:
            one(folder)

    return spoil


def put(path: str, value: Any) -> Spoil:
    """Set a field of the record, written as `a.b.c`; a function gets the old value."""

    def spoil(content: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for name in parents:
            content = content[name]
        content[last] = value(content[last]) if callable(value) else value

    return spoil


def each(*spoils: Spoil) -> Spoil:
    """Several edits that make up one fault."""

    def spoil(content: dict[str, Any]) -> None:
        for one in spoils:
            one(content)

    return spoil


def energy(
    counter: float = 1, integral: float = 1, windows: tuple[str, ...] = ("steady", "mlenergy")
) -> Spoil:
    """Scale counter (its GPUs with it) and integral."""

    def spoil(content: dict[str, Any]) -> None:
        for name in windows:
            values = content[f"window_{name}"]["energy"]
            values["counter_joules"] *= counter
            values["counter_joules_per_gpu"] = [
                joules * counter for joules in values["counter_joules_per_gpu"]
            ]
            values["integral_joules"] *= integral

    return spoil


def window_of(seconds: float, **more: Any) -> Spoil:
    """A steady window of another length at the same power and throughput."""

    def spoil(content: dict[str, Any]) -> None:
        window = content["window_steady"]
        share = seconds / (window["end_seconds"] - window["start_seconds"])
        window["end_seconds"] = window["start_seconds"] + seconds
        for name in ("output_tokens", "output_items"):
            window[name] = None if window[name] is None else int(window[name] * share)
        window["energy"]["counter_seconds"] = seconds
        energy(share, share, ("steady",))(content)
        window.update(more)

    return spoil


def size_not_told(content: dict[str, Any]) -> None:
    """As recorded before it was."""
    for name in ("computed_width", "computed_height", "frames"):
        del content["sample"][name]


def unsettled(content: dict[str, Any]) -> None:
    """The window says that it never settled, and has energy all the same."""
    content["window_steady"] |= {"settled": False, "reason": "never settled"}


def no_energy(content: dict[str, Any]) -> None:
    """The counter was there, its reading is not."""
    for name in ("steady", "mlenergy"):
        content[f"window_{name}"]["energy"] = None


def gpu(**fields: Any) -> Spoil:
    """Change the one GPU of the provenance."""
    return put("provenance.gpus", lambda gpus: [gpus[0] | fields])


def times(what: str, seconds: float) -> Spoil:
    """Shift started_at or finished_at."""

    def spoil(content: dict[str, Any]) -> None:
        from datetime import datetime

        content[what] = (datetime.fromisoformat(content[what]) + timedelta(seconds=seconds)).isoformat()

    return spoil


def timeline(
    change: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]], series: Series
) -> SpoilFiles:
    """Rewrite one series of timelines.parquet: seconds and values in, seconds and values out."""

    def spoil(folder: Path) -> None:
        path = folder / bundle.TIMELINES_FILE
        table = pq.read_table(path)
        mine = pc.equal(table["series"].cast(pa.string()), series.value)
        part, others = table.filter(mine), table.filter(pc.invert(mine))
        at, values = change(part["seconds"].to_numpy().copy(), part["value"].to_numpy().copy())
        made = part.slice(0, len(at))
        made = made.set_column(2, "seconds", pa.array(at, pa.float64()))
        made = made.set_column(3, "value", pa.array(values, pa.float64()))
        pq.write_table(pa.concat_tables([others, made]), path)

    return spoil


def rewritten(file: str, change: Callable[[pa.Table], pa.Table]) -> SpoilFiles:
    """Rewrite a table of the bundle."""

    def spoil(folder: Path) -> None:
        pq.write_table(change(pq.read_table(folder / file)), folder / file)

    return spoil


requests = partial(rewritten, bundle.REQUESTS_FILE)
timelines = partial(rewritten, bundle.TIMELINES_FILE)


def column(name: str, change: Callable[[pa.ChunkedArray], Any]) -> Callable[[pa.Table], pa.Table]:
    """Another column of that name in a table."""

    def changed(table: pa.Table) -> pa.Table:
        return table.set_column(table.column_names.index(name), name, change(table[name]))

    return changed


def filled(name: str, value: float | None) -> Callable[[pa.Table], pa.Table]:
    """One value, or NULL, in every row of a column, whose type stays."""
    return column(name, lambda values: pa.array([value] * len(values), values.type))


def record(change: Spoil) -> SpoilFiles:
    """Rewrite run.json past its schema, which refuses what is written."""

    def spoil(folder: Path) -> None:
        path = folder / bundle.RUN_FILE
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content, indent=1))

    return spoil


def another_table(folder: Path) -> None:
    """The timelines stand where the requests should."""
    shutil.copyfile(folder / bundle.TIMELINES_FILE, folder / bundle.REQUESTS_FILE)


def odd_answers(folder: Path) -> None:
    """A file of answers that is no table."""
    (folder / bundle.ANSWERS_FILE).write_text("x")


def uneven_pieces(table: pa.Table) -> pa.Table:
    """One piece whose tokens are not told."""
    pieces = pa.chunked_array([pa.array([[0, 5]] * table.num_rows, REQUESTS.field("chunk_gap_us").type)])
    tokens = pa.chunked_array([pa.array([[1]] * table.num_rows, REQUESTS.field("chunk_tokens").type)])
    return column("chunk_gap_us", lambda _: pieces)(column("chunk_tokens", lambda _: tokens)(table))


def swap_times(table: pa.Table) -> pa.Table:
    """Requests that finish before they are sent."""
    at = table.column_names.index("sent_seconds")
    return table.set_column(at, "sent_seconds", pc.add(table["finished_seconds"], 1.0))


def cut(name: str) -> SpoilFiles:
    """Truncate a file to its first half."""

    def spoil(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return spoil


def edit(name: str, old: str, new: str) -> SpoilFiles:
    """Replace text in a file."""

    def spoil(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text, f"{name} holds no {old!r}"
        (folder / name).write_text(text.replace(old, new, 1))

    return spoil


def log(line: str) -> SpoilFiles:
    """A line in the server's log."""

    def spoil(folder: Path) -> None:
        (folder / bundle.SERVER_LOG).write_text(f"INFO started\n{line}\n")

    return spoil


def without(name: str) -> SpoilFiles:
    """Remove a file."""
    return lambda folder: (folder / name).unlink()


def with_unexpected_file(folder: Path) -> None:
    """A file that no bundle has."""
    (folder / "notes.txt").write_text("not part of a bundle\n")


def folder_of_another_id(store: Store, run: Run) -> Path:
    """The folder's name is not the run's id."""
    return store.path_of(run).with_name(new_run_id())


def another_tasks_folder(store: Store, run: Run) -> Path:
    """Under gpqa, though it is a chat run."""
    return store.root / "gpqa" / f"{run.started_at:%Y-%m}" / run.run_id


def two_gpus_in_timeline(folder: Path) -> None:
    """Power of a GPU that the configuration does not have."""
    path = folder / bundle.TIMELINES_FILE
    table = pq.read_table(path)
    power = table.filter(pc.equal(table["series"].cast(pa.string()), Series.POWER_WATTS.value))
    second = power.set_column(1, "gpu_index", pa.array([1] * power.num_rows, pa.int16()))
    pq.write_table(pa.concat_tables([table, second]), path)


BATCH = "window_steady.mean_running_requests"
POWER = Series.POWER_WATTS

FAULTS: tuple[Fault, ...] = (
    # Energy and power
    Fault("energy times 1000", "power_within_tdp", energy(1000, 1000)),
    Fault("millijoules taken for joules", "two_instruments_agree", energy(1000, 1)),
    Fault("energy counter reset within the window", "two_instruments_agree", energy(0.4, 1)),
    Fault("counter differs from the integral by 3 %", "two_instruments_agree", energy(1.03, 1)),
    Fault(
        "counter and integral differ in ML.ENERGY's window only",
        "two_instruments_agree_mlenergy",
        energy(1.1, 1, ("mlenergy",)),
    ),
    Fault(
        "both instruments halved, power timeline not halved",
        "integral_follows_from_timeline",
        energy(0.5, 0.5),
    ),
    Fault(
        "no integral beside the counter",
        "two_instruments_present",
        put("window_steady.energy.integral_joules", None),
    ),
    Fault(
        "counter read over another span",
        "counter_spans_window",
        put("window_steady.energy.counter_seconds", 66.0),
    ),
    Fault(
        "energies of the GPUs do not add up to the total",
        "energy_sums_over_gpus",
        put("window_steady.energy.counter_joules_per_gpu", [20000.0]),
    ),
    Fault(
        "energy of one GPU more than the run has",
        "energy_of_every_gpu",
        put("window_steady.energy.counter_joules_per_gpu", [15000.0, 15000.0]),
    ),
    Fault("power above the TDP", "power_within_tdp", sample={"power_watts": 900.0}),
    Fault("power above the power cap", "power_within_limit", put("comparability.power_limit_watts", 300.0)),
    Fault("power below idle", "power_over_idle", sample={"power_watts": 60.0}),
    Fault(
        "GPU busy before the server started",  # as recorded before the busiest GPU was told
        "idle_was_idle",
        each(
            put("device.idle_watts_before_server", 400.0),
            put("device.idle_watts_before_server_max_per_gpu", None),
        ),
    ),
    Fault(
        "one GPU of two busy before the server started",
        "idle_was_idle",
        each(
            put("configuration.num_gpus", 2),
            put("device.idle_watts_before_server", 380.0),
            put("device.idle_watts_before_server_max_per_gpu", 300.0),
        ),
    ),
    Fault("energy without an energy counter", "no_energy_without_counter", put("energy_source", "none")),
    Fault("energy counter, but no energy", "counter_has_energy", no_energy),
    Fault("energy replayed from a recording", "energy_was_measured_here", put("energy_source", "replay")),
    Fault("energy of a window that never settled", "no_energy_in_unsettled_window", unsettled),
    Fault(
        "tokens counted in thousands", "energy_per_token_plausible", put("window_steady.output_tokens", 24)
    ),
    # Instruments
    Fault(
        "frozen power timeline", "power_not_frozen", files=timeline(lambda at, w: (at, w * 0 + 500.0), POWER)
    ),
    Fault(
        "power timeline with a gap",
        "power_sampled_throughout",
        files=timeline(lambda at, w: (at[:300], w[:300]), POWER),
    ),
    Fault(
        "NaN in the power timeline",
        "samples_are_numbers",
        files=timeline(lambda at, w: (at, np.r_[np.nan, w[1:]]), POWER),
    ),
    Fault(
        "nothing but NaN in the timelines",
        "samples_are_numbers",
        files=timelines(filled("value", np.nan)),
    ),
    Fault(
        "negative power",
        "samples_are_numbers",
        files=timeline(lambda at, w: (at, np.r_[-500.0, w[1:]]), POWER),
    ),
    Fault(
        "server metrics with gaps",
        "server_metrics_throughout",
        files=timeline(lambda at, n: (at[:30], n[:30]), Series.RUNNING_REQUESTS),
    ),
    Fault("power of one GPU more than the run has", "power_of_every_gpu", files=two_gpus_in_timeline),
    Fault("too cold", "not_too_cold", put("device.temperature_min_celsius", 5.0)),
    Fault("too hot", "not_too_hot", put("device.temperature_max_celsius", 99.0)),
    Fault(
        "throttled by heat",
        "no_thermal_or_hardware_throttling",
        put("device.throttle_reasons", ["hw_thermal_slowdown"]),
    ),
    Fault(
        "throttled by the power brake",
        "no_thermal_or_hardware_throttling",
        put("device.throttle_reasons", ["hw_power_brake_slowdown"]),
    ),
    # Steady state
    Fault("steady window too short", "steady_window_long_enough", window_of(10)),
    Fault("too few turnovers", "steady_window_turned_over", window_of(40, turnovers=2.0)),
    Fault("batch not saturated", "batch_saturated", put(BATCH, 20.0)),
    Fault("more running than the batch size", "batch_saturated", put(BATCH, 40.0)),
    Fault("window outside the run", "windows_inside_run", put("requests.duration_seconds", 50.0)),
    Fault(
        "more tokens in the window than in the run",
        "window_tokens_inside_run",
        put("window_steady.output_tokens", 400000),
    ),
    # Requests
    Fault(
        "half the requests failed",
        "all_requests_completed",
        each(put("requests.failed", 320), put("requests.sent", 960), put("requests.first_error", "HTTP 500")),
    ),
    Fault("no request counts", "has_request_counts", put("requests", None)),
    Fault("requests lost without an error", "all_requests_completed", put("requests.sent", 700)),
    Fault("no output", "some_output", put("requests.output_tokens", 0)),
    Fault(
        "answers cut at the length cap",
        "outputs_not_capped",
        each(put("comparability.length_control", "natural"), put("requests.at_length_cap", 300)),
    ),
    Fault("prompts served from the prefix cache", "no_prefix_cache_hits", put("server.prefix_cache_hits", 7)),
    Fault(
        "images served from the multimodal cache",
        "no_multimodal_cache_hits",
        put("server.multimodal_cache_hits", 7),
    ),
    Fault(
        "prefix cache hits not known",
        "prefix_cache_hits_known",
        put("server.prefix_cache_hits", None),
    ),
    Fault("no record of the server", "prefix_cache_hits_known", put("server", None)),
    Fault(
        "multimodal cache hits not known",
        "multimodal_cache_hits_known",
        each(put("configuration.task", "image-chat"), put("server.multimodal_cache_hits", None)),
    ),
    Fault(
        "one token too many in every answer",
        "two_token_counts_agree",
        each(put("server.received_tokens", 320_400), put("server.generated_tokens", 320_000)),
    ),
    Fault(
        "a server that generated four times what was counted",
        "two_token_counts_agree",
        each(put("server.received_tokens", 606), put("server.generated_tokens", 2424)),
    ),
    Fault(
        "tokens of the window counted once per event of four",
        "two_token_counts_agree_in_window",
        put("server.generated_tokens_in_window", 960_000.0),
    ),
    Fault(
        "natural lengths and no counter of tokens",
        "token_counter_known",
        each(
            put("comparability.length_control", "natural"),
            put("server.generated_tokens_absent_reason", "the metrics page does not have it"),
        ),
    ),
    Fault(
        "more tokens accepted than drafted",
        "accepted_tokens_possible",
        **drafted(drafts=20_000, accepted=100_000, prescribed=None),
    ),
    Fault(
        "drafts counted twice",
        "drafted_steps_fit_tokens",
        **drafted(drafts=192_000, accepted=288_000, prescribed=2.5),
    ),
    Fault(
        "half as much accepted as the options prescribe",
        "acceptance_as_prescribed",
        **drafted(drafts=96_000, accepted=72_000, prescribed=2.5),
    ),
    Fault(
        "no drafts where an acceptance is prescribed",
        "acceptance_as_prescribed",
        **drafted(drafts=0, accepted=0, prescribed=2.5),
    ),
    Fault(
        "one token generated, and not said how many were received",
        "two_token_counts_agree",
        each(put("server.received_tokens", None), put("server.generated_tokens", 1)),
    ),
    Fault("the start of the server in mJ", "start_power_plausible", start_joules(1000.0)),
    Fault("the start of the server in kJ", "start_power_plausible", start_joules(0.001)),
    Fault(
        "every phase twice",
        "phases_stand_once",
        lambda content: content.update(phases=[*content["phases"], *content["phases"]]),
    ),
    Fault(
        "completed, and why it failed",
        "completed_without_failure",
        put("failure", {"phase": "load", "error": "LoadError", "message": "no answer"}),
    ),
    Fault(
        "one GPU listed twice",
        "gpus_all_seen",
        lambda content: content["provenance"]["gpus"].append(content["provenance"]["gpus"][0]),
    ),
    Fault("text in 28 steps", "text_has_no_steps", put("configuration.inference_steps", 28)),
    Fault("tokens counted twice", "request_file_tokens_agree", put("requests.output_tokens", 640000)),
    Fault(
        "requests.parquet lacks requests",
        "request_file_counts_agree",
        files=requests(lambda t: t.slice(0, 300)),
    ),
    Fault("requests finish before they start", "request_times_in_order", files=requests(swap_times)),
    Fault(
        "latency quantiles out of order",
        "latency_quantiles_in_order",
        put("latency.itl_ms", {"p50": 8, "p90": 7, "p95": 10, "p99": 15}),
    ),
    Fault(
        "latency in seconds taken for milliseconds",
        "throughput_near_latency",
        put("latency.itl_ms", {"p50": 8000, "p90": 9000, "p95": 10000, "p99": 15000}),
    ),
    Fault("KV cache usage in per cent", "kv_cache_usage_is_a_share", put("server.max_kv_cache_usage", 40.0)),
    Fault("load generator lagged", "client_kept_up", put("client.lagged", True)),
    Fault("load generator out of CPU", "client_not_saturated", put("client.cpu_share", 0.99)),
    # Clocks
    Fault("clock went back during the run", "clock_did_not_jump", times("finished_at", -3600)),
    Fault(
        "run from the future",
        "not_from_the_future",
        each(times("started_at", 1e9), times("finished_at", 1e9)),
    ),
    # Identity
    Fault("recheck of what is published", "not_a_recheck", put("sweep_id", "recheck__weekly")),
    Fault(
        "run of the mock server",
        "not_the_mock_server",
        put("provenance.runtime_distribution", "jouleboard-mock"),
    ),
    Fault("wrong model id", "model_in_catalog", put("configuration.model_id", "Qwen/Qwen3-8")),
    Fault(
        "model id with a path in it", "model_in_catalog", put("configuration.model_id", "../../etc/passwd")
    ),
    Fault("wrong precision", "precision_as_in_catalog", put("configuration.weight_precision", "fp8")),
    Fault("GPU that is not in the catalog", "gpu_in_catalog", put("configuration.gpu_model", "H9000")),
    Fault(
        "another GPU than the configuration names", "gpu_is_the_one_named", gpu(name="NVIDIA H100 80GB HBM3")
    ),
    Fault(
        "TDP of another GPU as power cap", "limit_within_tdp", put("comparability.power_limit_watts", 1000.0)
    ),
    Fault("memory of a smaller GPU", "gpu_memory_too_small", gpu(memory_bytes=80 * 2**30)),
    Fault("memory of a larger GPU", "gpu_memory_too_large", gpu(memory_bytes=192 * 2**30)),
    Fault("a GPU is missing", "gpus_all_seen", put("configuration.num_gpus", 2)),
    Fault(
        "parallel degrees do not multiply to the number of GPUs",
        "parallelism_fills_gpus",
        put("configuration.tensor_parallel", 2),
    ),
    Fault("no GPU model, but one GPU", "gpu_count_fits_gpu", put("configuration.gpu_model", "none")),
    # The bundle
    Fault(
        "run failed",
        "run_completed",
        each(
            put("status", "failed"),
            put("failure", {"phase": "load", "error": "ServerDied", "message": "died"}),
        ),
    ),
    Fault(
        "crash in the server's log",
        "no_crash_in_log",
        files=log("RuntimeError: CUDA error: device-side assert"),
    ),
    Fault("truncated requests.parquet", "bundle_whole", files=cut(bundle.REQUESTS_FILE), keep_sums=True),
    Fault("truncated Parquet with fitting checksums", "bundle_whole", files=cut(bundle.TIMELINES_FILE)),
    Fault(
        "tampered run.json",
        "bundle_whole",
        files=edit(bundle.RUN_FILE, '"cpu_share": 0.05', '"cpu_share": 0.04'),
        keep_sums=True,
    ),
    Fault("timelines missing", "bundle_whole", files=without(bundle.TIMELINES_FILE), keep_sums=True),
    Fault("requests missing, checksums too", "bundle_whole", files=without(bundle.REQUESTS_FILE)),
    Fault("timelines in place of the requests", "bundle_whole", files=another_table),
    Fault(
        "requests without a column",
        "bundle_whole",
        files=requests(lambda t: t.drop_columns(["first_token_seconds"])),
    ),
    Fault(
        "timelines without a column",
        "bundle_whole",
        files=timelines(lambda t: t.drop_columns(["gpu_index"])),
    ),
    Fault(
        "text in place of numbers of requests",
        "bundle_whole",
        files=requests(column("output_tokens", lambda values: values.cast(pa.string()))),
    ),
    Fault(
        "text in place of numbers of samples",
        "bundle_whole",
        files=timelines(column("value", lambda values: values.cast(pa.string()))),
    ),
    Fault(
        "requests that end at NaN",
        "bundle_whole",
        files=requests(filled("finished_seconds", np.nan)),
    ),
    Fault(
        "requests that were never sent",
        "bundle_whole",
        files=requests(filled("sent_seconds", None)),
    ),
    Fault(
        "requests with fewer than no tokens",
        "bundle_whole",
        files=requests(column("output_tokens", pc.negate)),
    ),
    Fault(
        "samples at an infinite time",
        "bundle_whole",
        files=timelines(filled("seconds", np.inf)),
    ),
    Fault(
        "samples of no GPU",
        "bundle_whole",
        files=timelines(filled("gpu_index", None)),
    ),
    Fault("pieces of answers without their tokens", "bundle_whole", files=requests(uneven_pieces)),
    Fault("answers that are no table", "bundle_whole", files=odd_answers),
    Fault("unexpected file in the bundle", "bundle_whole", files=with_unexpected_file, keep_sums=True),
    Fault("no checksums", "bundle_whole", files=without(bundle.CHECKSUMS_FILE), keep_sums=True),
    Fault(
        "checksums of a file outside the bundle",
        "bundle_whole",
        files=edit(bundle.CHECKSUMS_FILE, "  run.json", "  ../run.json"),
        keep_sums=True,
    ),
    Fault("checksums changed after signing", "bundle_whole", files=changed_after_signing),
    Fault("signature of another bundle", "bundle_whole", files=signature_of_another, keep_sums=True),
    Fault("signature cut off", "bundle_whole", files=each_file(sign, cut("SIGNATURE")), keep_sums=True),
    Fault("key that nobody trusts", "signer_trusted", files=sign, keep_sums=True),
    Fault("truncated run.json", "bundle_readable", files=cut(bundle.RUN_FILE)),
    Fault(
        "NaN in run.json",
        "bundle_readable",
        files=edit(bundle.RUN_FILE, '"cpu_share": 0.05', '"cpu_share": NaN'),
    ),
    Fault(
        "record of another schema",
        "bundle_readable",
        files=edit(bundle.RUN_FILE, '"schema_version": 1', '"schema_version": 99'),
    ),
    Fault(
        "negative energy",
        "bundle_readable",
        files=edit(bundle.RUN_FILE, '"integral_joules": ', '"integral_joules": -'),
    ),
    Fault(
        "start without a time zone",
        "bundle_readable",
        files=record(put("started_at", "2026-11-20T10:00:00")),
    ),
    Fault(
        "start in the year 1",
        "bundle_readable",
        files=record(put("started_at", "0001-01-01T00:00:00Z")),
    ),
    Fault(
        "batch size of 31 digits", "bundle_readable", files=record(put("configuration.batch_size", 10**30))
    ),
    Fault("more GPUs than fit", "bundle_readable", files=record(put("configuration.num_gpus", 2**31))),
    Fault("count of 20 digits", "bundle_readable", files=record(put("requests.prompt_tokens", 10**19))),
    Fault("seed of 20 digits", "bundle_readable", files=record(put("provenance.seed", 10**19))),
    Fault(
        "bin of a histogram that there is not",
        "bundle_readable",
        files=record(put("latency.itl_histogram", {"99999999999": 1})),
    ),
    Fault("folder named after another run", "bundle_readable", place=folder_of_another_id),
    Fault("bundle in another task's folder", "in_its_place", place=another_tasks_folder),
    # Images and videos
    Fault(
        "images over less than 10 s",
        "batches_long_enough",
        window_of(8.0),
        sample={"seconds_a_batch": 1.0},
        make=sample_generation_run,
    ),
    Fault(
        "two batches of images in 12 s",
        "steady_window_turned_over",
        window_of(12.0, turnovers=2.0),
        make=sample_generation_run,
    ),
    Fault(
        "more images in the window than in the run",
        "window_items_inside_run",
        put("window_steady.output_items", 1000),
        make=sample_generation_run,
    ),
    Fault(
        "images missing in requests.parquet",
        "request_file_counts_agree",
        each(put("requests.sent", 100), put("requests.completed", 100)),
        make=sample_generation_run,
    ),
    Fault(
        "images with less than 1 J each",
        "energy_per_item_plausible",
        energy(1e-4, 1e-4, ("steady",)),
        make=sample_generation_run,
    ),
    Fault(
        "videos with half of the batch running",
        "batch_saturated",
        put("window_steady.mean_running_requests", 2.0),
        sample={"video": True},
        make=sample_generation_run,
    ),
    Fault(
        "videos without the integral of power",
        "two_instruments_present",
        put("window_steady.energy.integral_joules", None),
        sample={"video": True},
        make=sample_generation_run,
    ),
    Fault(
        "images on three GPUs without a parallel degree for them",
        "parallelism_fills_gpus",
        put("configuration.num_gpus", 3),
        make=sample_generation_run,
    ),
    Fault(
        "black images",
        "sample_is_a_picture",
        put("sample.pixel_spread", 0.0),
        make=sample_generation_run,
    ),
    Fault(
        "video with some NaN values",
        "sample_is_a_picture",
        put("sample.non_finite_share", 0.001),
        sample={"video": True},
        make=sample_generation_run,
    ),
    Fault(
        "pictures computed at another size and scaled",
        "computed_as_configured",
        each(put("sample.computed_width", 512), put("sample.computed_height", 512)),
        make=sample_generation_run,
    ),
    Fault(
        "pictures computed with width and height exchanged",
        "computed_as_configured",
        each(put("sample.computed_width", 480), put("sample.computed_height", 832)),
        sample={"video": True},
        make=sample_generation_run,
    ),
    Fault(
        "a video of fewer frames",
        "computed_as_configured",
        put("sample.frames", 77),
        sample={"video": True},
        make=sample_generation_run,
    ),
    Fault(
        "a size that its pipeline may scale to, and the record does not say so",
        "computed_size_is_recorded",
        each(*map(put, ("configuration.width", "configuration.height"), (512, 512)), size_not_told),
        make=sample_generation_run,
    ),
    Fault(
        "a size that its pipeline rounds, and the record does not say so",
        "computed_size_is_recorded",
        each(
            put("configuration.model_id", "black-forest-labs/FLUX.1-dev"),
            put("configuration.width", 1000),
            size_not_told,
        ),
        make=sample_generation_run,
    ),
    Fault(
        "a number of frames that its pipeline rounds, and the record does not say so",
        "computed_size_is_recorded",
        each(put("configuration.num_frames", 80), size_not_told),
        sample={"video": True},
        make=sample_generation_run,
    ),
    Fault(
        "image run without an image",
        "some_output",
        each(put("requests.sent", 0), put("requests.completed", 0)),
        make=sample_generation_run,
    ),
)


def scaled(factor: float, *series: Series) -> SpoilFiles:
    """Some series of the timelines in another unit."""

    def spoil(folder: Path) -> None:
        for name in series:
            timeline(lambda at, values: (at, values * factor), name)(folder)

    return spoil


def swapped_gpus(content: dict[str, Any]) -> None:
    """The energy of each of two GPUs stands under the other."""
    for name in ("steady", "mlenergy"):
        content[f"window_{name}"]["energy"]["counter_joules_per_gpu"].reverse()


def tokens(factor: float, *fields: str) -> Spoil:
    """Scale counts of tokens."""
    return each(*(put(name, lambda count: int(count * factor)) for name in fields))


def shifted_window(seconds: float) -> Spoil:
    """The window lies elsewhere, with the energy and the tokens that it had."""
    ends = ("window_steady.start_seconds", "window_steady.end_seconds")
    return each(*(put(name, lambda at: at + seconds) for name in ends))


def in_seconds(*latencies: str) -> Spoil:
    """Latencies in seconds where milliseconds belong."""

    def spoil(content: dict[str, Any]) -> None:
        for name in latencies:
            content["latency"][name] = {q: ms / 1000 for q, ms in content["latency"][name].items()}

    return spoil


def timelines_of_another_run(folder: Path) -> None:
    """The samples of the meters are those of another run."""
    shutil.copyfile(RECORDED / ANOTHER_RUN / bundle.TIMELINES_FILE, folder / bundle.TIMELINES_FILE)


def slow_middle(depth: float) -> Spoil:
    """Parts 5 and 6 of ten have fewer tokens and less energy, by `depth`; the totals agree with them."""

    def spoil(content: dict[str, Any]) -> None:
        window = content["window_steady"]
        left = [1 - depth if part in (4, 5) else 1 + 0.001 * (part % 3) for part in range(10)]
        outputs = [round(window["output_tokens"] * share / sum(left)) for share in left]
        joules = [window["energy"]["counter_joules"] * share / sum(left) for share in left]
        parts = zip(outputs, joules, strict=True)
        window["sub_windows"] = [{"outputs": count, "counter_joules": energy} for count, energy in parts]
        window["output_tokens"] = sum(outputs)

    return spoil


def slow_batch(factor: float) -> SpoilFiles:
    """One batch in the middle of a window of images takes `factor` times as long, the others less.

    The record has the latencies that follow.
    """

    def spoil(folder: Path) -> None:
        path = folder / bundle.REQUESTS_FILE
        content = json.loads((folder / bundle.RUN_FILE).read_text())
        window, schema = content["window_steady"], pq.read_schema(path)
        frame = pq.read_table(path).to_pandas()
        begins, place = np.unique(frame["sent_seconds"], return_inverse=True)
        seconds = frame.groupby("sent_seconds")["finished_seconds"].first().to_numpy() - begins
        inside = np.flatnonzero(begins >= window["start_seconds"])
        total = seconds[inside].sum()
        seconds[inside[len(inside) // 2]] *= factor
        seconds[inside] *= total / seconds[inside].sum()
        begins[inside] = window["start_seconds"] + np.r_[0.0, np.cumsum(seconds[inside])[:-1]]
        frame["sent_seconds"], frame["finished_seconds"] = begins[place], (begins + seconds)[place]
        pq.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False), path)
        each = (frame["finished_seconds"] - frame["sent_seconds"])[frame["sent_seconds"] >= begins[inside[0]]]
        levels = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
        content["latency"]["e2e_ms"] = {
            name: 1000 * np.quantile(each, level) for name, level in levels.items()
        }
        (folder / bundle.RUN_FILE).write_text(json.dumps(content))

    return spoil


def throttled(share: float) -> SpoilFiles:
    """The power cap slows the GPU down in this share of the readings."""

    def spoil(folder: Path) -> None:
        path = folder / bundle.TIMELINES_FILE
        table = pq.read_table(path)
        power = table.filter(pc.equal(table["series"].cast(pa.string()), POWER.value))
        names = pa.array([Series.THROTTLE_REASON_BITS.value] * power.num_rows, pa.string())
        capped = np.arange(power.num_rows) % 100 < 100 * share
        bits = power.set_column(0, "series", names.cast(table.schema.field("series").type))
        bits = bits.set_column(3, "value", pa.array(np.where(capped, 4.0, 0.0)))
        pq.write_table(pa.concat_tables([table, bits]), path)

    return spoil


def changed_phase(name: str, **factors: float) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    """The phases, with fields of one of them scaled."""

    def change(phases: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            phase | {key: phase[key] * factor for key, factor in factors.items()}
            if phase["name"] == name
            else phase
            for phase in phases
        ]

    return change


def halved_token_latencies(latency: dict[str, Any]) -> dict[str, Any]:
    """All quantiles and the histogram, whose bins are 15 lower: 10^(-15/50) is a half."""
    return latency | {
        "itl_ms": {name: ms / 2 for name, ms in latency["itl_ms"].items()},
        "itl_histogram": {str(int(bin_) - 15): count for bin_, count in latency["itl_histogram"].items()},
    }


def another_clock(table: pa.Table) -> pa.Table:
    """Request times as a clock that runs 3 % fast would have them, five seconds later."""
    for name in ("sent_seconds", "first_token_seconds", "finished_seconds"):
        at = table.column_names.index(name)
        table = table.set_column(at, name, pc.add(pc.multiply(table[name], 1.03), 5.0))
    return table


OTHER_SERVER = put("server.session_id", new_run_id())

CONSISTENT_FAULTS: tuple[Fault, ...] = (
    Fault("energies of two GPUs swapped", "record_follows_from_files", swapped_gpus, recorded=TWO_GPUS),
    Fault(
        "energy doubled with all that belongs to it in the record",
        "record_follows_from_files",
        energy(2, 2),
        recorded=TWO_GPUS,
    ),
    Fault(
        "energy halved in the record and in the power timeline",
        "record_follows_from_files",
        each(energy(0.5, 0.5), put("device.power_max_watts_per_gpu", lambda watts: watts / 2)),
        scaled(0.5, Series.POWER_WATTS),
        recorded=TWO_GPUS,
    ),
    Fault(
        "energy of one GPU 0.2 % too high",
        "record_follows_from_files",
        energy(1.002, 1),
        recorded=TWO_GPUS,
    ),
    Fault(
        "four times the tokens in the record",
        "window_tokens_follow_from_requests",
        tokens(4, "window_steady.output_tokens", "window_mlenergy.output_tokens", "requests.output_tokens"),
        recorded=TWO_GPUS,
    ),
    Fault(
        "a fifth more tokens in the window",
        "window_tokens_follow_from_requests",
        tokens(1.2, "window_steady.output_tokens"),
    ),
    Fault(
        "two fifths more tokens in the window, by the server's count, too",
        "window_tokens_follow_from_requests",
        tokens(1.4, "window_steady.output_tokens", "server.generated_tokens_in_window"),
        files=timeline(lambda at, count: (at, 1.4 * count), Series.GENERATED_TOKENS),
        recorded=COUNTED,
    ),
    Fault(
        "an eighth fewer tokens in the window",
        "window_tokens_follow_from_requests",
        tokens(0.875, "window_steady.output_tokens"),
    ),
    Fault(
        "window shifted by 0.9 s",
        "record_follows_from_files",
        shifted_window(-0.9),
        recorded=TWO_GPUS,
    ),
    Fault(
        "timelines of another run",
        "record_follows_from_files",
        files=timelines_of_another_run,
        recorded=TWO_GPUS,
    ),
    Fault(
        "parts of the window with twice the energy",
        "record_follows_from_files",
        put(
            "window_steady.sub_windows",
            lambda parts: [part | {"counter_joules": part["counter_joules"] * 2} for part in parts],
        ),
        recorded=TWO_GPUS,
    ),
    Fault(
        "temperature of another moment",
        "record_follows_from_files",
        put("device.temperature_max_celsius", lambda celsius: celsius - 8),
        recorded=TWO_GPUS,
    ),
    Fault(
        "clock ten per cent lower in the record only",
        "record_follows_from_files",
        put("device.sm_clock_median_mhz", lambda mhz: mhz * 0.9),
        recorded=TWO_GPUS,
    ),
    Fault(
        "clock above the highest of the GPU model",
        "sm_clock_possible",
        put("device.sm_clock_median_mhz", 2400.0),
    ),
    Fault(
        "memory clock of another GPU model",
        "memory_clock_possible",
        put("device.memory_clock_median_mhz", 3996.0),
    ),
    Fault(
        "clock in kHz",
        "clock_plausible",
        put("device.sm_clock_median_mhz", lambda mhz: mhz * 1000),
        scaled(1000, Series.SM_CLOCK_MHZ),
        recorded=TWO_GPUS,
    ),
    Fault(
        "prompts twice as long in the record",
        "record_follows_from_files",
        tokens(2, "requests.prompt_tokens"),
        recorded=TWO_GPUS,
    ),
    Fault(
        "mean answer length doubled",
        "record_follows_from_files",
        put("requests.mean_output_tokens", lambda mean: mean * 2),
        recorded=TWO_GPUS,
    ),
    Fault(
        "latencies in seconds",
        "latency_follows_from_requests",
        in_seconds("ttft_ms", "itl_ms", "e2e_ms"),
        recorded=TWO_GPUS,
    ),
    Fault(
        "inter-token latency in seconds",
        "token_latency_follows_from_requests",
        in_seconds("itl_ms"),
        recorded=TWO_GPUS,
    ),
    Fault(
        "measured as another version",
        "version_as_installed",
        put("comparability.runtime_version", "0.27.0"),
        recorded=TWO_GPUS,
    ),
    Fault(
        "measured as under a lower power cap",
        "limit_as_on_gpus",
        put("comparability.power_limit_watts", 650.0),
        recorded=TWO_GPUS,
    ),
    Fault(
        "idle power with the model loaded above that of the load",
        "power_over_idle",
        put("device.idle_watts_loaded", 1200.0),
        recorded=TWO_GPUS,
    ),
    Fault("idle power in kW", "idle_not_too_low", put("device.idle_watts_before_server", 0.157)),
    Fault(
        "idle power just below 3 % of the TDP",
        "idle_not_too_low",
        put("device.idle_watts_before_server", 20.9),
    ),
    Fault("ends in the future", "not_from_the_future", times("finished_at", 3e8), recorded=TWO_GPUS),
    Fault("started a day earlier", "clock_did_not_jump", times("started_at", -86400), recorded=TWO_GPUS),
    Fault(
        "inter-token latencies halved, histogram too",
        "latency_histogram_follows_from_requests",
        put("latency", halved_token_latencies),
        recorded=TWO_GPUS,
    ),
    Fault(
        "median inter-token latency halved",
        "token_latency_follows_from_pieces",
        put("latency.itl_ms.p50", lambda ms: ms / 2),
        recorded=TWO_GPUS,
    ),
    Fault(
        "95th percentile of the time to the first token doubled",
        "record_follows_from_files",
        put("latency.ttft_ms.p95", lambda ms: ms * 2),
        recorded=TWO_GPUS,
    ),
    Fault(
        "KV cache usage halved",
        "record_follows_from_files",
        put("server.mean_kv_cache_usage", lambda share: share / 2),
        recorded=TWO_GPUS,
    ),
    Fault(
        "CPU seconds of the server doubled",
        "record_follows_from_files",
        put("server.cpu_seconds", lambda seconds: seconds * 2),
        recorded=TWO_GPUS,
    ),
    Fault(
        "half of the images of the window",
        "record_follows_from_files",
        put("window_steady.output_items", lambda items: items // 2),
        recorded=IMAGES,
    ),
    Fault(
        "images of half the height",
        "record_follows_from_files",
        put("configuration.height", 512),
        recorded=IMAGES,
    ),
    Fault(
        "throttle reasons left out",
        "record_follows_from_files",
        put("device.throttle_reasons", []),
        files=throttled(1.0),
    ),
    Fault(
        "half of the tokens in ML.ENERGY's window",
        "mlenergy_tokens_follow_from_requests",
        tokens(0.5, "window_mlenergy.output_tokens"),
        recorded=TWO_GPUS,
    ),
    Fault(
        "measuring took twice as long",
        "phases_fill_run",
        put("phases", changed_phase("measure", seconds=2)),
        recorded=TWO_GPUS,
    ),
    Fault(
        "measuring cost twice as much energy",
        "measuring_power_follows_from_timeline",
        put("phases", changed_phase("measure", joules=2)),
        recorded=TWO_GPUS,
    ),
    Fault(
        "warming up in millijoules",
        "warm_up_power_plausible",
        put("phases", changed_phase("warm-up", joules=1000)),
        recorded=TWO_GPUS,
    ),
    Fault(
        "one idle GPU draws more than all",
        "busiest_idle_gpu_fits_all",
        put("device.idle_watts_before_server_max_per_gpu", lambda watts: watts * 2.5),
        recorded=TWO_GPUS,
    ),
    Fault(
        "CPU share of the load generator a tenth",
        "client_share_follows_from_seconds",
        put("client.cpu_share", lambda share: share / 10),
        recorded=TWO_GPUS,
    ),
    Fault(
        "late load generator that says it kept up",
        "client_verdict_follows_from_figures",
        put("client.loop_lag_p99_ms", 40.0),
        recorded=TWO_GPUS,
    ),
    Fault(
        "a server that generated far more than cut off requests had left",
        "two_token_counts_agree",
        each(
            put("server.received_tokens", 320_000),
            put("server.generated_tokens", 640_000),
            put("requests.cancelled", 1),
        ),
    ),
    Fault("copy under the id of another server", "not_a_replay", OTHER_SERVER, recorded=TWO_GPUS),
    Fault(
        "copy with shifted request times and other power",
        "not_a_replay",
        OTHER_SERVER,
        scaled(1.01, POWER),
        recorded=IMAGES,
    ),
    Fault(
        "copy at another speed: request times scaled and shifted",
        "not_a_replay",
        OTHER_SERVER,
        requests(another_clock),
        recorded=TWO_GPUS,
    ),
    Fault("two of ten parts at a third of the speed", "odd_parts_do_not_decide", slow_middle(0.67)),
    Fault(
        "one batch of twenty takes four times as long",
        "odd_parts_do_not_decide",
        files=slow_batch(4.0),
        make=sample_generation_run,
    ),
)
"""Plainly wrong, although the parts of the record agree with each other: the bundle's files say otherwise."""

FAULTS += CONSISTENT_FAULTS

FAULTS += (
    # Requests that arrive by themselves
    Fault(
        "nothing said of how requests arrived",
        "arrivals_recorded",
        put("arrivals", None),
        make=sample_open_run,
    ),
    Fault(
        "a closed loop with arrivals",
        "arrivals_recorded",
        put("arrivals", {"scheduled": 9, "arrived": 9, "sustained": True}),
    ),
    Fault(
        "requests sent 40 ms late",
        "arrivals_on_time",
        put("arrivals.error_p99_ms", 40.0),
        make=sample_open_run,
    ),
    Fault(
        "half of the arrivals that were asked for",
        "arrivals_as_asked",
        put("configuration.request_rate", 10.0),
        make=sample_open_run,
    ),
    Fault(
        "fewer requests sent than scheduled",
        "requests_sent_as_scheduled",
        put("arrivals.arrived", 250),
        make=sample_open_run,
    ),
    Fault(
        "a backlog that grows is said to be sustained",
        "sustained_follows_from_backlog",
        each(put("arrivals.backlog_growth_per_second", 2.0), put("arrivals.backlog_deviate", 9.0)),
        make=sample_open_run,
    ),
    Fault(
        "a backlog that does not grow is said not to be sustained",
        "sustained_follows_from_backlog",
        make=sample_open_run,
        sample={"sustained": False},
    ),
    Fault(
        "another mean backlog than that of the requests",
        "record_follows_from_files",
        put("arrivals.mean_backlog", 30.0),
        make=sample_open_run,
    ),
    Fault(
        "server counts half of the tokens of the window",
        "two_token_counts_agree_in_window__open",
        put("server.generated_tokens_in_window", 75_000.0),
        make=sample_open_run,
    ),
    Fault(
        "tokens of an idle server",
        "idle_has_no_requests",
        put("window_steady.output_tokens", 900),
        make=sample_open_run,
        sample={"request_rate": 0.0, "power_watts": 121.0},
    ),
    Fault(
        "an idle GPU that works",
        "idle_power_as_loaded",
        make=sample_open_run,
        sample={"request_rate": 0.0, "power_watts": 300.0},
    ),
    Fault(
        "less power under requests than without",
        "power_over_idle__open",
        make=sample_open_run,
        sample={"power_watts": 90.0},
    ),
)


def sleeping_run(**changes: Any) -> Run:
    """An idle run at 121 W whose server then slept at level 1 for a minute, at 90 W."""
    idle = sample_open_run(request_rate=0.0, power_watts=121.0)
    finished = idle.finished_at + timedelta(seconds=66)
    energy = WindowEnergy(
        counter_joules=5400.0,
        counter_joules_per_gpu=(5400.0,),
        counter_seconds=60.0,
        integral_joules=5400.0,
        power_samples=600,
    )
    window = Window(settled=True, start_seconds=0.0, end_seconds=60.0, output_tokens=0, energy=energy)
    slept = Sleep(
        level=1,
        falling_asleep=Spent(seconds=2.0, joules=300.0),
        window=window,
        waking=Spent(seconds=4.0, joules=840.0),
    )
    return idle.model_copy(update={"sleeps": (slept,), "finished_at": finished, **changes})


def put_asleep(field: str, value: float) -> Spoil:
    """A fault of the energy asleep."""

    def spoil(record: dict[str, Any]) -> None:
        record["sleeps"][0]["window"]["energy"][field] = value

    return spoil


def put_asleep_until(seconds: float) -> Spoil:
    """A fault of how long the server slept."""

    def spoil(record: dict[str, Any]) -> None:
        record["sleeps"][0]["window"]["end_seconds"] = seconds

    return spoil


FAULTS += (
    Fault(
        "a server that slept under requests",
        "sleep_only_of_idle",
        lambda record: record.update(sleeps=[{"level": 1}]),
        make=sample_open_run,
    ),
    Fault(
        "a server that woke without energy",
        "sleep_is_positive",
        lambda content: content["sleeps"][0]["waking"].update(joules=0.0),
        make=sleeping_run,
    ),
    Fault(
        "asleep, the counter counts a tenth more than power adds up to",
        "asleep_energies_agree",
        put_asleep("counter_joules", 5940.0),
        make=sleeping_run,
    ),
    Fault(
        "a minute asleep that the run did not last",
        "phases_fill_run",
        put_asleep_until(120.0),
        make=sleeping_run,
    ),
    Fault(
        "asleep, twice the power of waiting",
        "asleep_power_is_idle_power",
        each(put_asleep("counter_joules", 14_520.0), put_asleep("integral_joules", 14_520.0)),
        make=sleeping_run,
    ),
)


def graded_run(**changes: Any) -> Run:
    """A completed run of which 120 answers were graded, 60 of them right; half of all answers were cut."""
    run = sample_run(**changes)
    assert run.requests is not None
    keys = {"length_control": LengthControl.NATURAL, "request_set_id": "prompts.q-0-0+at-most-500"}
    grades = {"grader": GRADER, "form": "choice", "choices": 4, "answers": 120, "questions": 120, "right": 60}
    counts = {"unreadable": 10, "cut": 20, "unanswered": 0, "output_tokens": 1200}
    return run.model_copy(
        update={
            "comparability": run.comparability.model_copy(update=keys),
            "grades": Grades.model_validate({**grades, **counts}),
        }
    )


def verdicts(*counts: tuple[str, int], text: str | None = None) -> SpoilFiles:
    """`answers.parquet` with so many answers of each verdict, of 10 tokens each."""

    def spoil(folder: Path) -> None:
        said = [verdict for verdict, count in counts for _ in range(count)]
        rows = [
            {
                "request_index": index,
                "text": text,
                "text_cut": None if text is None else False,
                "finish_reason": "length" if verdict == "cut" else "stop",
                "output_tokens": 10,
                "right_answer": None if text is None else "B",
                "verdict": verdict,
            }
            for index, verdict in enumerate(said)
        ]
        write_table(folder / bundle.ANSWERS_FILE, rows, ANSWERS)

    return spoil


AS_GRADED = (("right", 60), ("unreadable", 10), ("cut", 20), ("wrong", 30))

FAULTS += (
    # Graded answers
    Fault("grades without the verdicts", "record_follows_from_files", make=graded_run),
    Fault(
        "twice as many right answers as verdicts say",
        "record_follows_from_files",
        files=verdicts(("right", 30), ("unreadable", 10), ("cut", 20), ("wrong", 60)),
        make=graded_run,
    ),
    Fault(
        "kept answers say something else than their verdicts",
        "record_follows_from_files",
        files=verdicts(*AS_GRADED, text="Answer: (C)"),
        make=graded_run,
    ),
)


CAPPED = put("device.throttle_reasons", ["sw_power_cap"])


def idle(watts: float) -> Spoil:
    """Idle power of the one GPU, and what follows from it."""

    def spoil(content: dict[str, Any]) -> None:
        content["device"] |= {
            "idle_watts_before_server": watts,
            "idle_watts_before_server_max_per_gpu": watts,
            "idle_watts_loaded": watts * 1.5,
        }
        start = content["phases"][0]
        start["joules"] = start["seconds"] * watts * 1.3

    return spoil


def peak(of_tdp: float) -> dict[str, Any]:
    """One reading of power in the window at a share of the H200's 700 W."""
    watts = 700 * of_tdp

    def with_peak(at: np.ndarray, power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        power[301:401] -= (watts - power[300]) / 100  # the integral stays
        power[300] = watts
        return at, power

    return {
        "record": put("device.power_max_watts_per_gpu", watts),
        "files": timeline(with_peak, POWER),
    }


DOUBTFUL: tuple[Fault, ...] = (
    Fault(
        "an accuracy from 99 questions",
        "enough_questions_graded",
        put("grades.questions", 99),
        verdicts(*AS_GRADED),
        make=graded_run,
    ),
    Fault(
        "4 of 124 questions without an answer",
        "questions_were_answered",
        put("grades.unanswered", 4),
        verdicts(*AS_GRADED),
        make=graded_run,
    ),
    Fault(
        "29 of 120 right, where guessing gives 30",
        "accuracy_above_chance",
        put("grades.right", 29),
        verdicts(("right", 29), ("unreadable", 10), ("cut", 20), ("wrong", 61)),
        make=graded_run,
    ),
    Fault("a power reading just above 1.6 of the TDP", "power_peak_within_tdp", **peak(1.61)),
    Fault("a power reading of five times the TDP", "power_peak_within_tdp", **peak(5)),
    Fault("two of ten parts a quarter slower", "parts_of_window_alike", slow_middle(0.25)),
    Fault("two of ten parts a tenth slower", "parts_of_window_alike", slow_middle(0.1)),
    Fault(
        "one batch of twenty takes half as long again",
        "parts_of_window_alike",
        files=slow_batch(1.5),
        make=sample_generation_run,
    ),
    Fault(
        "always at the power cap, below three quarters of it",
        "power_cap_explains_throttling",
        CAPPED,
        throttled(1.0),
        sample={"power_watts": 520.0},
    ),
)
"""Faults that are accepted with a warning, that of `check`."""

HARMLESS: tuple[Fault, ...] = (
    Fault("graded answers, a sixth of them cut", "", files=verdicts(*AS_GRADED), make=graded_run),
    Fault(
        "30 of 120 right, as by guessing",
        "",
        put("grades.right", 30),
        verdicts(("right", 30), ("unreadable", 10), ("cut", 20), ("wrong", 60)),
        make=graded_run,
    ),
    Fault("a power reading just below 1.6 of the TDP", "", **peak(1.59)),
    Fault("the highest power reading of all recorded runs", "", **peak(1.421)),
    Fault("two of ten parts 4 % slower", "", slow_middle(0.04)),
    Fault("one batch of twenty takes 4 % longer", "", files=slow_batch(1.04), make=sample_generation_run),
    Fault("two GPUs, as recorded", "", recorded=TWO_GPUS),
    Fault("images, as recorded", "", recorded=IMAGES),
    Fault("long prompts before the window, as recorded", "", recorded=LONG_PROMPTS),
    Fault(
        "a pipeline that is told not to scale, as recorded before the size was",
        "",
        each(*map(put, ("configuration.width", "configuration.height"), (64, 64)), size_not_told),
        sample={"gpu": False},
        make=sample_generation_run,
    ),
    Fault(
        "few drafts, of which chance accepted more", "", **drafted(drafts=900, accepted=1500, prescribed=2.5)
    ),
    Fault(
        "drafts that were accepted as prescribed",
        "",
        **drafted(drafts=96_000, accepted=144_000, prescribed=2.5),
    ),
    Fault("5 % fewer tokens in the window", "", tokens(0.95, "window_steady.output_tokens")),
    Fault("a tenth more tokens in the window", "", tokens(1.1, "window_steady.output_tokens")),
    Fault("idle power just above 3 % of the TDP", "", idle(21.1)),
    Fault("nine seconds between the clocks", "", times("started_at", -4)),
    Fault(
        "another precision in a folder of weights",
        "",
        each(
            put("configuration.weight_precision", "awq-int4"),
            put("comparability.weights", "real"),
            put("comparability.model_revision", "a" * 64),
        ),
    ),
    Fault("always at the power cap", "", CAPPED, throttled(1.0), sample={"power_watts": 530.0}),
    Fault("at the power cap for moments, far below it", "", CAPPED, throttled(0.85)),
)
"""Just inside a tolerance: accepted without a finding."""


def good_runs() -> list[Run]:
    """Runs that must pass: with and without a counter, several batch sizes, repeats."""
    server = sample_run().server
    assert server is not None
    without_multimodal = server.model_copy(update={"multimodal_cache_hits": None})
    return [
        *(sample_run(batch_size=16, tokens_per_second=2000 * (1 + i / 100)) for i in range(3)),
        *(sample_run(batch_size=32, tokens_per_second=4000 * (1 + i / 100)) for i in range(3)),
        sample_run(batch_size=64, tokens_per_second=7000),
        sample_run(gpu=False),
        sample_run(
            server=server.model_copy(update={"received_tokens": 320_000, "generated_tokens": 320_000}),
        ),
        sample_run(server=without_multimodal),  # as recorded of text before the other cache was looked at
        *(
            sample_generation_run(video=video, gpu=gpu, batch_size=batch_size)
            for video in (False, True)
            for gpu in (False, True)
            for batch_size in (1, 4)
        ),
        *(sample_open_run(request_rate=rate, power_watts=150 + 30 * rate) for rate in (0.5, 5.0, 10.0)),
        sample_open_run(request_rate=0.0, power_watts=121.0),
        sleeping_run(),
        sample_open_run(gpu=False),
        sample_generation_run(seconds_a_batch=60.0, runtime_version="0.8.0"),
        sample_generation_run(sample=None),  # as recorded before samples were looked at
    ]


def _silent_gpu() -> Run:
    """Its energy counter and its power are all that is known of it."""
    run = sample_run()
    unsaid = ("temperature_min_celsius", "temperature_max_celsius", "throttle_reasons")
    clocks = ("sm_clock_median_mhz", "memory_clock_median_mhz")
    gpus = tuple(
        gpu.model_copy(
            update={"memory_bytes": None, "power_limit_watts": None, "unanswered": ("memory_bytes: a: b",)}
        )
        for gpu in run.provenance.gpus
    )
    return run.model_copy(
        update={
            "device": run.device.model_copy(update=dict.fromkeys((*unsaid, *clocks))),
            "provenance": run.provenance.model_copy(update={"gpus": gpus}),
            "comparability": run.comparability.model_copy(update={"power_limit_watts": None}),
        }
    )


def imperfect_runs() -> dict[str, tuple[Run, set[str]]]:
    """Runs that are accepted although something lacks: what they are, and the checks that warn."""
    no_counter = sample_run(gpu=False)
    window = no_counter.window_steady
    assert window is not None and no_counter.client is not None
    never = Window(settled=False, reason="never settled: power drifts by +9.0% across the window")
    return {
        "speed only, short window": (
            sample_run(
                gpu=False,
                window_steady=window.model_copy(update={"end_seconds": 20.0, "output_tokens": 40_000}),
            ),
            {"steady_window_long_enough__speed_only", "steady_window_turned_over__speed_only"},
        ),
        "speed only, batch not filled": (
            sample_run(gpu=False, window_steady=window.model_copy(update={"mean_running_requests": 20.0})),
            {"batch_saturated__speed_only", "throughput_fits_latency"},
        ),
        "speed only, load generator lagged": (
            sample_run(gpu=False, client=_lagged(no_counter.client)),
            {"client_kept_up__speed_only"},
        ),
        "prescribed lengths and no counter of tokens": (
            sample_run(
                server=_server_with(generated_tokens_absent_reason="the metrics page does not have it")
            ),
            {"token_counter_known__prescribed"},
        ),
        "speed only, counts of the window differ": (
            sample_run(
                gpu=False, server=_server_with(generated_tokens_in_window=0.9 * (window.output_tokens or 0))
            ),
            {"two_token_counts_agree_in_window__speed_only"},
        ),
        "never settled, so no energy": (sample_run(window_steady=never), {"steady_window_settled"}),
        "a GPU that does not say its memory, power cap, temperature and clocks": (_silent_gpu(), set()),
    }


def _lagged(client: Client) -> Client:
    return client.model_copy(update={"lagged": True, "loop_lag_p99_ms": 30.0, "loop_lag_max_ms": 90.0})


def _server_with(**fields: object) -> Server:
    """The server of a sample run, with other fields."""
    server = sample_run().server
    assert server is not None
    return server.model_copy(update=fields)


def land_duplicates(store: Store) -> dict[str, str]:
    """Faults that need two bundles: by name, what they are called in findings."""
    original = sample_run(runtime_version="0.27.0")
    land(store, original)
    replay = original.model_copy(update={"run_id": new_run_id()})
    land(store, replay)
    twin = sample_run(runtime_version="0.28.0")
    path = land(store, twin)
    elsewhere = store.root / "gpqa" / "2026-01" / twin.run_id
    elsewhere.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(path, elsewhere)
    repeats = [sample_run(runtime_version="0.29.0", tokens_per_second=4000 + i) for i in range(3)]
    outlier = sample_run(runtime_version="0.29.0", tokens_per_second=1300)
    for run in (*repeats, outlier):
        land(store, run)
    return {
        "replayed run": replay.run_id,
        "duplicated run": str(elsewhere),
        "repeat far from the other repeats": outlier.run_id,
    }
