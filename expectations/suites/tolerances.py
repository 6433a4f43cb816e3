"""Every threshold of the gate, with where it comes from. Nothing else in the project holds one."""

from __future__ import annotations

from expectations.suites.checks import Tolerance

NEVER = Tolerance(0, 0, "", "contract of the record")
"""For indicator columns: 0 is good, 1 is the fault."""

# Requests
FAILED_REQUESTS = Tolerance(0, 0, "requests", "ML.ENERGY validator: all requests completed and succeeded")
OUTPUT_TOKENS = Tolerance(1, None, "tokens", "a run without output has no result")
AT_LENGTH_CAP_SHARE = Tolerance(
    None, 0.3, "of outputs", "ML.ENERGY validator: fewer than 30 % of outputs at the length cap"
)
PREFIX_CACHE_HITS = Tolerance(0, 0, "hits", "methodology: prefix caching is off")
MULTIMODAL_CACHE_HITS = Tolerance(
    0, 0, "hits", "methodology: the server's cache of prepared pictures and clips is off"
)
LEDGER_DIFFERENCE = Tolerance(0, 0, "apart", "requests.parquet and run.json count the same requests")

# Steady state
STEADY_SECONDS = Tolerance(30, None, "s", "ML.ENERGY validator: steady state of at least 30 s")
TURNOVERS_OR_MINUTES = Tolerance(
    1,
    None,
    "x the least",
    "methodology: 5 turnovers of every slot or 60 s; of images and videos, 3 batches or 30 s",
)
BATCHES_SECONDS = Tolerance(
    10,
    None,
    "s",
    "methodology: whole batches of images or videos that last 10 s; NVML refreshes every 100 ms",
)
WINDOW_OVERHANG_SECONDS = Tolerance(None, 1.0, "s", "a window lies inside its run; 1 s for clock rounding")
BATCH_SATURATION = Tolerance(
    0.85, 1.001, "of batch size", "ML.ENERGY's published filter; lowest of 838 published rows: 0.854"
)
TREND = Tolerance(-0.05, 0.05, "relative", "methodology: power and throughput without trend")

# Energy and power
TWO_INSTRUMENTS = Tolerance(
    -0.02, 0.02, "relative", "methodology: energy counter and integral of power agree within 2 %"
)
INTEGRAL_RECOMPUTED = Tolerance(
    -0.02, 0.02, "relative", "the integral in the record follows from its own timeline"
)
COUNTER_SPAN = Tolerance(
    -0.02, 0.02, "relative", "NVML updates its counter about every 100 ms: 2 updates in a window of 30 s"
)
PER_GPU_SUM = Tolerance(-1e-6, 1e-6, "relative", "the total is the sum over the GPUs, up to rounding")
MEAN_POWER_OF_TDP = Tolerance(
    None, 1.05, "of TDP", "ML.ENERGY validator: power range; 5 % for regulation; highest published 0.98"
)
PEAK_POWER_OF_TDP = Tolerance(
    None, 1.25, "of TDP", "single readings overshoot the cap for milliseconds; mean power is the strict check"
)
POWER_OF_LIMIT = Tolerance(None, 1.05, "of the power cap", "the driver holds mean power at the cap; 5 %")
POWER_OVER_IDLE = Tolerance(1.0, None, "x idle", "a GPU that works draws more than one that idles")
IDLE_OF_TDP = Tolerance(
    None, 0.35, "of TDP", "H100, H200 and B200 idle at 10-20 % of TDP; more means that another process ran"
)
LIMIT_OF_TDP = Tolerance(None, 1.001, "of TDP", "no cap lies above the GPU's TDP: another GPU's, or a typo")
JOULES_PER_TOKEN = Tolerance(
    1e-4, 1e3, "J/token", "published range 0.028 to 34 J/token, a factor of 30 to 300 wider"
)

JOULES_PER_ITEM = Tolerance(
    1, 1e8, "J/item", "published range 338 J an image to 1.5 MJ a video, a factor of 70 to 300 wider"
)

# Instruments
TIMELINE_COVERAGE = Tolerance(
    0.75, None, "of the window", "ML.ENERGY validator: metrics collected at least 75 % of the time"
)
FROZEN_SECONDS = Tolerance(
    None, 5.0, "s", "power is read in mW: the same reading for 5 s under load is a hung sensor"
)
TEMPERATURE = Tolerance(20, 95, "degrees C", "ML.ENERGY validator: temperature range")
MEMORY_OF_CATALOG = Tolerance(
    0.85, 1.1, "of the GPU's memory", "the driver reserves up to a tenth; more apart is another GPU"
)
KV_CACHE_USAGE = Tolerance(0, 1, "", "contract of the record")
PREEMPTIONS = Tolerance(0, 0, "preemptions", "preempted requests are computed twice: energy is overstated")

# Load generator and clocks
CLIENT_CPU_SHARE = Tolerance(None, 0.9, "of a core", "one event loop saturates a core at 17-20k tokens/s")
WALL_MINUS_DURATION = Tolerance(
    -5, None, "s", "wall clock and monotonic clock of one run; 5 s for a clock that was being set"
)
STARTED_AHEAD = Tolerance(None, 300, "s ahead", "clocks of hosts in one fleet agree within minutes")
THROUGHPUT_TIMES_ITL = Tolerance(
    None,
    1.4,
    "x running requests",
    "holds in all 838 published rows: throughput x median ITL <= 1.4 x mean batch",
)
THROUGHPUT_TIMES_ITL_WILD = Tolerance(
    None, 3.0, "x running requests", "twice the published bound: tokens or time are counted in another unit"
)

# Between runs
REPEAT_SPREAD = Tolerance(
    -0.20, 0.20, "of the median", "the three published replicates differ by 5, 10 and 19 %"
)
REPEAT_OUTLIER = Tolerance(
    -0.60, 1.5, "of the median", "a factor of 2.5 between repeats of one configuration is another experiment"
)
SERIES_STEP = Tolerance(
    None, 1.5, "x the smaller batch", "energy per token falls with the batch size; it may rise at saturation"
)
VERSION_CHANGE = Tolerance(
    -0.33, 0.5, "relative", "releases move energy per token by per cents; beyond it a person decides"
)

# Recheck
RECHECK = Tolerance(
    -0.05, 0.05, "relative", "the closest two of ML.ENERGY's published replicates differ by 5 %"
)

# Marts and publications
SOME_ROWS = Tolerance(1, None, "rows", "an empty leaderboard is never published")
RANK_REPEATS = Tolerance(3, None, "repeats", "methodology: at least 3 repeats for a rank")
IDENTITY = Tolerance(-1e-6, 1e-6, "relative", "derived from one another: equal up to rounding")
THROUGHPUT_TIMES_P99_ITL = Tolerance(
    0.9, None, "x running requests", "holds with 1.0 in all 838 published rows; 10 % for short runs"
)
NO_LOST_KEYS = Tolerance(0, 0, "configurations", "no configuration lost since the last publication")
ROWS_OF_LAST = Tolerance(1.0, None, "of the last publication's rows", "nothing deletes a raw run")
