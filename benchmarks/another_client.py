"""A second client for a load at a rate, which shares no code with the measuring core: what does it say?

    python -m benchmarks.another_client http://127.0.0.1:8000 9.0 OUT.json [--warm 60] [--seconds 90]

Chat lengths, drawn freely; Poisson arrivals by aiohttp; tokens as the server counts them in its stream;
energy straight from NVML's counter. The server is one that `jouleboard measure` would start (its command is
in `provenance.server_arguments` of a bundle), and must be idle. Needs aiohttp and nvidia-ml-py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

_MARK = b'"completion_tokens":'
_DIGITS = 6


@dataclass
class Seen:
    """Seconds of `perf_counter`; an answer is (end, tokens, seconds to the first, seconds per later one)."""

    sent: list[float] = field(default_factory=list)
    tokens: list[tuple[float, int]] = field(default_factory=list)
    answers: list[tuple[float, int, float, float]] = field(default_factory=list)
    power: list[tuple[float, float, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def length(rng: np.random.Generator, median: float, sigma: float, least: int) -> int:
    """Log-normal as in the catalog's chat, 4,096 at most."""
    while True:
        drawn = round(float(rng.lognormal(np.log(median), sigma)))
        if least <= drawn <= 4096:
            return drawn


async def ask(session: aiohttp.ClientSession, url: str, rng: np.random.Generator, seen: Seen) -> None:
    """One request, from its arrival to its last token."""
    asked, wanted = length(rng, 120, 1.0, 8), length(rng, 330, 1.2, 2)
    body = {
        "model": "measured", "prompt": rng.integers(1000, 140_000, asked).tolist(), "max_tokens": wanted,
        "ignore_eos": True, "temperature": 0.8, "top_p": 0.95, "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    }  # fmt: skip
    sent, first, so_far = time.perf_counter(), 0.0, 0
    seen.sent.append(sent)
    async with session.post(f"{url}/v1/completions", json=body) as answer:
        async for line in answer.content:
            place = line.rfind(_MARK)
            if place < 0:
                continue
            now, text = time.perf_counter(), line[place + len(_MARK) :].lstrip()[:_DIGITS]
            tokens = int(text[: next(i for i, c in enumerate(text + b",") if not 48 <= c <= 57)])
            if tokens > so_far:
                seen.tokens.append((now, tokens - so_far))
                first, so_far = first or now, tokens
    end = time.perf_counter()
    if so_far != wanted:
        seen.failed.append(f"{so_far} of {wanted} tokens")
    seen.answers.append((end, so_far, first - sent, (end - first) / max(1, so_far - 1)))


async def read_nvml(gpu: Any, seen: Seen) -> None:
    """The energy counter (J) and power (W), ten times per second."""
    import pynvml

    while True:
        joules = pynvml.nvmlDeviceGetTotalEnergyConsumption(gpu) / 1e3
        seen.power.append((time.perf_counter(), joules, pynvml.nvmlDeviceGetPowerUsage(gpu) / 1e3))
        await asyncio.sleep(0.1)


async def offered(url: str, rate: float, gpu: Any, warm: float, seconds: float) -> dict[str, Any]:
    """The figures of a window of `seconds` that begins `warm` seconds into the load."""
    rng, arrivals, seen = np.random.default_rng(20261129), np.random.default_rng(7), Seen()
    no_limit = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=no_limit, read_bufsize=2**20
    ) as session:
        await ask(session, url, rng, Seen())
        meter = asyncio.create_task(read_nvml(gpu, seen))
        due = start = time.perf_counter()
        stop, tasks = start + warm + seconds, set[asyncio.Task[None]]()
        while (due := due + float(arrivals.exponential(1 / rate))) < stop:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            task = asyncio.create_task(ask(session, url, rng, seen))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.sleep(max(0.0, stop - time.perf_counter()) + 0.5)
        for task in (meter, *tasks):
            task.cancel()
        await asyncio.gather(meter, *tasks, return_exceptions=True)
    return told(seen, start + warm, stop) | {"rate": rate, "warm": warm}


def told(seen: Seen, start: float, end: float) -> dict[str, Any]:
    """What a window says."""
    at, tokens = np.array(seen.tokens).T
    read, joules, watts = np.array(seen.power).T
    edges = np.linspace(start, end, 11)
    outputs = np.histogram(at, bins=edges, weights=tokens)[0]
    energy = np.diff(np.interp(edges, read, joules))
    ended = [answer for answer in seen.answers if start < answer[0] <= end]
    _, lengths, firsts, laters = np.array(ended).T
    return {
        "window": end - start,
        "sent_in_window": sum(start < sent <= end for sent in seen.sent),
        "tokens": int(outputs.sum()),
        "joules": float(energy.sum()),
        "joules_per_token": float(energy.sum() / outputs.sum()),
        "tokens_per_second": float(outputs.sum() / (end - start)),
        "watts_counter": float(energy.sum() / (end - start)),
        "watts_sampled": float(watts[(read >= start) & (read <= end)].mean()),
        "completed": len(ended),
        "mean_output": float(lengths.mean()),
        "ttft_ms": [float(np.quantile(firsts, q) * 1e3) for q in (0.5, 0.9, 0.99)],
        "mean_itl_ms": [float(np.quantile(laters, q) * 1e3) for q in (0.5, 0.9, 0.99)],
        "parts": [[int(o), float(e)] for o, e in zip(outputs, energy, strict=True)],
        "failed": seen.failed[:5],
    }


def main() -> None:
    """Offer the load, and write down what came out."""
    import pynvml

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url")
    parser.add_argument("rate", type=float, help="requests per second")
    parser.add_argument("out", type=Path)
    parser.add_argument("--gpu", type=int, default=0)
    parser.add_argument("--warm", type=float, default=60.0)
    parser.add_argument("--seconds", type=float, default=90.0)
    options = parser.parse_args()
    pynvml.nvmlInit()
    gpu = pynvml.nvmlDeviceGetHandleByIndex(options.gpu)
    found = asyncio.run(offered(options.url, options.rate, gpu, options.warm, options.seconds))
    found |= {"gpu": pynvml.nvmlDeviceGetUUID(gpu), "celsius": pynvml.nvmlDeviceGetTemperature(gpu, 0)}
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
