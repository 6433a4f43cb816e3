// The table: Tabulator shows the rows; this file says what its columns are and what stands in their cells.

const WIDE = 640;
const FITS = 10; // letters; longer words may be cut off, so that they stand in the cell's title, too
const MOST_HEIGHT = "46rem";
const TELLING_KEYS = ["runtime_version", "weight_precision", "weights"];
const OTHER_KEYS = ["request_set_id", "length_control", "power_limit_watts", "model_revision"];
const NEEDS_COUNTER = new Set(["energy_per_output_joules", "energy_per_response_joules", "throughput_per_watt", "mean_power_watts", "energy_rank"]);

// Columns that the page shows until a reader chooses: figures first, then those keys that differ between rows.
function defaultColumns(scope, choice) {
  const latency = latencyKey(scope.unit, choice.percentile);
  const narrow = innerWidth < WIDE;
  if (narrow) return ["energy_per_output_joules", latency];
  const ofTokens = scope.unit === "token";
  const first = ["gpu_model", "batch_size", "energy_per_output_joules", latency];
  const others = ["energy_per_response_joules", "median_ttft_ms", "throughput_per_second", "throughput_per_watt", "mean_power_watts"];
  const described = ofTokens ? ["output_tokens_per_response", "total_params_billions", "activated_params_billions", "model_architecture"]
    : ["inference_steps", "height", "width", "num_frames", "total_params_billions"];
  const evidence = ["repeats", "energy_rank", "energy_within_run_interval"];
  const tells = (key) => scope.varies.has(key) || (key === "runtime_version" && scope.filled.has("canaries_unchanged_until"));
  const varying = (keys) => keys.filter(tells);
  const wanted = [...first, ...varying(TELLING_KEYS), ...(ofTokens ? others : others.slice(1)), ...varying(OTHER_KEYS), ...described, ...varying(evidence)];
  return wanted.filter((key) => scope.filled.has(key) || key === "energy_per_output_joules");
}

function unitOf(column, scope) {
  if (!column.unit) return "";
  const unit = column.unit.replace("outputs", `${scope.unit}s`).replace("output", scope.unit);
  return column.prefix ? unit.replace(/^J/, scope.prefix[column.key].unit) : unit;
}

const factorOf = (column, scope) => (column.prefix ? scope.prefix[column.key].factor : column.factor ?? 1);

function absentRank(row) {
  if (row.generation_order === PRESCRIBED)
    return element("span", { class: "absent", title: "How much of its drafts is accepted was prescribed, not measured." }, "acceptance prescribed");
  return row.generation_order
    ? element("span", { class: "absent", title: "Ranks are of a model's usual steps, size and frames." }, "other steps or size")
    : element("span", { class: "absent", title: "A rank needs three repeats." }, "too few repeats");
}

// What a cell says, as text or elements.
function content(column, row, scope) {
  const value = row[column.key] ?? null;
  if (column.key === "gpu_model") return gpuName(row);
  if (value === null && NEEDS_COUNTER.has(column.key) && row.energy_per_output_joules === null) return absentEnergy(column, row);
  if (value === null) return column.key === "energy_rank" ? absentRank(row) : NOTHING;
  if (column.key === "energy_per_output_joules") return energyContent(column, row, scope);
  if (column.key === "weights") return weightsContent(row);
  if (column.key === "runtime_version" && isFilled(row.canaries_unchanged_until)) return versionContent(row);
  if (column.key === "repeats") return repeatsContent(row);
  if (column.key === "model_revision") return element("span", { title: value }, value.slice(0, 12));
  if (column.key === "last_measured_at") return value.slice(0, 10);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (!column.number) return String(value).length > FITS ? element("span", { title: value }, String(value)) : String(value);
  return column.counted ? value.toLocaleString("en") : figures(value * factorOf(column, scope));
}

function absentEnergy(column, row) {
  if (column.key !== "energy_per_output_joules") return NOTHING;
  return element("span", { class: "absent" }, row.energy_source === "none" ? "no energy counter" : "never settled");
}

