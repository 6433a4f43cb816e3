"""What a campaign's bundles say, run by run and group against group; docs/results.md is made with it.

    python -m benchmarks.campaign recorded_runs/h200-2026-11-qwen3-8b [--json]

A group is a runtime version, whether the run had its server for itself and for how many answers at once
that was sized (`max_num_seqs`), how many client processes there were if several, and the sweep's note. What
a note says of the servers is ignored: the record knows it. Groups are compared on the same GPUs only, as
GPUs of one model differ; by how much is said at the end. Intervals are 95 % half-widths, as a share: of one
run over its sub-windows (empty where it has none), of a change by Student's t over runs. `half` is by how
much the window's first half differs from all of it, and that half's interval; `theirs` is the same over
ML.ENERGY's window. GPU seconds count a server's start with the run that needed it. Where ML.ENERGY's
procedure was run, too, what it took for its interval is set against what ours takes to one as narrow.
"""

from benchmarks.campaign.comparisons import between_gpus, between_hosts, comparisons
from benchmarks.campaign.prices import prices
from benchmarks.campaign.rows import rows_of
from benchmarks.campaign.runs import runs_of

__all__ = ["between_gpus", "between_hosts", "comparisons", "prices", "rows_of", "runs_of"]
