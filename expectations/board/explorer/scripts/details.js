// Small parts of the page: what a point says, the pinned row, the tray of ticked rows, the choice of columns.

const modelsOf = (rows) => [...new Set(rows.map((row) => row.model_id))];
const idOf = (row) => row.leaderboard_id.slice(0, ID_DIGITS);
const rowInShort = (row) => `${modelName(row)} (${gpuName(row)}, batch ${row.batch_size})`;

// What a row says of itself under a choice, as elements. x, y: the columns of the axes.
function factsOf(row, scope, { x, y }, percentile) {
  const { factor, unit } = scope.prefix[y];
  const per = y === ENERGY.output ? `per ${scope.unit}` : "per response";
  const latency = scope.unit === "token" ? `ms ITL ${percentile}` : "s batch latency";
  const facts = [
    `${gpuName(row)}, batch size ${row.batch_size}`,
    isFilled(row[y]) && `${figures(row[y] * factor)} ${unit} ${per}`,
    isFilled(row[x]) && `${figures(row[x])} ${latency}`,
    isFilled(row.canaries_unchanged_until) && `measured under ${row.runtime_version}; canaries: nothing changed up to ${row.canaries_unchanged_until}`,
    isFilled(row.throughput_per_second) && `${figures(row.throughput_per_second)} ${scope.unit}s/s`,
  ];
  return [element("strong", {}, modelName(row)), ...facts.filter(Boolean).map((fact) => element("span", {}, fact))];
}

// Beside a point of the figure. point: null hides it.
function showTip(point, facts, figure) {
  const tip = byId("tip");
  tip.hidden = !point;
  if (!point) return;
  tip.replaceChildren(...facts);
  const [left, top] = figure.placeOf(point);
  tip.style.left = `${Math.min(left + 14, byId("figure").clientWidth - 250)}px`;
  tip.style.top = `${top + 14}px`;
}

// on: {compare(), unpin()}
function showPinned(row, facts, scope, ticked, on) {
  const place = byId("pinned");
  place.hidden = !row;
  if (!row) return;
  const listed = facts.flatMap((fact, position) => (position ? [", ", fact] : [fact]));
  place.replaceChildren(
    element("p", {}, listed),
    element("p", { class: "actions" }, rowLink(row, scope, "Evidence and runs of this row"),
      element("button", { type: "button", onclick: on.compare }, ticked ? "Do not compare" : "Compare"),
      element("button", { type: "button", onclick: on.unpin }, "Unpin")));
}

// The rows that are ticked for a comparison.
function showTray(rows, ticked) {
  byId("tray").hidden = rows.length === 0;
  byId("compare").disabled = rows.length < 2;
  byId("compare-models").disabled = modelsOf(rows).length < 2;
  byId("tray-names").textContent = rows.map(rowInShort).join(", ");
  for (const box of document.querySelectorAll("#table input[data-id]")) box.checked = ticked.includes(box.dataset.id);
}

// All columns that have values, by group, each with its definition. change(): called when one is ticked.
function showColumns(scope, shown, change) {
  const groups = new Map();
  const offered = scope.meta.columns.filter(({ key }) => !["nickname", "task"].includes(key) && scope.filled.has(key));
  for (const column of offered) groups.set(column.group, [...(groups.get(column.group) ?? []), column]);
  const box = ({ key, title, definition }) =>
    labelled({ type: "checkbox", value: key, checked: shown.includes(key), onchange: change }, [title, element("small", {}, ` ${definition}`)]);
  byId("column-list").replaceChildren(...[...groups].map(([group, columns]) =>
    element("fieldset", {}, element("legend", {}, group), columns.map(box))));
}

// Columns keep their order; a new one goes to the end.
function columnsTicked(before) {
  const ticked = [...document.querySelectorAll("#column-list input:checked")].map((box) => box.value);
  const kept = before.filter((key) => ticked.includes(key));
  return [...kept, ...ticked.filter((key) => !kept.includes(key))];
}
