"""How a point is measured: the parameters of the method, with their reasons. See docs/methodology.md."""

from __future__ import annotations

from pydantic import Field

from benchmark_tasks.results.record import Count, Degree, Measured, Record, Seconds
from benchmark_tasks.vocabulary import LengthControl


class Procedure(Record):
    """Parameters of one run.

    warm_up_rounds: answers per slot before the load, so that kernels are compiled.
    minimum_window_seconds: NVML's counter moves every 100 ms; 30 s keep its error under 1 %.
    full_turnovers, long_window_seconds: the window is long enough when every slot has answered
        `full_turnovers` times inside it, or after `long_window_seconds`.
    maximum_seconds: longest load; a run that has not settled by then has no figure.
    attempts: how often the load is offered at most until it settles.
    target_relative_interval: stop once the 95 % half-width of energy per token over sub-windows is
        within this share; `None`: stop as soon as the window is long enough.
    drift_limit: largest change of power or throughput from the first to the last third of the
        window, as a share of its mean.
    stationary_start: begin with answers that are under way (`workloads.stationary`), where lengths are
        prescribed; they are served, and left out of latencies and mean lengths.
    request_limit: ML.ENERGY's fixed number of requests, instead of stopping adaptively.
    kept_chunk_requests: for how many requests the bundle keeps the time of every token; the histogram
        covers all requests. `None`: for all.
    client_processes: each takes every n-th request. With up to five processes the lengths of each stay
        evenly spread (`workloads.lengths`). One process used a fifth of a core for 11,000 tokens/s.
    """

    warm_up_rounds: Count = 1
    warm_up_tokens: Degree = 16
    minimum_window_seconds: Seconds = 30.0
    long_window_seconds: Seconds = 60.0
    full_turnovers: Degree = 5
    maximum_seconds: Seconds = 240.0
    attempts: Degree = 1
    target_relative_interval: Measured | None = 0.01
    drift_limit: Measured = 0.05
    sub_windows: Degree = 10
    idle_seconds: Seconds = 10.0
    stationary_start: bool = True
    request_limit: Count | None = None
    kept_chunk_requests: Count | None = None
    client_processes: Degree = Field(1, le=5)
    server_start_seconds: Seconds = 600.0
    seed: int = 0

    def load_mark(self, length_control: LengthControl) -> str:
        """Suffix of the request set's id if this procedure changes the load: `+afresh`, `+1024-requests`.

        Empty for the usual load. Runs with different suffixes are never averaged or compared. `+afresh`: the
        load begins without a stationary start; loads of natural lengths always do.
        """
        usual = self.stationary_start or length_control is LengthControl.NATURAL
        marks = [
            "" if usual else "+afresh",
            "" if self.request_limit is None else f"+{self.request_limit}-requests",
            "" if self.seed == 0 else f"+seed-{self.seed}",
        ]
        return "".join(marks)


GPU_PROCEDURE = Procedure()
"""For machines with an energy counter."""

CPU_PROCEDURE = Procedure(
    minimum_window_seconds=10.0,
    long_window_seconds=20.0,
    maximum_seconds=60.0,
    attempts=3,
    target_relative_interval=None,
    drift_limit=0.3,
    sub_windows=6,
    idle_seconds=0.0,
)
"""Without a counter only speed is measured, and server, load generator and other programs share the
processors: shorter, and with wider tolerances."""

OPEN_GPU_PROCEDURE = GPU_PROCEDURE.model_copy(update={"target_relative_interval": 0.03})
"""Requests that arrive by themselves: energy per token scatters with them, so 1 % would take an hour."""

OPEN_CPU_PROCEDURE = CPU_PROCEDURE.model_copy(update={"attempts": 1})
"""The same without a counter. A load that the server cannot carry is a result: it is not offered again."""

DIFFUSION_GPU_PROCEDURE = Procedure(
    minimum_window_seconds=10.0,
    long_window_seconds=30.0,
    full_turnovers=3,
    server_start_seconds=1200.0,
)
"""Images and videos: a turnover is one batch. Batches differ little, so three of them and ten seconds are
enough. A batch that takes longer than `long_window_seconds` is a window by itself."""

DIFFUSION_CPU_PROCEDURE = DIFFUSION_GPU_PROCEDURE.model_copy(
    update={
        "maximum_seconds": 60.0,
        "target_relative_interval": None,
        "drift_limit": 0.3,
        "sub_windows": 5,
        "idle_seconds": 0.0,
    }
)
"""The same without a counter."""