// The 95 % interval over repeats stands in the cell's title.
function energyContent(column, row, scope) {
  const factor = factorOf(column, scope), text = figures(row[column.key] * factor);
  const { energy_per_output_low_joules: low, energy_per_output_high_joules: high } = row;
  if (low === null || low === undefined || high === null || innerWidth < WIDE) return text;
  return element("span", { title: `95 % interval over repeats: ${figures(low * factor)} to ${figures(high * factor)}` }, text, element("small", {}, ` \u00b1${((high - low) / 2 / row[column.key] * 100).toFixed(1)}\u00a0%`));
}

// Repeats, and on how many GPUs: an interval over repeats holds for those only.
function repeatsContent(row) {
  const { repeats, energy_gpus: gpus = null, energy_servers: starts = null } = row;
  if (gpus === null) return String(repeats);
  const on = row.num_gpus > 1 ? counted(gpus, "set").replace(/sets?$/, "$& of GPUs") : counted(gpus, "GPU");
  const started = row.output_unit === "token" ? "server" : "pipeline";
  const title = `energy measured on ${on}${starts === null ? "" : `, ${counted(starts, "start")} of the ${started}`}`;
  return element("span", { title }, String(repeats), element("small", {}, ` on ${on}`));
}

// The release that was measured, and the later one for which canaries stand in; the row stays what it was.
function versionContent(row) {
  const { runtime_version: version, canaries_unchanged_until: until } = row;
  const title = `measured under ${version}; canaries say that nothing changed up to ${until}, under which this row was not measured`;
  return element("span", { title }, version, element("small", {}, ` unchanged until ${until}`));
}

// Weights that are not real: what they are and, where that was measured, how far they are off.
function weightsContent(row) {
  const difference = row.weights_energy_difference ?? null;
  if (row.weights === "real" || row.weights.startsWith("stand-in")) return row.weights;
  if (difference === null) return element("span", { title: "how far this kind of weights is off was not measured here" }, `${row.weights}, not compared`);
  const half = (100 * row.weights_energy_difference_half_width).toFixed(1);
  const itl = row.weights_median_itl_difference === null ? "" : `, median ITL ${perCent(row.weights_median_itl_difference)} %`;
  const title = `measured apart from this row, against ${row.weights_reference} weights on one GPU: energy ${perCent(difference)} \u00b1 ${half} %${itl}; the figures of this row are as measured`;
  return element("span", { title }, `${row.weights}, energy ${perCent(difference)} %`);
}

const perCent = (share) => `${share > 0 ? "+" : ""}${(100 * share).toFixed(1)}`;

function modelCell(row, scope) {
  const page = scope.meta.modelPages[row.model_id];
  const title = [row.model_id, row.model_revision && `revision ${row.model_revision}`].filter(Boolean).join(", ");
  const name = page ? element("a", { href: `${page}#${row.configuration_id}`, title }, modelName(row)) : element("span", { title }, modelName(row));
  const revision = row.model_revision && scope.varies.has("model_revision") ? element("small", {}, ` revision ${row.model_revision.slice(0, 12)}`) : null;
  const narrow = innerWidth < WIDE ? element("small", { class: "second" }, `${gpuName(row)}, batch ${row.batch_size}`) : null;
  return element("span", {}, name, revision, narrow);
}

// Missing values go last, either way.
function compareValues(key, second) {
  const text = (a, b) => String(a).localeCompare(String(b), "en", { numeric: true });
  return (a, b, one, other, _column, direction) => {
    if (a === null || a === undefined || b === null || b === undefined) {
      const last = (a === null || a === undefined) - (b === null || b === undefined);
      return direction === "desc" ? -last : last;
    }
    const order = typeof a === "number" ? a - b : text(a, b);
    return order || (second ? one.getData()[second] - other.getData()[second] : 0);
  };
}

// With the columns of the other percentiles, which are hidden until they are chosen.
function withOtherPercentiles(columns, scope) {
  const percentiles = Object.values(ITL).filter((key) => scope.filled.has(key));
  const shown = columns.filter((key) => percentiles.includes(key));
  return shown.length === 1 ? columns.flatMap((key) => (key === shown[0] ? percentiles : [key])) : columns;
}

