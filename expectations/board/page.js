"use strict";
// The data is columnar: {columns: [...], rows: [[...], ...]}. Nothing is fetched.
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const table = read("leaderboard-data");
const meta = read("meta-data");
const rows = table.rows.map((row) => Object.fromEntries(table.columns.map((name, i) => [name, row[i]])));
const $ = (id) => document.getElementById(id);
const COLOURS = ["#2a9d78", "#d07a2d", "#5b7fd1", "#b0539b", "#9a8a2b", "#4f9db5"];

const figures = (value, digits = 3) =>
  value === null || value === undefined ? null
    : value !== 0 && (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-3) ? value.toExponential(digits - 1)
    : Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en")
    : String(Number(value.toPrecision(digits)));

const inTokens = (unit) => unit === "token";
const COLUMNS = [
  { key: "energy_rank", title: "Rank", number: true, hint: "by energy; shared where intervals overlap" },
  { key: "nickname", title: "Model", cell: modelCell, wide: true },
  { key: "gpu_model", title: "GPU", cell: gpuCell },
  { key: "batch_size", title: "Batch size", number: true },
  { key: "runtime_version", title: "Runtime", cell: runtimeCell, always: true, wide: true },
  { key: "energy_per_output_joules", title: "Energy", number: true, unit: (u) => `J/${u}`, cell: energyCell },
  { key: "repeats", title: "Repeats", number: true, cell: repeatsCell },
  { key: "energy_per_response_joules", title: "Per response", number: true, unit: () => "J", only: inTokens },
  { key: "throughput_per_second", title: "Throughput", number: true, unit: (u) => `${u}s/s` },
  { key: "throughput_per_watt", title: "Per watt", number: true, unit: (u) => `${u}s/s/W` },
  { key: "mean_power_watts", title: "Power", number: true, unit: () => "W, all GPUs" },
  { key: "median_itl_ms", title: "Median ITL", number: true, unit: () => "ms", only: inTokens },
  { key: "p99_itl_ms", title: "p99 ITL", number: true, unit: () => "ms", only: inTokens },
  { key: "median_ttft_ms", title: "Median TTFT", number: true, unit: () => "ms", only: inTokens },
  { key: "batch_latency_seconds", title: "Batch latency", number: true, unit: () => "s", only: (unit) => !inTokens(unit) },
];
const NEEDS_COUNTER = new Set(["energy_per_output_joules", "energy_per_response_joules", "throughput_per_watt", "mean_power_watts", "energy_rank"]);

// Configuration keys that no cell shows: those in which the rows below differ stand under the GPU.
const IN_CELLS = new Set([...COLUMNS.map((column) => column.key), "task", "model_id", "num_gpus", "weight_precision"]);
const OTHER_KEYS = meta.configuration_keys.filter((key) => !IN_CELLS.has(key));
let distinguishing = [];
let sort = { key: "energy_per_output_joules", up: true };

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function modelCell(row) {
  const parts = [row.nickname || row.model_id, element("small", {}, row.model_id)];
  if (row.model_revision) parts.push(element("small", { title: row.model_revision }, `revision ${row.model_revision.slice(0, 12)}`));
  if (row.weights && row.weights !== "real") parts.push(weightsBadge(row));
  return parts;
}

// Weights that are not real: what they are and, for those that have a better stand-in, how far they are off.
function weightsBadge(row) {
  if (row.weights.startsWith("stand-in"))
    return element("span", { class: "badge plain", title: "drawn so that the model computes as a trained one does" }, `${row.weights} weights`);
  const percent = (share) => `${share > 0 ? "+" : ""}${(100 * share).toFixed(1)}`;
  const difference = row.weights_energy_difference;
  if (difference === null)
    return element("span", { class: "badge plain", title: "how far this kind of weights is off was not measured here" }, `${row.weights} weights, difference not measured`);
  const half = (100 * row.weights_energy_difference_half_width).toFixed(1);
  const itl = row.weights_median_itl_difference === null ? "" : `, median ITL ${percent(row.weights_median_itl_difference)} %`;
  const title = `measured apart from this row, against ${row.weights_reference} weights on one GPU: energy ${percent(difference)} \u00b1 ${half} %${itl}; the figures of this row are as measured`;
  return element("span", { class: "badge plain", title }, `${row.weights} weights, energy ${percent(difference)} %`);
}

function gpuCell(row) {
  const gpu = row.num_gpus ? `${row.num_gpus}\u00d7\u00a0${row.gpu_model}` : "no\u00a0GPU";
  const parts = distinguishing.filter((key) => row[key] !== null).map((key) => `${key.replaceAll("_", " ")} ${row[key]}`);
  return parts.length ? [gpu, element("small", {}, parts.join(", "))] : [gpu];
}

