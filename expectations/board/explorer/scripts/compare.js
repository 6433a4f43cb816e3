// Two to five configurations side by side: cards, one figure, one table with ratios.

const LETTERS = "ABCDE";
const COMPARED_FIGURES = ["energy_per_output_joules", "energy_per_response_joules", "throughput_per_second", "throughput_per_watt", "mean_power_watts",
  "median_itl_ms", "p90_itl_ms", "p95_itl_ms", "p99_itl_ms", "median_ttft_ms", "p99_ttft_ms", "batch_latency_seconds", "output_tokens_per_response",
  "mean_kv_cache_usage", "total_params_billions", "activated_params_billions"];
const COMPARED_FACTS = ["gpu_model", "batch_size", "weight_precision", "weights", "runtime_version", "request_set_id", "length_control", "power_limit_watts",
  "inference_steps", "height", "width", "num_frames", "data_source", "repeats"];

function comparisonCards(rows, scope, remove) {
  return rows.map((row, place) => {
    const { factor, unit } = scope.prefix[ENERGY.output];
    const latency = latencyKey(scope.unit, "p50");
    const card = element("li", { class: "card" }, element("h2", {}, element("b", { class: "letter" }, LETTERS[place]), ` ${modelName(row)}`),
      element("p", { class: "soft" }, `${gpuName(row)}, batch ${row.batch_size}, ${runtimeName(row)}, ${row.weight_precision}`),
      element("p", { class: "big" }, row[ENERGY.output] === null ? NOTHING : figures(row[ENERGY.output] * factor), element("small", {}, ` ${unit}/${scope.unit}`)),
      element("p", {}, `${figures(row[latency])} ${scope.unit === "token" ? "ms median ITL" : "s batch latency"}`),
      element("p", {}, rowLink(row, scope, "Model page") ?? "", " ",
        element("button", { type: "button", onclick: () => remove(row) }, "Remove")));
    card.style.borderTopColor = `var(${scope.meta.colours[row.gpu_model] ?? "--ink"})`;
    return card;
  });
}

// A link to the row on its model's page; nothing in a publication without such pages.
function rowLink(row, scope, text) {
  const page = scope.meta.modelPages[row.model_id];
  return page ? element("a", { href: `${page}#${row.configuration_id}` }, text) : null;
}

// Figures with the ratio to the first configuration; facts that differ are marked.
function comparisonTable(rows, scope) {
  const present = (key) => scope.byKey[key] && rows.some((row) => row[key] !== null && row[key] !== undefined);
  const head = element("tr", {}, element("th", { scope: "col" }, ""), rows.map((row, place) => element("th", { scope: "col", class: "number" }, element("b", { class: "letter" }, LETTERS[place]), ` ${modelName(row)}`)));
  const lines = [...COMPARED_FIGURES.filter(present).map((key) => figureLine(key, rows, scope)), ...COMPARED_FACTS.filter(present).map((key) => factLine(key, rows, scope))];
  return [element("thead", {}, head), element("tbody", {}, lines)];
}

function figureLine(key, rows, scope) {
  const column = scope.byKey[key], factor = factorOf(column, scope), [first] = rows;
  const cells = rows.map((row, place) => {
    const value = row[key] ?? null;
    const ratio = place && value !== null && first[key] ? `\u00d7${figures(value / first[key])}` : "";
    return element("td", { class: "number" }, value === null ? NOTHING : figures(value * factor), element("small", {}, ratio || "\u00a0"));
  });
  return element("tr", {}, element("th", { scope: "row", title: column.definition }, column.title, element("small", {}, unitOf(column, scope))), cells);
}

function factLine(key, rows, scope) {
  const words = rows.map((row) => (key === "gpu_model" ? gpuName(row) : key === "data_source" ? scope.meta.sources[row[key]] ?? row[key] : row[key] === null || row[key] === undefined ? NOTHING : String(row[key])));
  const differ = new Set(words).size > 1;
  return element("tr", differ ? { class: "differs" } : {}, element("th", { scope: "row", title: scope.byKey[key].definition }, scope.byKey[key].title), words.map((text) => element("td", { class: "number" }, text)));
}

// What keeps two configurations from being compared fairly, in words.
function unfairness(rows) {
  const named = { data_source: "source of the measurement", request_set_id: "request set", length_control: "length control", weights: "kind of weights", power_limit_watts: "power cap" };
  const differing = Object.entries(named).filter(([key]) => new Set(rows.map((row) => row[key])).size > 1).map(([, words]) => words);
  return differing.length ? `These were measured differently (${differing.join(", ")}): the ratios hold for these measurements only.` : "";
}

// Each configuration's line through its batch sizes; the chosen point carries the letter.
function comparisonPoints(rows, scope, x, y) {
  const gpus = gpuColours(scope), letters = new Map(rows.map((row, place) => [row, LETTERS[place]])), lines = new Set(rows.map(seriesOf));
  return scope.everyRow.filter((row) => lines.has(seriesOf(row)) && row[x] > 0 && row[y] > 0).map((row) => ({
    id: row.leaderboard_id, x: row[x], y: row[y] * scope.energy.factor, batch: row.batch_size, series: seriesOf(row), colour: gpus[row.gpu_model] ?? colourOf("--ink"),
    shape: "circle", chosen: letters.has(row), weight: 1, label: letters.has(row) ? `${letters.get(row)} \u00b7 ${labelOf(row)}` : "",
  }));
}
