// Two to five configurations, or models, side by side: cards, one figure, one table with ratios.
// A model is represented by one of its rows: the one with the least energy.

const LETTERS = "ABCDE";
const COMPARED_FIGURES = [
  "energy_per_output_joules", "energy_per_response_joules", "throughput_per_second", "throughput_per_watt",
  "mean_power_watts", "median_itl_ms", "p90_itl_ms", "p95_itl_ms", "p99_itl_ms", "median_ttft_ms", "p99_ttft_ms",
  "batch_latency_seconds", "output_tokens_per_response", "mean_kv_cache_usage", "total_params_billions",
  "activated_params_billions",
];
const COMPARED_FACTS = [
  "organisation", "model_architecture", "gpu_model", "batch_size", "weight_precision", "weights", "runtime_version", "request_set_id", "length_control",
  "power_limit_watts", "inference_steps", "height", "width", "num_frames", "data_source", "repeats",
];
const MUST_BE_EQUAL = {
  data_source: "source of the measurement",
  request_set_id: "request set",
  length_control: "length control",
  weights: "kind of weights",
  power_limit_watts: "power cap",
};

const letter = (place) => element("b", { class: "letter" }, LETTERS[place]);

// The row of each model: the one with the least energy under ceilings and filters, else of all its rows.
function rowsOfModels(models, scope, choice) {
  const { shown, y } = select(scope, { ...choice, show: "least" });
  const byModel = (rows) => new Map(rows.map((row) => [row.model_id, row]));
  const under = byModel(shown), all = byModel(leastPerModel(scope.rows, y));
  return models.map((model) => under.get(model) ?? all.get(model)).filter(Boolean);
}

// Which models the reader may add, as options.
function modelsToAdd(rows, scope) {
  const names = new Map(leastPerModel(scope.rows, ENERGY.output).map((row) => [row.model_id, modelName(row)]));
  for (const { model_id: model } of rows) names.delete(model);
  const sorted = [...names].sort(([, a], [, b]) => a.localeCompare(b, "en", { numeric: true }));
  return [element("option", { value: "" }, "Add a model"), ...sorted.map(([model, name]) => element("option", { value: model }, name))];
}

// Why the rows that represent the models were chosen, in words.
function chosenInWords(rows, scope, choice) {
  const ceilings = ceilingsOf(choice, scope.unit), limits = limitsInWords(choice, scope);
  const over = rows.filter((row) => !meets(row, ceilings)).map(modelName);
  const start = `Of each model: its configuration with the least energy${limits.length ? ` under ${limits.join(" and ")}` : ""}.`;
  return over.length ? `${start} None of ${over.join(", ")} meets that: its least-energy one is shown.` : start;
}

// remove(row): called when the reader takes a configuration or a model away. isModels: which of them.
function comparisonCards(rows, scope, isModels, remove) {
  return rows.map((row, place) => {
    const card = element("li", { class: "card" },
      element("h2", {}, letter(place), ` ${modelName(row)}`),
      isModels ? element("p", { class: "soft" }, modelInWords(row, scope)) : null,
      element("p", { class: "soft" }, `${gpuName(row)}, batch ${row.batch_size}, ${runtimeName(row)}, ${row.weight_precision}`),
      element("p", { class: "big" }, ...energyInWords(row, scope)),
      element("p", {}, latencyInWords(row, scope)),
      element("p", {}, rowLink(row, scope, "Model page"), " ",
        element("button", { type: "button", "aria-label": `Remove ${LETTERS[place]}`, onclick: () => remove(row) }, "Remove")));
    card.style.borderTopColor = isModels ? seriesColour(place) : `var(${scope.meta.colours[row.gpu_model] ?? "--ink"})`;
    return card;
  });
}

const seriesColour = (place) => colourOf(`--series-${place + 1}`);

// Size of a model, and how much was measured of it.
function modelInWords(row, scope) {
  const { total_params_billions: total = null, activated_params_billions: activated = null } = row;
  const size = total === null ? "" : `${figures(total)} billion parameters${activated !== null && activated < total ? ` (${figures(activated)} activated)` : ""}, `;
  return size + counted(scope.rows.filter((other) => modelKey(other) === modelKey(row)).length, "configuration");
}

function energyInWords(row, scope) {
  const { factor, unit } = scope.energy;
  const joules = row[ENERGY.output];
  return joules === null ? [NOTHING] : [figures(joules * factor), element("small", {}, ` ${unit}/${scope.unit}`)];
}

function latencyInWords(row, scope) {
  const latency = figures(row[latencyKey(scope.unit, "p50")]);
  return scope.unit === "token" ? `${latency} ms median ITL` : `${latency} s batch latency`;
}

