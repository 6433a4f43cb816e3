"""What a bundle's own files say, beside what its record claims.

Reading every landed bundle's Parquet at every refresh would grow with all that was ever measured,
so evidence is kept (`kept.py`) under the state of the files; a file that is touched later is read
again. A problem is never kept: its cause may pass without a trace (a network share), and few bundles
have one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from benchmark_tasks import statistics
from benchmark_tasks.errors import BundleError, JouleboardError, SignatureError, one_line
from benchmark_tasks.language import backlog
from benchmark_tasks.measuring import steadiness
from benchmark_tasks.meters import energy, server_use
from benchmark_tasks.meters.meter import Timeline
from benchmark_tasks.results import bundle, cold
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.tables import REQUESTS
from benchmark_tasks.signing import signed_by
from benchmark_tasks.vocabulary import RunStatus
from expectations.gate import bundle_files, bundle_tables, copies, recomputed, timeline_facts
from expectations.gate.bundle_files import Files, read_files
from expectations.gate.kept import KEY, Kept, code_beside, code_version, require_fits, schema_of
from expectations.gate.timeline_facts import facts_of_timeline

if TYPE_CHECKING:
    import pandas as pd

EVIDENCE = "evidence"


@dataclass(frozen=True)
class Evidence:
    """Facts of one bundle. `None`: the bundle does not say.

    problem: why the bundle is not whole, or `None`; the rest is then unknown.
    request_count_difference, request_token_difference: requests.parquet against the record.
    request_disorders: requests whose times are out of order.
    request_tokens: output tokens of all requests, cancelled ones too.
    power_coverage, metrics_coverage: share of the ranking window with samples.
    power_frozen_seconds: longest stretch of one and the same power reading on any GPU.
    power_gpus: GPUs in the power timeline.
    power_cap_share: share of the readings of the ranking window in which the power cap slowed a GPU down, of
        the GPU that was slowed down least.
    contradiction, contradiction_share: the figure of the record that is farthest from what the files give for
        it, and how far (`recomputed.py`).
    window_tokens, mlenergy_window_tokens: output tokens of both windows, by the requests, as if each answer
        was written evenly. paced_window_tokens, mlenergy_paced_window_tokens: the same at the pace of the
        server's counter; `None` where that does not span the answers (`recomputed.tokens`).
    answers_at_cap: completed answers that are as long as they may be.
    cut_off_tokens: how many tokens requests that did not complete still had to get.
    median_e2e_ms, mean_itl_ms: of the completed requests that were served from beginning to end.
    histogram_itl_ms: mean inter-token latency by the record's histogram.
    pieces_itl_ms: median inter-token latency of the answers whose pieces were kept.
    load_watts: mean power of all GPUs over the whole load, by their counters.
    odd_parts, odd_parts_shift: parts of the steady window that differ from its others, and what they do to
        its mean (0.0: there are none).
    timeline_joules: trapezoid integral of the power timeline over the ranking window.
    bad_samples: samples that are NaN, infinite or negative.
    signed_by: the public key that signed the bundle; `None`: it is unsigned.
    crash: the first line of the server's log that reports a crash.
    content_digest: of everything in the record that was measured.
    request_marks, power_marks: by which a copy is known, whatever its record says (`copies.py`).
    """

    run_id: str
    problem: str | None = None
    request_count_difference: int | None = None
    request_token_difference: int | None = None
    request_disorders: int | None = None
    request_tokens: int | None = None
    power_coverage: float | None = None
    metrics_coverage: float | None = None
    power_frozen_seconds: float | None = None
    power_gpus: int | None = None
    power_cap_share: float | None = None
    contradiction: str | None = None
    contradiction_share: float | None = None
    window_tokens: float | None = None
    mlenergy_window_tokens: float | None = None
    paced_window_tokens: float | None = None
    mlenergy_paced_window_tokens: float | None = None
    answers_at_cap: int | None = None
    cut_off_tokens: int | None = None
    median_e2e_ms: float | None = None
    mean_itl_ms: float | None = None
    histogram_itl_ms: float | None = None
    pieces_itl_ms: float | None = None
    load_watts: float | None = None
    odd_parts: str | None = None
    odd_parts_shift: float | None = None
    timeline_joules: float | None = None
    bad_samples: int | None = None
    signed_by: str | None = None
    crash: str | None = None
    content_digest: str | None = None
    request_marks: tuple[int, ...] = ()
    power_marks: tuple[int, ...] = ()


SCHEMA = schema_of(Evidence)


class Examined:
    """The evidence of bundles: known from an earlier refresh, or read now."""

    def __init__(self, warehouse: Path) -> None:
        self._kept, self._version = Kept(warehouse, EVIDENCE, SCHEMA), _version()

    def ask(self, folder: Path, state: str | None, run: Run | None) -> None:
        """Of a bundle in this state (`kept.state_of`), the evidence is needed.

        run: its record, if it was read.

        Raises:
            BundleError: the record cannot be read.
            LandingZoneUnreachable: the cold storage does not answer.
        """
        key = None if state is None else self._version + state
        if key is not None and key in self._kept:
            self._kept.again(key)
            return
        if key is not None and self._is_known_and_cold(folder):
            self._kept.add(key, self._kept.at(self._places[folder.name]))
            return
        evidence = examine(run or bundle.read_record(folder), folder)
        self._kept.add(key if evidence.problem is None else None, asdict(evidence))

    def keep(self) -> pa.Table:
        """One row per bundle that was asked for, as `SCHEMA`, and its key."""
        return self._kept.keep()

    def _is_known_and_cold(self, folder: Path) -> bool:
        """Whether it was whole when it was moved, and its record still is: what its files say is known."""
        return cold.is_cold(folder) and folder.name in self._places and bundle.record_is_as_landed(folder)

    @cached_property
    def _places(self) -> dict[str, int]:
        """By run id: where the table has what this code read."""
        keys, ids = (self._kept.known[name].to_pylist() for name in (KEY, "run_id"))
        rows = enumerate(zip(keys, ids, strict=True))
        return {run_id: place for place, (key, run_id) in rows if key.startswith(self._version)}


def keep(read: Iterable[Evidence], warehouse: Path) -> None:
    """Keep what was read of bundles that are in cold storage now, as if a refresh had read it before."""
    kept, version = Kept(warehouse, EVIDENCE, SCHEMA), _version()
    for entry in read:
        kept.add(version + entry.run_id, asdict(entry))
    kept.keep()


def examine(run: Run, directory: Path) -> Evidence:
    """Verify one bundle and read its files; those in cold storage are fetched.

    Raises:
        LandingZoneUnreachable: the cold storage does not answer.
    """
    try:
        with cold.whole(directory) as folder:
            if bundle.verify(folder) != run:
                raise BundleError(
                    f"{directory / bundle.RUN_FILE}: is not the record of the bundle that landed"
                )
            files, signer = read_files(run, folder), signed_by(folder)
        evidence = replace(compare(run, files), signed_by=signer, **_marks(run, files))
        require_fits(asdict(evidence), SCHEMA)
    except (BundleError, SignatureError, OSError) as error:
        return Evidence(run.run_id, problem=str(error))
    except JouleboardError:
        raise  # of this machine, not of the bundle
    except Exception as error:  # noqa: BLE001  what no measurement holds may break whoever reads it
        return Evidence(run.run_id, problem=f"{directory}: {not_evaluated(error)}")
    return evidence


def not_evaluated(error: Exception) -> str:
    """Why a bundle is set aside with which the code that reads it cannot deal."""
    return f"what is in it cannot be evaluated: {type(error).__name__}: {one_line(error)}"


def compare(run: Run, files: Files) -> Evidence:
    """What files say beside a record; a copy is not looked for."""
    return Evidence(
        run_id=run.run_id,
        **_requests_facts(run, files.requests),
        **facts_of_timeline(run, files.timelines, files.not_numbers),
        **_second_witness(run, files),
        crash=files.crash,
        content_digest=content_digest(run),
    )


def content_digest(run: Run) -> str | None:
    """SHA-256 of all that was measured; `None` for a run without a result."""
    if run.status is not RunStatus.COMPLETED:
        return None
    names = {"run_id", "started_at", "finished_at", "campaign_id", "note"}
    return hashlib.sha256(run.model_dump_json(exclude=names).encode()).hexdigest()


def _requests_facts(run: Run, table: pa.Table | None) -> dict[str, Any]:
    wanted = {"sent_seconds", "first_token_seconds", "finished_seconds", "output_tokens", "error"}
    if table is None or run.requests is None or not wanted <= set(table.column_names):
        return {}
    completed = table.filter(pc.is_null(table["error"]))
    sent, first, finished = (
        completed[name].to_numpy() for name in ("sent_seconds", "first_token_seconds", "finished_seconds")
    )
    if run.requests.output_tokens is None:  # images and videos: no tokens, and no first one
        return {
            "request_count_difference": completed.num_rows - run.requests.completed,
            "request_disorders": int((~(sent <= finished)).sum()),
        }
    tokens = pc.sum(completed["output_tokens"]).as_py() or 0
    return {
        "request_count_difference": completed.num_rows - run.requests.completed,
        "request_token_difference": tokens - run.requests.output_tokens,
        "request_tokens": pc.sum(table["output_tokens"]).as_py() or 0,
        "request_disorders": int((~((sent <= first) & (first <= finished))).sum()),
    }


def _second_witness(run: Run, files: Files) -> dict[str, Any]:
    """Figures of a completed run against its files."""
    if run.status is not RunStatus.COMPLETED or files.requests is None or files.timelines is None:
        return {}
    rows = files.requests.to_pandas().reindex(columns=REQUESTS.names)
    timeline = Timeline.from_table(files.timelines)
    pairs = [
        *recomputed.contradictions(run, rows, timeline),
        *recomputed.of_answers(run, files.answers),
        *_as_started(run, files.started),
    ]
    largest, odd = recomputed.largest_contradiction(pairs), recomputed.odd_parts(run, rows)
    cut_off = rows[rows["error"].notna()]
    return {
        "contradiction": None if largest is None else str(largest),
        "contradiction_share": None if largest is None else largest.share,
        "window_tokens": recomputed.tokens_in_window(run.window_steady, rows),
        "mlenergy_window_tokens": recomputed.tokens_in_window(run.window_mlenergy, rows),
        "paced_window_tokens": recomputed.paced_tokens_in_window(run.window_steady, rows, timeline),
        "mlenergy_paced_window_tokens": recomputed.paced_tokens_in_window(
            run.window_mlenergy, rows, timeline
        ),
        "answers_at_cap": int((rows["error"].isna() & (rows["output_tokens"] >= rows["max_tokens"])).sum()),
        "cut_off_tokens": int((cut_off["max_tokens"] - cut_off["output_tokens"]).clip(lower=0).sum()),
        "load_watts": recomputed.mean_watts_of_load(run, timeline),
        "odd_parts": None if odd is None else odd[1],
        "odd_parts_shift": None if odd is None else odd[0],
        **(
            _latencies(run, recomputed.counted_for_latency(run, rows))
            if run.requests and run.requests.output_tokens is not None
            else {}
        ),
    }


def _latencies(run: Run, requests: pd.DataFrame) -> dict[str, float | None]:
    return {
        "median_e2e_ms": recomputed.median_e2e_ms(requests),
        "mean_itl_ms": recomputed.mean_itl_ms(requests),
        "histogram_itl_ms": recomputed.histogram_mean_ms(run.latency),
        "pieces_itl_ms": recomputed.median_itl_of_pieces_ms(requests),
    }


def _marks(run: Run, files: Files) -> dict[str, Any]:
    """By which a copy is known; power that was replayed is the same each time, and known as replayed."""
    if run.status is not RunStatus.COMPLETED or files.requests is None or files.timelines is None:
        return {}
    marks = {"request_marks": copies.marks_of_requests(files.requests["finished_seconds"].to_numpy())}
    if run.requests is None or not run.energy_source.is_counter:
        return marks
    timeline = Timeline.from_table(files.timelines)
    return {**marks, "power_marks": copies.marks_of_power(timeline, run.requests.duration_seconds)}


def _as_started(run: Run, noted: Mapping[str, int]) -> list[recomputed.Contradiction]:
    keys = run.configuration
    recorded = {
        "TP": keys.tensor_parallel,
        "EP": keys.expert_parallel,
        "DP": keys.data_parallel,
        "Ulysses": keys.ulysses_degree,
        "ring": keys.ring_degree,
        "steps": keys.inference_steps,
        "width": keys.width,
        "height": keys.height,
        "frames": keys.num_frames,
    }
    return recomputed.compared((f"{name} as started", recorded[name], noted[name]) for name in noted)


def _version() -> str:
    """Of the code that reads the files."""
    own = (bundle_files, bundle_tables, timeline_facts, copies)
    modules = (*own, steadiness, statistics, server_use, energy, backlog)
    return code_version(
        Path(__file__), *(Path(str(module.__file__)) for module in modules), *code_beside(recomputed)
    )
