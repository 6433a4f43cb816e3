// What a reader takes away: the rows as CSV or JSON, the figure as SVG or PNG, the link, a snippet to embed.

const IDS = ["leaderboard_id", "configuration_id", "data_source", "task", "model_id"];

// Columns of a file: ids first, then what the table shows, under the names of the mart.
function fileColumns(columns) {
  const expanded = columns.flatMap((key) => (key === "gpu_model" ? ["gpu_model", "num_gpus"] : [key]));
  return [...new Set([...IDS, "nickname", ...expanded])];
}

function csvText(rows, columns) {
  const cell = (value) => (value === null || value === undefined ? "" : /[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  return [columns, ...rows.map((row) => columns.map((key) => row[key]))].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

function jsonText(rows, columns, about) {
  return JSON.stringify({ ...about, rows: rows.map((row) => Object.fromEntries(columns.map((key) => [key, row[key] ?? null]))) }, null, 1);
}

function save(name, content, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

// The bytes of a `data:` address, without fetching it: the page's policy allows no connections.
function bytesOf(address) {
  return Uint8Array.from(atob(address.split(",")[1]), (letter) => letter.charCodeAt(0));
}

function embedSnippet(address) {
  return `<iframe src="${address.replaceAll("&", "&amp;").replaceAll('"', "&quot;")}" title="Jouleboard" width="900" height="560" style="border:0"></iframe>`;
}

// Puts a text into the clipboard; where that is not allowed, it is selected for the reader to copy.
async function copy(field) {
  field.select();
  try { await navigator.clipboard.writeText(field.value); } catch { document.execCommand?.("copy"); }
}