function runtimeCell(row) {
  const how = [row.weight_precision, row.length_control && `${row.length_control} lengths`, row.power_limit_watts && `cap ${row.power_limit_watts} W`];
  const parts = [row.runtime_version === null ? "as published" : `${row.runtime} ${row.runtime_version}`, element("small", {}, how.filter(Boolean).join(", "))];
  if (row.data_source === "jouleboard" && row.request_set_id) parts.push(element("small", {}, row.request_set_id));
  return parts;
}

function energyCell(row) {
  const parts = [figures(row.energy_per_output_joules)];
  if (row.energy_per_output_low_joules !== null && row.energy_per_output_high_joules !== null)
    parts.push(element("small", {}, `${figures(row.energy_per_output_low_joules)} – ${figures(row.energy_per_output_high_joules)}`));
  else if (row.energy_within_run_interval !== null)
    parts.push(element("small", {}, `± ${(100 * row.energy_within_run_interval).toFixed(1)} % within`));
  return parts;
}

function repeatsCell(row) {
  const parts = [figures(row.repeats)];
  if (row.energy_gpus === null) return parts;
  const counted = (count, one, many) => `${count} ${count === 1 ? one : many}`;
  // A row on several GPUs was measured on sets of them.
  const gpus = row.num_gpus > 1 ? counted(row.energy_gpus, "set of GPUs", "sets of GPUs") : counted(row.energy_gpus, "GPU", "GPUs");
  const started = row.output_unit === "token" ? "server" : "pipeline";
  const starts = row.energy_servers === null ? "" : `, ${counted(row.energy_servers, "start", "starts")} of the ${started}`;
  return [...parts, element("small", { title: `energy measured on ${gpus}${starts}` }, `on ${gpus}`)];
}

function fill(select, values, keep) {
  const old = select.options.length ? select.value : undefined;
  select.replaceChildren(...values.map(([value, text]) => element("option", { value }, text)));
  if (keep && values.some(([value]) => value === old)) select.value = old;
}

function options(name, within) {
  const seen = [...new Set(within.map((row) => row[name]).filter((value) => value !== null))];
  seen.sort((a, b) => (typeof a === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true })));
  return [["", "all"], ...seen.map((value) => [String(value), String(value)])];
}

function chosen() {
  const wanted = { task: $("task").value, data_source: $("source").value };
  return rows.filter((row) => row.task === wanted.task && (!wanted.data_source || row.data_source === wanted.data_source));
}

function filtered() {
  const text = $("search").value.trim().toLowerCase();
  const equal = { gpu_model: $("gpu").value, num_gpus: $("gpus").value, runtime_version: $("version").value, weights: $("weights").value };
  return chosen().filter((row) =>
    Object.entries(equal).every(([key, value]) => !value || String(row[key]) === value) &&
    (!text || `${row.nickname} ${row.model_id} ${row.model_revision ?? ""} ${row.organisation ?? ""}`.toLowerCase().includes(text)) &&
    (!$("best").checked || row.is_minimum));
}

function ordered(some) {
  const sign = sort.up ? 1 : -1;
  return [...some].sort((a, b) => {
    const [x, y] = [a[sort.key], b[sort.key]];
    if (x === null || y === null) return (x === null) - (y === null);  // missing goes last, either way
    return sign * (typeof x === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true }));
  });
}

function draw() {
  const some = ordered(filtered());
  const unit = some[0]?.output_unit ?? "token";
  distinguishing = OTHER_KEYS.filter((key) => new Set(some.map((row) => row[key])).size > 1);
  const fits = COLUMNS.filter((column) => !column.only || column.only(unit));
  const empty = (column) => column.key !== "energy_per_output_joules" && some.every((row) => row[column.key] === null);
  const columns = fits.filter((column) => column.always || !empty(column));
  $("count").textContent = `${some.length} configuration${some.length === 1 ? "" : "s"}`;
  $("caution").hidden = Boolean($("source").value) || new Set(some.map((row) => row.data_source)).size < 2;
  $("nothing").hidden = some.length > 0;
  $("board").hidden = some.length === 0;
  $("head").replaceChildren(element("tr", {}, ...columns.map((column) => heading(column, unit))));
  $("body").replaceChildren(...some.map((row) => element("tr", {}, ...columns.map((column) => cell(column, row)))));
  chart(some.filter((row) => row.energy_per_output_joules !== null), unit);
}

function heading(column, unit) {
  const attributes = { scope: "col" };
  if (column.number) attributes.class = "number";
  if (sort.key === column.key) attributes["aria-sort"] = sort.up ? "ascending" : "descending";
  const button = element("button", { type: "button", title: column.hint ?? `sort by ${column.title.toLowerCase()}` }, column.title);
  button.addEventListener("click", () => {
    sort = { key: column.key, up: sort.key === column.key ? !sort.up : true };
    draw();
    [...$("head").querySelectorAll("button")].find((other) => other.textContent === column.title)?.focus();
  });
  return element("th", attributes, button, element("small", {}, column.unit ? column.unit(unit) : "\u00a0"));
}