// A link to the row on its model's page; nothing in a publication without such pages.
function rowLink(row, scope, text) {
  const page = scope.meta.modelPages[row.model_id];
  return page ? element("a", { href: `${page}#${row.configuration_id}` }, text) : "";
}

// Figures with the ratio to the first configuration, then facts; those that differ are marked.
function comparisonTable(rows, scope) {
  const present = (key) => scope.byKey[key] && rows.some((row) => isFilled(row[key]));
  const names = rows.map((row, place) =>
    element("th", { scope: "col", class: "number" }, letter(place), ` ${modelName(row)}`));
  const head = element("tr", {}, element("td"), names);
  const withRatios = COMPARED_FIGURES.filter(present).map((key) => figureLine(key, rows, scope));
  const facts = COMPARED_FACTS.filter(present).map((key) => factLine(key, rows, scope));
  return [element("thead", {}, head), element("tbody", {}, withRatios, facts)];
}

function figureLine(key, rows, scope) {
  const column = scope.byKey[key];
  const factor = factorOf(column, scope);
  const cells = rows.map((row, place) => {
    const ratio = place && isFilled(row[key]) && rows[0][key] ? `\u00d7${figures(row[key] / rows[0][key])}` : "\u00a0";
    const text = isFilled(row[key]) ? figures(row[key] * factor) : NOTHING;
    return element("td", { class: "number" }, text, element("small", {}, ratio));
  });
  const unit = element("small", {}, unitOf(column, scope));
  return element("tr", {}, element("th", { scope: "row", title: column.definition }, column.title, unit), cells);
}

function factLine(key, rows, scope) {
  const { title, definition } = scope.byKey[key];
  const words = rows.map((row) => factInWords(key, row, scope));
  const cells = words.map((text) => element("td", { class: "number" }, text));
  const differs = new Set(words).size > 1 && "differs";
  return element("tr", { class: differs }, element("th", { scope: "row", title: definition }, title), cells);
}

function factInWords(key, row, scope) {
  if (key === "gpu_model") return gpuName(row);
  if (key === "data_source") return sourceTitle(scope.meta, row[key]);
  return isFilled(row[key]) ? String(row[key]) : NOTHING;
}

// What keeps configurations from being compared fairly, in words.
function unfairness(rows) {
  const differs = (key) => new Set(rows.map((row) => row[key])).size > 1;
  const differing = Object.keys(MUST_BE_EQUAL).filter(differs).map((key) => MUST_BE_EQUAL[key]);
  if (!differing.length) return "";
  return `These were measured differently (${differing.join(", ")}): the ratios hold for these measurements only.`;
}

// Each model's frontier: its configurations that none of its own beats. The row that represents it carries the letter.
function modelPoints(rows, scope, x, y) {
  return rows.flatMap((chosen, place) => {
    const isAlike = (row) => ["weights_order", "generation_order"].every((order) => row[order] === chosen[order]);
    const isOwn = (row) => modelKey(row) === modelKey(chosen) && isAlike(row) && row[x] > 0 && row[y] > 0;
    const drawn = new Set([...frontierOf(scope.ordered(x, y).filter(isOwn), x, y), ...(isOwn(chosen) ? [chosen] : [])]);
    return [...drawn].map((row) => ({
      id: row.leaderboard_id,
      x: row[x],
      y: row[y] * scope.prefix[y].factor,
      batch: row.batch_size,
      order: row[x],
      series: modelKey(row),
      colour: seriesColour(place),
      shape: "circle",
      chosen: row === chosen,
      weight: 1,
      label: row === chosen ? `${LETTERS[place]} \u00b7 ${modelName(row)}` : "",
    }));
  });
}

// Each configuration's line through its batch sizes; the chosen point carries the letter.
function comparisonPoints(rows, scope, x, y) {
  const gpus = gpuColours(scope);
  const letters = new Map(rows.map((row, place) => [row, LETTERS[place]]));
  const lines = new Set(rows.map(seriesOf));
  const drawn = scope.everyRow.filter((row) => lines.has(seriesOf(row)) && row[x] > 0 && row[y] > 0);
  return drawn.map((row) => ({
    id: row.leaderboard_id,
    x: row[x],
    y: row[y] * scope.prefix[y].factor,
    batch: row.batch_size,
    series: seriesOf(row),
    colour: gpus[row.gpu_model] ?? colourOf("--ink"),
    shape: "circle",
    chosen: letters.has(row),
    weight: 1,
    label: letters.has(row) ? `${letters.get(row)} \u00b7 ${labelOf(row)}` : "",
  }));
}
