// A scope: the rows of a task and source, and what is known of all of them together.

const isFilled = (value) => value !== null && value !== undefined;

// everyRow: the rows of the task, of all sources. tasks: those that have rows.
function newScope(meta, everyRow, source, tasks) {
  const sources = [...new Set(everyRow.map((row) => row.data_source))].sort(oursFirst(meta));
  const ofSource = source === "all" ? everyRow : everyRow.filter((row) => row.data_source === source);
  const onGpus = ofSource.filter((row) => row.num_gpus > 0);
  const rows = onGpus.length ? onGpus : ofSource; // runs without a GPU are tests: they stay off the board
  const keys = meta.columns.map((column) => column.key);
  const prefix = energyUnits(meta, rows);
  const options = Object.fromEntries(FILTERS.map((key) => [key, optionsOf(rows, key)]));
  const domains = {};
  const orders = {};
  return {
    meta,
    rows,
    everyRow,
    options, // per filter, its values
    prefix, // per column of energy, its factor and unit
    tasks,
    unit: rows[0]?.output_unit ?? "token",
    energy: prefix[ENERGY.output],
    sources: sources.length > 1 ? [...sources, "all"] : sources,
    gpus: options.gpu_model,
    precisions: [...new Set(everyRow.map((row) => row.weight_precision))].sort(),
    varies: new Set(keys.filter((key) => rows.some((row) => row[key] !== rows[0][key]))),
    filled: new Set(keys.filter((key) => rows.some((row) => isFilled(row[key])))),
    byKey: Object.fromEntries(meta.columns.map((column) => [column.key, column])),
    ordered: (x, y) => (orders[`${x} ${y}`] ??= risingIn(rows, x, y)), // the rows as frontierOf needs them
    domain: (key) => (domains[key] ??= domainOf(rows.map((row) => row[key]))),
  };
}

// Whose measurements a reader is offered, and sees first: not those of contributors, which have no title of their own.
const oursFirst = (meta) => (a, b) => (a in meta.sources ? 0 : 1) - (b in meta.sources ? 0 : 1) || (a < b ? -1 : 1);

// Rows without a figure go last. Their places are sorted, as to compare numbers of two short lists is quick.
function risingIn(rows, x, y) {
  const figuresOf = (key) => Float64Array.from(rows.map((row) => row[key] ?? Infinity));
  const xs = figuresOf(x), ys = figuresOf(y);
  const order = (values, a, b) => (values[a] === values[b] ? 0 : values[a] - values[b]);
  const places = Uint32Array.from(rows.keys()).sort((a, b) => order(xs, a, b) || order(ys, a, b));
  return Array.from(places, (place) => rows[place]);
}

// Versions begin with the newest, because only the first of many are seen without scrolling; an unknown one is last.
// Of one release a server that was started as usual comes before those with options (0.26.0+config.7f06).
function optionsOf(rows, key) {
  const values = [...new Set(rows.map((row) => row[key]))].map(String);
  const rising = (a, b) => a.localeCompare(b, "en", { numeric: true });
  if (key !== "runtime_version") return values.sort(rising);
  const release = (value) => value.split("+")[0];
  return values.sort((a, b) => (a === "null") - (b === "null") || rising(release(b), release(a)) || rising(a, b));
}

// All figures of energy per output share a unit.
function energyUnits(meta, rows) {
  const energies = meta.columns.filter((column) => column.prefix).map((column) => column.key);
  const units = Object.fromEntries(energies.map((key) => [key, energyUnit(rows.map((row) => row[key] ?? null))]));
  for (const key of energies) if (key.startsWith("energy_per_output")) units[key] = units[ENERGY.output];
  return units;
}