class Table {
  // on: {tick(id, ticked), sort(text), hover(row)}
  constructor(place, scope, on) {
    this.scope = scope;
    this.on = on;
    this.keep = new Set();
    this.ticked = new Set();
    this.place = place;
    this.ready = false;
  }

  // Show these rows. columns: keys; sort: column's key, `-` before it for falling.
  show(rows, columns, sort, ticked, scope) {
    const other = scope !== this.scope || innerWidth < WIDE !== this.isNarrow || !this.canShow(columns);
    this.scope = scope;
    this.keep = new Set(rows);
    this.ticked = new Set(ticked);
    this.columns = columns;
    if (other) this.create(sort);
    else if (this.ready) this.update(sort);
  }

  // Whether these columns are there already, in this order, shown or hidden.
  canShow(columns) {
    const shown = new Set(columns);
    return Boolean(this.present) && String(this.present.filter((key) => shown.has(key))) === String(columns);
  }

  create(sort) {
    const { columns } = this;
    this.tabulator?.destroy();
    this.ready = false;
    this.sort = sort;
    this.isNarrow = innerWidth < WIDE;
    this.present = withOtherPercentiles(columns, this.scope);
    this.shown = String(columns);
    const table = this.tabulator = new Tabulator(this.place, {
      data: this.inOrder(sort), index: "leaderboard_id", layout: "fitColumns", height: MOST_HEIGHT, renderVerticalBuffer: 140, rowHeight: this.isNarrow ? 46 : 28,
      columns: [this.tickColumn(), this.modelColumn(), ...this.present.map((key) => this.column(key)).filter(Boolean)],
      initialSort: [{ column: sort.replace(/^-/, ""), dir: sort.startsWith("-") ? "desc" : "asc" }].filter(({ column }) => column === "nickname" || columns.includes(column)),
      headerSortElement: () => "", placeholder: "No configuration meets this choice.",
      columnHeaderSortMulti: false, autoResize: false, headerSortTristate: false,
    });
    table.on("tableBuilt", () => this.built(table));
    table.on("dataSorting", (sorters) => { if (this.ready && sorters[0]) this.sorted(sorters[0]); });
    table.on("rowMouseEnter", (_, row) => this.on.hover(row.getData()));
    table.on("rowMouseLeave", () => this.on.hover(null));
  }

  built(table) {
    this.ready = true;
    table.setFilter((row) => this.keep.has(row));
    this.label();
    this.measure();
    this.fit();
    this.width = this.place.clientWidth;
    this.observer ??= new ResizeObserver(() => this.resize());
    this.observer.observe(this.place);
  }

  update(sort) {
    if (sort !== this.sort) this.tabulator.setSort(sort.replace(/^-/, ""), sort.startsWith("-") ? "desc" : "asc");
    this.fit();
    if (String(this.columns) === this.shown) this.tabulator.refreshFilter();
    else this.showColumns();
  }

  // Another percentile is another column: to show it takes a tenth of the time of a new table.
  showColumns() {
    const shown = new Set(this.columns);
    this.shown = String(this.columns);
    this.tabulator.blockRedraw();
    for (const key of this.present) this.tabulator[shown.has(key) ? "showColumn" : "hideColumn"](key);
    this.tabulator.refreshFilter();
    this.tabulator.restoreRedraw();
  }

  // Heights of the head, of a row and of what else there is; read once, as reading makes the browser lay out the page.
  measure() {
    const [head, row] = [".tabulator-header", ".tabulator-row"].map((part) => this.place.querySelector(part)?.offsetHeight ?? 0);
    const holder = this.place.querySelector(".tabulator-tableholder");
    this.heights = { row, others: head + holder.offsetHeight - holder.clientHeight + this.place.offsetHeight - this.place.clientHeight };
  }

  // As high as its rows. Tabulator could find that out itself, but would lay out the page several times per change.
  fit() {
    const { row, others } = this.heights;
    this.place.style.height = `min(${MOST_HEIGHT}, ${Math.max(1, this.keep.size) * (row || 29) + others + (this.keep.size ? 0 : 40)}px)`;
  }

