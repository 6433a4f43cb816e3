"""Weights against sampling against batch size, on one server, interleaved.

    python -m benchmarks.stand_in.matrix STORY --gpu 0 --out FOLDER [--until UNIX_TIME]

A story (`stories.py`) is one server and a list of points. Before a point the server's weights are written
anew in place if another kind is wanted; then load is offered in its stationary state, and a window of at
least 30 s opens a few seconds after every slot has its first token. Every point offers the same requests
in the same order. One JSON line per point goes to FOLDER/STORY.jsonl at once; a point that fails is a line
with its error.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
import traceback
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmark_tasks.catalog import load
from benchmark_tasks.client.arrivals import ClosedLoop
from benchmark_tasks.client.events import Events
from benchmark_tasks.client.load import LoadSpec, Progress
from benchmark_tasks.client.load_processes import CombinedOutcome, run_in_processes
from benchmark_tasks.results.histogram import histogram
from benchmark_tasks.runtimes.model_files import write_model_directory
from benchmark_tasks.vocabulary import LengthControl, Task
from benchmark_tasks.workloads.requests import RequestSet, SyntheticText
from benchmarks.stand_in.gpu_meter import GpuMeter, Readings
from benchmarks.stand_in.prompts import Prompts
from benchmarks.stand_in.served import GPU_OPTIONS, Served
from benchmarks.stand_in.stories import STORIES, Point, Story

SETTLE_SECONDS = 3.0
_SUB_WINDOWS = 10
_BURST_SECONDS = 0.0005
_SAMPLING = {"greedy": (0.0, 1.0), "sampled": (0.8, 0.95)}


def requests_of(story: Story, point: Point) -> RequestSet:
    """What a point asks."""
    temperature, top_p = _SAMPLING[point.sampling]
    if story.prompts is not None:
        prompts = tuple(tuple(ids) for ids in json.loads(Path(story.prompts).read_text()))
        return Prompts(prompts, temperature, top_p)  # type: ignore[return-value]
    catalog = load()
    model, chat = catalog.model(story.model), catalog.tasks[Task.LM_ARENA_CHAT].requests
    assert model.hub_config is not None and chat is not None
    longest = 4096 if story.longest is None else story.longest
    cut = {"maximum_tokens": longest, "median_tokens": min(330, longest / 2)}
    return SyntheticText(
        task=Task.LM_ARENA_CHAT,
        input_tokens=chat.input_tokens.model_copy(
            update={"maximum_tokens": longest, "median_tokens": min(120, longest / 2)}
        ),
        output_tokens=chat.output_tokens.model_copy(update=cut),
        length_control=LengthControl.FIXED,
        vocabulary_size=int(model.hub_config["vocab_size"]),  # type: ignore[arg-type]
        temperature=temperature,
        top_p=top_p,
    )


def offer(
    story: Story, point: Point, url: str, seconds: float, settle: float, watch: Any = None
) -> tuple[CombinedOutcome, int]:
    """(what was seen, when every slot was at work). `watch` is called once, when the window opens."""
    warm_at: list[int] = []
    watched: list[bool] = []

    def wants_stop(progress: Progress) -> bool:
        if progress.warm and not warm_at:
            warm_at.append(progress.at_ns)
        if not warm_at:
            return False
        since = (progress.at_ns - warm_at[0]) / 1e9
        if watch is not None and since > settle and not watched:
            watched.append(True)
            threading.Thread(target=watch, daemon=True).start()
        return since > settle + seconds + 0.3

    spec = LoadSpec(
        base_url=url,
        requests=requests_of(story, point),
        arrivals=ClosedLoop(point.batch, stationary_start=story.prompts is None),
        drain=False,
    )
    outcome = run_in_processes(
        spec, story.client_processes, wants_stop, deadline_seconds=seconds + settle + 90
    )
    if not warm_at:
        raise RuntimeError(f"never warm: {outcome.events.failures()[:2]}")
    return outcome, warm_at[0]


def gaps_between(events: Events, start: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """(seconds per token, tokens) of what arrived in (start, end]; a buffer's burst is one arrival."""
    gaps = np.diff(events.chunk_seconds, prepend=0.0)
    first = np.zeros(len(gaps), dtype=bool)
    starts = events.chunk_offsets[:-1]
    first[starts[starts < events.chunk_offsets[1:]]] = True
    begins = first | (gaps >= _BURST_SECONDS)
    tokens = np.bincount(np.cumsum(begins) - 1, weights=events.chunk_tokens).astype(np.int64)
    at = events.chunk_seconds[begins]
    kept = ~first[begins] & (at > start) & (at <= end)
    return gaps[begins][kept] / tokens[kept], tokens[kept]


