// Which rows a reader's choice selects. Nothing here touches the page.

const ITL = { p50: "median_itl_ms", p90: "p90_itl_ms", p95: "p95_itl_ms", p99: "p99_itl_ms" };
const TTFT = { p50: "median_ttft_ms", p90: "p90_ttft_ms", p99: "p99_ttft_ms" };
const ENERGY = { output: "energy_per_output_joules", response: "energy_per_response_joules" };
const FILTERS = ["gpu_model", "num_gpus", "weight_precision", "weights", "runtime_version", "organisation"];
const SERIES = ["data_source", "model_id", "weight_precision", "gpu_model", "num_gpus", "runtime", "runtime_version", "request_set_id",
  "length_control", "power_limit_watts", "weights", "model_revision", "tensor_parallel", "expert_parallel", "data_parallel",
  "ulysses_degree", "ring_degree", "inference_steps", "height", "width", "num_frames"];

const latencyKey = (unit, percentile) => (unit === "token" ? ITL[percentile] : "batch_latency_seconds");

// The ceilings that are set, as columns and the most that each may be.
function ceilingsOf(choice, unit) {
  const ceilings = [
    { key: latencyKey(unit, choice.percentile), most: choice.latency },
    { key: TTFT[choice.ttftPercentile], most: choice.ttft },
    { key: ENERGY[choice.per], most: choice.energy },
  ];
  return ceilings.filter(({ most }) => most !== null);
}

// A row without the figure does not meet a ceiling on it.
function meets(row, ceilings) {
  return ceilings.every(({ key, most }) => row[key] !== null && row[key] !== undefined && row[key] <= most);
}

function passes(row, choice) {
  if (!FILTERS.every((key) => !choice.filters[key].length || choice.filters[key].includes(String(row[key])))) return false;
  const text = choice.text.trim().toLowerCase();
  return !text || `${row.nickname} ${row.model_id} ${row.model_revision ?? ""} ${row.organisation ?? ""}`.toLowerCase().includes(text);
}

function byEnergy(key) {
  return (a, b) => a[key] - b[key] || a.batch_size - b.batch_size || (a.leaderboard_id < b.leaderboard_id ? -1 : 1);
}

// Weights by how near they are known to be to trained ones: real, drawn like trained ones, any others.
function weightsOrder({ weights }) {
  return weights === "real" ? 0 : (weights ?? "").startsWith("stand-in") ? 1 : 2;
}

// Each model's row with the least energy, rising. Of a model's rows only those of the nearest kind of weights
// count: dummy weights can take an eighth less energy, or a quarter more.
function leastPerModel(rows, key) {
  const before = (a, b) => weightsOrder(a) - weightsOrder(b) || byEnergy(key)(a, b);
  const least = new Map();
  for (const row of rows) {
    if (row[key] === null) continue;
    const name = `${row.data_source} ${row.model_id}`;
    const best = least.get(name);
    if (!best || before(row, best) < 0) least.set(name, row);
  }
  return [...least.values()].sort(byEnergy(key));
}

// The rows that no other row beats: none is as good on both axes and better on one.
function frontierOf(rows, x, y) {
  const drawn = rows.filter((row) => row[x] !== null && row[y] !== null).sort((a, b) => a[x] - b[x] || a[y] - b[y]);
  const frontier = [];
  for (const row of drawn) {
    const last = frontier.at(-1);
    if (!last || row[y] < last[y] || (row[x] === last[x] && row[y] === last[y])) frontier.push(row);
  }
  return frontier;
}

// What rows of one line have in common: everything but the batch size.
const seriesNames = new WeakMap();
function seriesOf(row) {
  if (!seriesNames.has(row)) seriesNames.set(row, SERIES.map((key) => row[key]).join("\u0000"));
  return seriesNames.get(row);
}

// What is shown. rows: those of one task and source. Returns
//   filtered: rows that pass the filters     shown: those of the table, under the ceilings
//   beyond: drawn, but over a ceiling        frontier: of the shown ones
//   models, modelsMeeting: how many          leanest: the shown row with the least energy
function select(rows, choice, unit) {
  const x = latencyKey(unit, choice.percentile), y = ENERGY[choice.per];
  const ceilings = ceilingsOf(choice, unit);
  const filtered = rows.filter((row) => passes(row, choice));
  const meeting = ceilings.length ? filtered.filter((row) => meets(row, ceilings)) : filtered;
  const modelsOf = (some) => new Set(some.map((row) => row.model_id));
  const models = modelsOf(filtered), modelsMeeting = modelsOf(meeting);
  const least = choice.show === "least";
  const shown = least ? leastPerModel(meeting, y) : meeting;
  const met = new Set(shown.map((row) => `${row.data_source} ${row.model_id}`));
  const beyond = !ceilings.length ? []
    : least ? leastPerModel(filtered, y).filter((row) => !met.has(`${row.data_source} ${row.model_id}`))
    : filtered.filter((row) => !meets(row, ceilings));
  const leanest = leastPerModel(meeting, y)[0] ?? null;
  return { x, y, filtered, meeting, shown, beyond, frontier: frontierOf(shown, x, y), models: models.size, modelsMeeting: modelsMeeting.size, leanest };
}