function cell(column, row) {
  const value = row[column.key];
  if (value === null && NEEDS_COUNTER.has(column.key) && row.energy_per_output_joules === null) {
    const text = column.key === "energy_per_output_joules" ? (row.energy_source === "none" ? "no energy counter" : "never settled") : "–";
    return element("td", { class: column.number ? "number absent" : "absent" }, text);
  }
  if (value === null && !column.always) return element("td", { class: column.number ? "number absent" : "absent" }, "–");
  const content = column.cell ? column.cell(row) : column.number ? figures(value) : String(value);
  return element("td", column.number ? { class: "number" } : column.wide ? { class: "wide" } : {}, ...[content].flat());
}

function chart(some, unit) {
  const latency = unit === "token" ? "median_itl_ms" : "batch_latency_seconds";
  const points = some.filter((row) => row[latency] > 0 && row.energy_per_output_joules > 0);
  $("chart").hidden = points.length < 2;
  if (points.length < 2) return;
  const [width, height, left, bottom] = [1200, 300, 64, 44];
  const axis = (key) => {
    const logs = points.map((row) => Math.log10(row[key]));
    const [low, high] = [Math.min(...logs), Math.max(...logs)];
    const pad = (high - low || 1) * 0.05;
    return [low - pad, high + pad];
  };
  const [x0, x1] = axis(latency), [y0, y1] = axis("energy_per_output_joules");
  const x = (value) => left + ((Math.log10(value) - x0) / (x1 - x0)) * (width - left - 16);
  const y = (value) => height - bottom - ((Math.log10(value) - y0) / (y1 - y0)) * (height - bottom - 14);
  const svg = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, of] of Object.entries(attributes)) made.setAttribute(key, of);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const ticks = (low, high) => {
    const all = [];
    for (let p = Math.floor(low); p <= Math.ceil(high); p++)
      for (const m of high - low > 2.5 ? [1] : high - low > 0.8 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9]) all.push(m * 10 ** p);
    return all.filter((value) => Math.log10(value) >= low && Math.log10(value) <= high);
  };
  const groups = [...new Set(points.map((row) => row.gpu_model))].sort();
  const parts = [];
  for (const value of ticks(x0, x1)) {
    parts.push(svg("line", { class: "grid", x1: x(value), x2: x(value), y1: 14, y2: height - bottom }));
    parts.push(svg("text", { x: x(value), y: height - bottom + 18, "text-anchor": "middle" }, figures(value)));
  }
  for (const value of ticks(y0, y1)) {
    parts.push(svg("line", { class: "grid", x1: left, x2: width - 16, y1: y(value), y2: y(value) }));
    parts.push(svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, figures(value)));
  }
  parts.push(svg("text", { x: (left + width) / 2, y: height - 6, "text-anchor": "middle" },
    unit === "token" ? "median inter-token latency, ms" : "batch latency, s"));
  parts.push(svg("text", { x: 14, y: (height - bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 14 ${(height - bottom) / 2})` }, `energy, J/${unit}`));
  for (const row of points) {
    const dot = svg("circle", { class: "dot", r: 4, cx: x(row[latency]), cy: y(row.energy_per_output_joules), fill: COLOURS[groups.indexOf(row.gpu_model) % COLOURS.length] });
    dot.append(svg("title", {}, `${row.nickname || row.model_id}, ${row.num_gpus}× ${row.gpu_model}, batch ${row.batch_size}: ${figures(row.energy_per_output_joules)} J/${unit}`));
    parts.push(dot);
  }
  $("plot").replaceChildren(...parts);
  $("plot").setAttribute("viewBox", `0 0 ${width} ${height}`);
  $("legend").replaceChildren(...groups.map((name, i) =>
    element("span", {}, element("i", { style: `background:${COLOURS[i % COLOURS.length]}` }), name)));
}

function refine() {
  const within = chosen();
  fill($("gpu"), options("gpu_model", within), true);
  fill($("gpus"), options("num_gpus", within), true);
  fill($("version"), options("runtime_version", within), true);
  fill($("weights"), options("weights", within), true);
  draw();
}

function sources() {
  const within = rows.filter((row) => row.task === $("task").value);
  const names = [...new Set(within.map((row) => row.data_source))].sort();
  fill($("source"), [...names.map((name) => [name, name]), ...(names.length > 1 ? [["", "all (not comparable)"]] : [])], true);
  refine();
}

if (rows.length) {
  const present = new Set(rows.map((row) => row.task));
  fill($("task"), meta.tasks.filter(([task]) => present.has(task)));
  const ours = new Set(rows.filter((row) => row.data_source === "jouleboard").map((row) => row.task));
  const first = meta.tasks.find(([task]) => ours.has(task));
  if (first) $("task").value = first[0];
  $("task").addEventListener("change", sources);
  $("source").addEventListener("change", refine);
  for (const id of ["gpu", "gpus", "version", "weights", "best"]) $(id).addEventListener("change", draw);
  $("search").addEventListener("input", draw);
  sources();
} else {
  $("explorer").hidden = true;
  $("none-yet").hidden = false;
}