def told(events: Events, readings: Readings, start_ns: float, end_ns: float) -> dict[str, Any]:
    """The figures of a window, and what they were made of."""
    start, end = ((at - events.origin_ns) / 1e9 for at in (start_ns, end_ns))
    tokens, joules = events.tokens_between(start, end), readings.joules(start_ns, end_ns)
    gaps, weights = gaps_between(events, start, end)
    every = np.repeat(gaps, weights)
    edges = np.linspace(start, end, _SUB_WINDOWS + 1)
    parts = np.histogram(events.chunk_seconds, bins=edges, weights=events.chunk_tokens)[0]
    spans = list(pairwise(edges))
    part_joules = [readings.joules(a * 1e9 + events.origin_ns, b * 1e9 + events.origin_ns) for a, b in spans]
    return {
        "seconds": end - start,
        "tokens": tokens,
        "counter_joules": joules,
        "joules_per_token": joules / tokens,
        "tokens_per_second": tokens / (end - start),
        "watts": joules / (end - start),
        "itl_ms": {q: float(np.quantile(every, float(q)) * 1e3) for q in ("0.1", "0.5", "0.9", "0.99")},
        "itl_mean_ms": float(every.mean() * 1e3),
        "itl_histogram": histogram(gaps, weights),
        "parts": [[int(t), round(j, 2)] for t, j in zip(parts, part_joules, strict=True)],
        "completed": int((events.completed & (events.finished_seconds <= end)).sum()),
        "failures": events.failures()[:3],
        **readings.told(start_ns, end_ns),
    }


