// Numbers and units as people read them.

const NOTHING = "\u2013";

// Three significant digits, thousands set apart.
function figures(value) {
  if (value === null || value === undefined) return NOTHING;
  if (value === 0) return "0";
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  if (decimals > 5) return value.toExponential(2);
  const cut = Number(value.toPrecision(3));
  return cut.toLocaleString("en", { minimumFractionDigits: Number.isInteger(value) ? 0 : decimals, maximumFractionDigits: decimals });
}

// The unit in which most of these energies read best.
function energyUnit(joules) {
  const ordered = joules.filter((value) => value !== null).sort((a, b) => a - b);
  const median = ordered[Math.floor(ordered.length / 2)] ?? 1;
  const [, factor, unit] = [[0.1, 1e3, "mJ"], [1e3, 1, "J"], [1e6, 1e-3, "kJ"], [Infinity, 1e-6, "MJ"]].find(([limit]) => median < limit);
  return { factor, unit };
}

function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

const CONTRIBUTOR = "contributor/";
const sourceTitle = (meta, source) =>
  source.startsWith(CONTRIBUTOR) ? `Contributed by ${source.slice(CONTRIBUTOR.length)}` : meta.sources[source] ?? source;
const modelName = (row) => row.nickname || row.model_id;
const gpuName = (row) => (row.num_gpus ? `${row.num_gpus}\u00d7\u00a0${row.gpu_model}` : "no\u00a0GPU");
const runtimeName = (row) => (row.runtime_version === null ? "as published" : `${row.runtime} ${row.runtime_version}`);

// An element with attributes and children; text is never read as markup.
function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const byId = (id) => document.getElementById(id);
