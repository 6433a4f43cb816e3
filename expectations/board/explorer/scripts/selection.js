// Which rows a reader's choice selects. Nothing here touches the page.

const ITL = { p50: "median_itl_ms", p90: "p90_itl_ms", p95: "p95_itl_ms", p99: "p99_itl_ms" };
const TTFT = { p50: "median_ttft_ms", p90: "p90_ttft_ms", p95: "p95_ttft_ms", p99: "p99_ttft_ms" };
const ENERGY = { output: "energy_per_output_joules", response: "energy_per_response_joules" };
const PRESCRIBED = 2;  // generation_order of a row whose acceptance of drafts was prescribed, not measured
const FILTERS = ["tier", "gpu_model", "num_gpus", "weight_precision", "weights", "runtime_version", "organisation"];
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

const searchedIn = remembered((row) => `${row.nickname} ${row.model_id} ${row.model_revision ?? ""} ${row.organisation ?? ""}`.toLowerCase());

// Whether a row passes the filters and has the text; null where all do.
function filterOf(choice) {
  const set = FILTERS.filter((key) => choice.filters[key].length).map((key) => [key, new Set(choice.filters[key])]);
  const text = choice.text.trim().toLowerCase();
  if (!set.length && !text) return null;
  return (row) => set.every(([key, values]) => values.has(String(row[key]))) && (!text || searchedIn(row).includes(text));
}

function byEnergy(key) {
  return (a, b) => a[key] - b[key] || a.batch_size - b.batch_size || (a.leaderboard_id < b.leaderboard_id ? -1 : 1);
}

// Each model's row with the least energy, rising. Of a model's rows only those of the nearest kind of weights
// count (the mart's weights_order): dummy weights can take an eighth less energy, or a quarter more. Images and videos
// of unusual steps or size (generation_order) count only where there are no others; rows with a prescribed acceptance never count.
function leastPerModel(rows, key) {
  const order = byEnergy(key);
  const before = (a, b) => a.generation_order - b.generation_order || a.weights_order - b.weights_order || order(a, b);
  const least = new Map();
  for (const row of rows) {
    if (row[key] === null || row.generation_order === PRESCRIBED) continue;
    const best = least.get(modelKey(row));
    if (!best || before(row, best) < 0) least.set(modelKey(row), row);
  }
  return [...least.values()].sort(order);
}

// A text per row that is worked out once and kept in the row. Equal texts are one, so that a Map finds them at once.
function remembered(textOf) {
  const kept = Symbol(), texts = new Map();
  const only = (text) => texts.get(text) ?? (texts.set(text, text), text);
  return (row) => (row[kept] ??= only(textOf(row)));
}

const modelKey = remembered((row) => `${row.data_source} ${row.model_id}`);

// The rows that no other row beats: none is as good on both axes and better on one.
// rows: rising in x, equal ones in y, those without a figure last.
function frontierOf(rows, x, y) {
  const frontier = [];
  let last = null;
  for (const row of rows) {
    if (row[x] === null || row[y] === null) continue;
    if (!last || row[y] < last[y] || (row[x] === last[x] && row[y] === last[y])) frontier.push(last = row);
  }
  return frontier;
}

// What rows of one line have in common: everything but the batch size.
const seriesOf = remembered((row) => SERIES.map((key) => row[key]).join("\u0000"));

// What is shown. scope: the rows of one task and source. Returns
//   filtered: rows that pass the filters     shown: those of the table, under the ceilings
//   beyond: drawn, but over a ceiling        frontier: of the shown ones
//   models, modelsMeeting: how many          leanest: the row with the least energy of those under the ceilings
//   isLowest: whether no row of weights that are farther from trained ones takes less
function select(scope, choice) {
  const x = latencyKey(scope.unit, choice.percentile), y = ENERGY[choice.per];
  const ceilings = ceilingsOf(choice, scope.unit);
  const passes = filterOf(choice), all = scope.ordered(x, y);
  const filtered = passes ? all.filter(passes) : all;
  const meeting = ceilings.length ? filtered.filter((row) => meets(row, ceilings)) : filtered;
  const best = leastPerModel(meeting, y);
  const least = choice.show === "least";
  const shown = least ? best : meeting;
  const beyond = !ceilings.length ? [] : least ? modelsWithout(best, filtered, y) : filtered.filter((row) => !meets(row, ceilings));
  const models = modelsIn(filtered);
  return {
    x, y, filtered, shown, beyond, models,
    frontier: frontierOf(meeting.filter((row) => row.generation_order !== PRESCRIBED && (!least || best.includes(row))), x, y),
    modelsMeeting: meeting === filtered ? models : modelsIn(meeting),
    leanest: best[0] ?? null,
    isLowest: !best.length || !meeting.some((row) => row[y] !== null && row.generation_order === best[0].generation_order && row[y] < best[0][y]),
  };
}

function modelsIn(rows) {
  return new Set(rows.map((row) => row.model_id)).size;
}

// The least-energy row of each model that has none among the best.
function modelsWithout(best, rows, y) {
  const met = new Set(best.map(modelKey));
  return leastPerModel(rows.filter((row) => !met.has(modelKey(row))), y);
}