class Runner:
    """Runs a story and writes down each point."""

    def __init__(self, story: Story, gpu: int, out: Path, until: float) -> None:
        self._story, self._gpu, self._out, self._until = story, gpu, out, until
        self._held: tuple[str, str] | None = None
        self._filled: dict[str, Any] = {}

    def run(self) -> None:
        """The whole story, as far as time allows."""
        running: list[Served] = []
        try:
            running += [self._start(index) for index in range(len(self._story.servers))]
            for number, point in enumerate(self._story.points):
                served = running[point.server]
                if time.time() + point.seconds + 12 > self._until:
                    self._write({"skipped": number, **asdict(point)})
                    continue
                try:
                    self._write({"number": number, **asdict(point), **self._measure(served, point)})
                except Exception as error:  # noqa: BLE001  the story goes on
                    traceback.print_exc()
                    self._write({"number": number, **asdict(point), "error": repr(error)[:1500]})
                    served.wait(400)
        finally:
            for served in running:
                served.stop()

    def _start(self, index: int) -> Served:
        story, server = self._story, self._story.servers[index]
        folder = Path(story.folder) if story.folder else self._model_folder()
        for load_format in server.load_formats:
            options = (
                *(() if self._gpu < 0 else GPU_OPTIONS), *story.options, f"--load-format={load_format}",
                *(server.options if load_format == server.load_formats[0] else ()),
            )  # fmt: skip
            log = self._out / f"{story.name}.server-{index}-{load_format}.log"
            served = Served(
                folder, 18700 + max(self._gpu, 0) * 20 + story.port + index, log, options, story.variables
            )
            try:
                seconds = served.wait(400)
            except RuntimeError as error:
                served.stop()
                self._write({"start": load_format, "error": repr(error)[:1500]})
                continue
            self._write(
                {"start": load_format, "seconds": seconds, "command": served.command, **self._facts()}
            )
            self._write({"weights_told": self._asked(served, "weights_told"), "server": index})
            return served
        raise SystemExit("no server started")

    def _model_folder(self) -> Path:
        model = load().model(self._story.model)
        changed = model.model_copy(update={"hub_config": {**(model.hub_config or {}), **self._story.config}})
        return write_model_directory(self._out / f"model-{self._story.name}", changed)

    def _facts(self) -> dict[str, Any]:
        from importlib import metadata

        versions = {}
        for name in ("vllm", "torch", "triton", "transformers"):
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                versions[name] = "unknown"
        gpu = {} if self._gpu < 0 else GpuMeter(self._gpu).facts()
        return {"versions": versions, "gpu": gpu, "python": sys.version.split()[0], "at": time.time()}

    def _measure(self, served: Served, point: Point) -> dict[str, Any]:
        began = time.time()
        self._fill(served, point)
        if point.what == "look":
            return self._look(served, point)
        before = served.metrics()["num_preemptions_total"]
        with GpuMeter(self._gpu) as meter:
            outcome, warm = offer(self._story, point, served.url, point.seconds, SETTLE_SECONDS)
        start = warm + SETTLE_SECONDS * 1e9
        end = start + point.seconds * 1e9
        figures = told(outcome.events, meter.readings, start, end)
        return {
            "at": began,
            "took": time.time() - began,
            **self._filled,
            **figures,
            "preemptions": served.metrics()["num_preemptions_total"] - before,
            "client": outcome.client.model_dump(mode="json"),
            "gpu_uuid": meter.facts()["uuid"],
            "samples": [
                [round((s[0] - start) / 1e9, 2), *s[1:]]
                for s in meter.readings.samples
                if start <= s[0] <= end
            ],
        }

    def _look(self, served: Served, point: Point) -> dict[str, Any]:
        """Under load: the distributions that come out, and which kernel takes how long."""
        seen: dict[str, Any] = {}

        def watch() -> None:
            try:
                served.ask_worker("logits_watch")
                time.sleep(1.0)
                seen["logits"] = served.ask_worker("logits_told")
                served.ask_worker("kernels_watch")
                time.sleep(1.0)
                seen["kernels"] = served.ask_worker("kernels_told")
            except Exception as error:  # noqa: BLE001
                seen["error"] = repr(error)[:800]

        offer(self._story, point, served.url, point.seconds, SETTLE_SECONDS, watch)
        deadline = time.time() + 60
        while "kernels" not in seen and "error" not in seen and time.time() < deadline:
            time.sleep(0.5)
        return {"at": time.time(), **self._filled, **seen}

    def _fill(self, served: Served, point: Point) -> None:
        if point.weights == "as-loaded":
            self._filled = {}
            return
        wanted = (point.weights, json.dumps(point.options, sort_keys=True))
        if wanted == self._held:
            return
        answer = served.ask_worker("weights_fill", point.weights, point.options)
        self._held = wanted
        self._filled = {
            "digest": answer["digest"],
            "fill_seconds": answer["seconds"],
            "share_of_zeros": answer["share_of_zeros"],
        }
        self._write({"filled": answer, "options": point.options})

    def _asked(self, served: Served, method: str) -> Any:
        """The worker's answer, or why there is none: not worth a story."""
        try:
            return served.ask_worker(method)
        except RuntimeError as error:
            return repr(error)[:500]

    def _write(self, line: dict[str, Any]) -> None:
        with (self._out / f"{self._story.name}.jsonl").open("a") as file:
            file.write(json.dumps({"story": self._story.name, **line}) + "\n")
        short = {
            k: line.get(k)
            for k in (
                "number",
                "weights",
                "sampling",
                "batch",
                "what",
                "joules_per_token",
                "tokens_per_second",
                "watts",
                "error",
                "start",
                "skipped",
            )
            if k in line
        }
        print(time.strftime("%H:%M:%S"), json.dumps(short), json.dumps(line.get("itl_ms")), flush=True)


def main() -> None:
    """Run one story."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("story", choices=sorted(STORIES))
    parser.add_argument(
        "--gpu", type=int, required=True, help="index of the GPU for NVML; -1: no GPU, to try the program"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--until", type=float, default=float("inf"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.gpu >= 0:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(arguments.gpu)
    Runner(STORIES[arguments.story], arguments.gpu, arguments.out, arguments.until).run()


if __name__ == "__main__":
    main()