  resize() {
    const width = this.place.clientWidth;
    if (width === this.width || !width || !this.ready) return;
    this.width = width;
    this.tabulator.redraw(true);
  }

  // Tabulator sorts what passes at every filter. That is quick where its rows are in that order already.
  inOrder(sort) {
    const key = sort.replace(/^-/, ""), dir = sort.startsWith("-") ? "desc" : "asc";
    const order = this.sorterOf(key), sign = dir === "desc" ? -1 : 1;
    const component = (row) => ({ getData: () => row });
    return [...this.scope.rows].sort((a, b) => sign * order(a[key], b[key], component(a), component(b), null, dir));
  }

  sorted({ field, dir }) {
    const sort = `${dir === "desc" ? "-" : ""}${field}`;
    if (sort === this.sort) return;
    this.sort = sort;
    setTimeout(() => this.sort === sort && this.tabulator.replaceData(this.inOrder(sort)));
    this.on.sort(sort);
  }

  // What Tabulator leaves out for readers of a screen.
  label() {
    this.place.setAttribute("aria-label", "Configurations");
    this.place.querySelector(".tabulator-header-contents").setAttribute("role", "presentation");
    const holder = this.place.querySelector(".tabulator-tableholder");
    holder.tabIndex = 0;
    holder.setAttribute("aria-label", "Rows; arrow keys scroll");
  }

  sorterOf(key) {
    return compareValues(key, { nickname: "batch_size", gpu_model: "num_gpus" }[key] ?? null);
  }

  tickColumn() {
    return {
      field: "_tick", title: "Compare", width: 34, minWidth: 34, frozen: true, headerSort: false, resizable: false, hozAlign: "center",
      titleFormatter: () => element("span", { class: "hidden-text" }, "Compare"),
      formatter: (cell) => {
        const row = cell.getData(), id = row.leaderboard_id.slice(0, ID_DIGITS);
        return element("input", { type: "checkbox", "data-id": id, checked: this.ticked.has(id), "aria-label": `Compare ${modelName(row)}, ${gpuName(row)}, batch ${row.batch_size}`,
          onchange: (event) => this.on.tick(id, event.target.checked) });
      },
    };
  }

  modelColumn() {
    return {
      field: "nickname", title: "Model", minWidth: innerWidth < WIDE ? 148 : 250, widthGrow: 1, frozen: true, resizable: false,
      titleFormatter: () => heading("Model", "", "Display name of the model."), formatter: (cell) => modelCell(cell.getData(), this.scope),
      sorter: this.sorterOf("nickname"),
    };
  }

  column(key) {
    const column = this.scope.byKey[key];
    if (!column || key === "nickname") return null;
    return {
      field: key, title: column.title, visible: this.columns.includes(key), width: widthOf(column, this.scope), hozAlign: column.number ? "right" : "left", headerHozAlign: column.number ? "right" : "left", resizable: false,
      titleFormatter: () => heading(column.title, unitOf(column, this.scope), `${column.title}: ${column.definition || "no definition in the mart"}`),
      formatter: (cell) => { const text = content(column, cell.getData(), this.scope); return typeof text === "string" ? document.createTextNode(text) : text; },
      sorter: this.sorterOf(key),
    };
  }
}

function heading(title, unit, hint) {
  return element("button", { type: "button", class: "heading", title: hint }, element("span", {}, title), element("small", {}, unit || "\u00a0"));
}

function widthOf(column, scope) {
  const letters = Math.max(column.title.length, unitOf(column, scope).length);
  if (column.key === "energy_per_output_joules") return innerWidth < WIDE ? 70 : 126;
  if (innerWidth < WIDE) return 62;
  if (column.key === "repeats" && scope.filled.has("energy_gpus")) return 140;
  if (column.key === "runtime_version" && scope.filled.has("canaries_unchanged_until")) return 190;
  if (column.key === "weights" && scope.rows.some((row) => row.weights_energy_difference !== null && row.weights_energy_difference !== undefined)) return 190;
  return Math.max(column.number ? 62 : 96, Math.min(190, letters * 7.8 + 24));
}
