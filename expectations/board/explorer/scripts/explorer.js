// The page: one choice, what it selects, and the parts that show it.

const MOST_COMPARED = 5;
const readData = (id) => JSON.parse(byId(id).textContent);

class Explorer {
  constructor() {
    this.meta = readData("meta-data");
    this.packed = readData("leaderboard-data");
    this.specification = readData("figure-data");
    this.scopes = new Map();
    this.choice = this.completed(readAddress(location.hash || location.search));
    this.controls = new Controls(this.meta, (part) => this.change(part));
    this.figure = new Figure(byId("figure"), this.specification, {
      hover: (point) => this.showTip(point), click: (id) => this.change({ pin: this.choice.pin === id.slice(0, ID_DIGITS) ? null : id.slice(0, ID_DIGITS) }),
      ceiling: (name, value) => this.dragged(name, value),
    });
    this.table = new Table(byId("table"), null, {
      tick: (id, ticked) => this.tick(id, ticked), sort: (sort) => this.sorted(sort), hover: (row) => this.figure.ready && this.figure.light(row ? row.batch_size : null),
    });
    this.connect();
    byId("form").disabled = false;
    this.show();
  }

  connect() {
    addEventListener("hashchange", () => {
      if (location.hash.slice(1) === this.written) return;
      this.choice = this.completed(readAddress(location.hash));
      this.fitted = null;
      this.show();
    });
    addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      if (this.choice.view === "compare") this.change({ view: "" });
      else if (this.choice.pin) this.change({ pin: null });
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.show());
    const on = (id, act) => byId(id).addEventListener("click", act);
    on("csv", () => save(`${this.fileName()}.csv`, csvText(this.shownInOrder(), fileColumns(this.columns())), "text/csv"));
    on("json", () => save(`${this.fileName()}.json`, jsonText(this.shownInOrder(), fileColumns(this.columns()), this.about()), "application/json"));
    on("svg", async () => save(`${this.fileName()}.svg`, await this.figure.svg(), "image/svg+xml"));
    on("png", async () => save(`${this.fileName()}.png`, bytesOf(await this.figure.png()), "image/png"));
    on("link", () => this.openLink());
    on("link-close", () => byId("link-dialog").close());
    on("copy-link", () => copy(byId("link-field")));
    on("copy-embed", () => copy(byId("embed-field")));
    on("compare", () => this.change({ view: "compare" }));
    on("compare-none", () => this.change({ ticked: [] }));
    on("compare-back", () => this.change({ view: "" }));
    on("compare-csv", () => save(`jouleboard-${this.meta.publication}-comparison.csv`, csvText(this.compared(), fileColumns([...COMPARED_FIGURES, ...COMPARED_FACTS].filter((key) => this.scope.byKey[key]))), "text/csv"));
    on("columns-default", () => this.change({ columns: null }));
  }

  // A choice with every default filled in.
  completed(choice) {
    const { meta, packed } = this;
    if (!packed[choice.task]) choice.task = meta.first.task;
    const sources = this.scopeOf(choice.task, "all").sources;
    if (!sources.includes(choice.source)) choice.source = sources[0];
    const scope = this.scopeOf(choice.task, choice.source);
    if (!["least", "all"].includes(choice.show)) choice.show = scope.filled.has(ENERGY.output) ? "least" : "all";
    for (const key of FILTERS) choice.filters[key] = choice.filters[key].filter((value) => scope.options[key].includes(value));
    return choice;
  }

  defaults() {
    const choice = { ...defaultChoice(), task: this.choice.task };
    return { ...this.completed(choice), task: this.meta.first.task, sort: "energy_per_output_joules" };
  }

  // The rows of a task and source, and what is known of all of them together.
  scopeOf(task, source) {
    const name = `${task} ${source}`;
    if (!this.scopes.has(name)) this.scopes.set(name, this.newScope(task, source));
    return this.scopes.get(name);
  }

  newScope(task, source) {
    const everyRow = this.rowsOf(task), { meta } = this;
    const sources = [...new Set(everyRow.map((row) => row.data_source))].sort();
    const ofSource = source === "all" ? everyRow : everyRow.filter((row) => row.data_source === source);
    const onGpus = ofSource.filter((row) => row.num_gpus > 0);
    const rows = onGpus.length ? onGpus : ofSource;  // runs without a GPU are tests: they stay off the board
    const distinct = (key) => new Set(rows.map((row) => row[key]));
    const keys = meta.columns.map((column) => column.key);
    const options = Object.fromEntries(FILTERS.map((key) => [key, [...distinct(key)].map(String).sort((a, b) => a.localeCompare(b, "en", { numeric: true }))]));
    const prefix = Object.fromEntries(meta.columns.filter((column) => column.prefix).map(({ key }) => [key, energyUnit(rows.map((row) => row[key] ?? null))]));
    for (const key of Object.keys(prefix)) if (key.startsWith("energy_per_output")) prefix[key] = prefix[ENERGY.output];
    const domains = {};
    return {
      meta, rows, everyRow, options, prefix, unit: rows[0]?.output_unit ?? "token", energy: prefix[ENERGY.output],
      sources: sources.length > 1 ? [...sources, "all"] : sources, tasks: new Set(Object.keys(this.packed)),
      gpus: options.gpu_model, precisions: [...new Set(everyRow.map((row) => row.weight_precision))].sort(),
      varies: new Set(keys.filter((key) => distinct(key).size > 1)), filled: new Set(keys.filter((key) => rows.some((row) => row[key] !== null && row[key] !== undefined))),
      byKey: Object.fromEntries(meta.columns.map((column) => [column.key, column])),
      domain: (key) => (domains[key] ??= domainOf(rows.map((row) => row[key]))),
    };
  }

  rowsOf(task) {
    this.unpacked ??= new Map();
    if (!this.unpacked.has(task)) this.unpacked.set(task, this.packed[task] ? unpackRows(this.packed[task]) : []);
    return this.unpacked.get(task);
  }

  change(part) {
    if (part === "reset") this.choice = this.completed({ ...defaultChoice(), task: this.choice.task, source: this.choice.source, ticked: this.choice.ticked });
    else if (part.filter) this.choice.filters[part.filter[0]] = part.filter[1];
    else if ("task" in part || "source" in part) this.choice = this.completed({ ...defaultChoice(), ...kept(this.choice), ...part });
    else Object.assign(this.choice, part);
    if (part.per) this.choice.energy = null;
    this.show();
  }

  show() {
    const { choice } = this, started = performance.now();
    this.scope = this.scopeOf(choice.task, choice.source);
    this.selection = select(this.scope.rows, choice, this.scope.unit);
    if (this.fitted !== this.scope) this.controls.fit(this.scope, choice);
    this.fitted = this.scope;
    this.controls.show(choice, this.scope, this.selection);
    const comparing = choice.view === "compare";
    byId("explorer").hidden = comparing;
    byId("comparison").hidden = !comparing;
    document.body.classList.toggle("embedded", choice.view === "figure");
    if (comparing) this.showComparison();
    else this.showExplorer();
    this.writeAddress();
    this.selectedIn = performance.now() - started;
  }

  showExplorer() {
    const { choice, scope, selection } = this;
    byId("static")?.remove();
    byId("count").textContent = `${counted(selection.shown.length, "configuration")}${choice.show === "least" ? ", the least-energy one of each model" : ""}`;
    byId("nothing").hidden = selection.shown.length > 0;
    this.showTicked();
    this.showPinned();
    this.showColumns();
    this.table.show(selection.shown, this.columns(), choice.sort || "energy_per_output_joules", choice.ticked, scope);
    this.drawing = this.drawFigure();
  }

  async drawFigure() {
    const { choice, scope, selection } = this, { x, y } = selection;
    const points = this.points();
    byId("figure-block").hidden = points.length === 0;
    if (!points.length) return;
    const frontier = selection.frontier.map((row) => ({ id: row.leaderboard_id, x: row[x], y: row[y] * scope.prefix[y].factor }));
    await this.figure.draw(points, { frontier, strong: frontier }, { ...this.axes(points, x, y), heading: this.heading(), caption: inLines(this.caption()),
      ceilingX: choice.latency, ceilingY: choice.energy === null ? null : choice.energy * scope.prefix[y].factor, pinned: this.pinned()?.leaderboard_id ?? null, ...this.legend(points) });
  }

  // With all configurations shown, a ceiling changes how points look, not which there are.
  points() {
    const { choice, scope, selection } = this, { show, percentile, per, filters, text } = choice;
    const name = show === "all" && JSON.stringify([percentile, per, filters, text, matchMedia("(prefers-color-scheme: dark)").matches]);
    if (!name || name !== this.pointsName || scope !== this.pointsScope) this.pointsDrawn = drawnPoints(selection, scope, choice);
    [this.pointsName, this.pointsScope] = [name, scope];
    return this.pointsDrawn;
  }

  axes(points, x, y) {
    const { scope, choice } = this, { unit } = scope.prefix[y];
    const xUnit = scope.unit === "token" ? "ms" : "s", yUnit = y === ENERGY.output ? `${unit}/${scope.unit}` : unit;
    return {
      xUnit, yUnit, xDomain: domainOf(points.map((point) => point.x)), yDomain: domainOf(points.map((point) => point.y)),
      xTitle: scope.unit === "token" ? `ITL ${choice.percentile}, ms (log scale)` : "Batch latency, s (log scale)",
      yTitle: y === ENERGY.output ? `Energy, ${unit} per ${scope.unit} (log scale)` : `Energy, ${unit} per response (log scale)`,
    };
  }

  legend(points) {
    const gpus = this.scope.gpus, drawn = new Set(points.map((point) => point.colour)), colours = gpuColours(this.scope);
    byId("legend").replaceChildren(...gpus.filter((gpu) => drawn.has(colours[gpu])).map((gpu) => {
      const dot = element("i");
      dot.style.background = colours[gpu];
      return element("span", {}, dot, gpu === this.meta.noGpu ? "no GPU" : gpu);
    }), ...this.precisionLegend(points));
    return {};
  }

  precisionLegend(points) {
    const shapes = new Set(points.map((point) => point.shape)), { precisions } = this.scope;
    if (shapes.size < 2) return [];
    const marks = { circle: "\u25cf", diamond: "\u25c6", square: "\u25a0", "triangle-up": "\u25b2", cross: "\u271a" };
    return precisions.filter((_, place) => shapes.has(SHAPES[place % SHAPES.length])).map((name) => element("span", {}, `${marks[SHAPES[precisions.indexOf(name) % SHAPES.length]]} ${name}`));
  }

  heading() { return innerWidth < WIDE ? this.taskName() : `${this.taskName()}: energy and latency`; }
  taskName() { return this.meta.tasks.find(([task]) => task === this.choice.task)?.[1] ?? this.choice.task; }

  caption() {
    const { choice, meta } = this;
    const what = choice.show === "least" ? "each model's configuration with the least energy" : "all configurations";
    const limits = limitsInWords(choice, this.scope);
    return [choice.source === "all" ? "Two sources, not comparable" : meta.sources[choice.source] ?? choice.source, what, limits.join(" and "), `publication ${meta.publication}`].filter(Boolean).join("; ");
  }

  // A ceiling that was dragged in the figure; at the edge there is none.
  dragged(name, value) {
    const [low, high] = this.figure.view.signal(name === "ceilingX" ? "xDomain" : "yDomain");
    const edge = value === null || value >= high * 0.995;
    if (name === "ceilingX") this.change({ latency: edge ? null : Number(Math.max(low, value).toPrecision(3)) });
    else this.change({ energy: edge ? null : Number((value / this.scope.prefix[this.selection.y].factor).toPrecision(3)) });
  }

  columns() {
    const known = this.choice.columns?.filter((key) => this.scope.byKey[key] && key !== "nickname");
    return known?.length ? known : defaultColumns(this.scope, this.choice);
  }

  showColumns() {
    const shown = new Set(this.columns()), groups = new Map();
    const name = `${this.choice.task} ${this.choice.source} ${[...shown]}`;
    if (this.columnsShown === name) return;
    this.columnsShown = name;
    for (const column of this.meta.columns) if (column.key !== "nickname" && column.key !== "task" && this.scope.filled.has(column.key)) groups.set(column.group, [...(groups.get(column.group) ?? []), column]);
    const box = (column) => element("label", { title: column.definition }, element("input", { type: "checkbox", value: column.key, checked: shown.has(column.key), onchange: () => this.chooseColumns() }),
      element("span", {}, column.title, element("small", {}, ` ${column.definition}`)));
    byId("column-list").replaceChildren(...[...groups].map(([group, columns]) => element("fieldset", {}, element("legend", {}, group), columns.map(box))));
  }

  // Columns keep their order; a new one goes to the end.
  chooseColumns() {
    const ticked = [...document.querySelectorAll("#column-list input:checked")].map((box) => box.value);
    const before = this.columns().filter((key) => ticked.includes(key));
    this.change({ columns: [...before, ...ticked.filter((key) => !before.includes(key))] });
  }

  sorted(sort) {
    if (sort === (this.choice.sort || "energy_per_output_joules")) return;
    this.choice.sort = sort;
    this.writeAddress();
  }

  tick(id, ticked) {
    const others = this.choice.ticked.filter((other) => other !== id);
    this.change({ ticked: ticked ? [...others, id].slice(-MOST_COMPARED) : others });
  }

  rowWith(id) { return id ? this.rowsOf(this.choice.task).find((row) => row.leaderboard_id.startsWith(id)) ?? null : null; }
  pinned() { return this.rowWith(this.choice.pin); }
  compared() { return this.choice.ticked.map((id) => this.rowWith(id)).filter(Boolean).slice(0, MOST_COMPARED); }

  showTicked() {
    const rows = this.compared();
    byId("tray").hidden = rows.length === 0;
    byId("compare").disabled = rows.length < 2;
    byId("tray-names").textContent = rows.map((row) => `${modelName(row)} (${gpuName(row)}, batch ${row.batch_size})`).join(", ");
    for (const box of document.querySelectorAll("#table input[type=checkbox]")) if (box.dataset.id) box.checked = this.choice.ticked.includes(box.dataset.id);
  }

  showTip(point) {
    const tip = byId("tip"), row = point && this.scope.rows.find((one) => one.leaderboard_id === point.id);
    tip.hidden = !row;
    if (!row) return;
    tip.replaceChildren(...this.facts(row));
    const { view } = this.figure, left = view.scale("x")(point.x) + view.origin()[0], top = view.scale("y")(point.y) + view.origin()[1];
    tip.style.left = `${Math.min(left + 14, byId("figure").clientWidth - 250)}px`;
    tip.style.top = `${top + 14}px`;
  }

  facts(row) {
    const { scope, selection } = this, { factor, unit } = scope.prefix[selection.y];
    return [
      element("strong", {}, modelName(row)), element("span", {}, `${gpuName(row)}, batch size ${row.batch_size}`),
      element("span", {}, `${figures(row[selection.y] * factor)} ${unit} ${selection.y === ENERGY.output ? `per ${scope.unit}` : "per response"}`),
      element("span", {}, `${figures(row[selection.x])} ${scope.unit === "token" ? `ms ITL ${this.choice.percentile}` : "s batch latency"}`),
      row.throughput_per_second ? element("span", {}, `${figures(row.throughput_per_second)} ${scope.unit}s/s`) : null,
    ].filter(Boolean);
  }

  showPinned() {
    const row = this.pinned(), place = byId("pinned");
    place.hidden = !row;
    if (!row) return;
    const id = row.leaderboard_id.slice(0, ID_DIGITS), ticked = this.choice.ticked.includes(id);
    place.replaceChildren(element("p", {}, ...this.facts(row).flatMap((fact, place) => (place ? [", ", fact] : [fact]))),
      element("p", { class: "actions" }, rowLink(row, this.scope, "Evidence and runs of this row") ?? "",
        element("button", { type: "button", onclick: () => this.tick(id, !ticked) }, ticked ? "Do not compare" : "Compare"),
        element("button", { type: "button", onclick: () => this.change({ pin: null }) }, "Unpin")));
  }

  async showComparison() {
    const rows = this.compared(), scope = this.scopeOf(this.choice.task, "all"), x = latencyKey(scope.unit, this.choice.percentile), y = ENERGY.output;
    byId("compare-few").hidden = rows.length > 1;
    byId("compare-unfair").textContent = unfairness(rows);
    byId("compare-title").textContent = `${this.taskName()}: ${[...new Set(rows.map(modelName))].join(" and ")}`;
    byId("cards").replaceChildren(...comparisonCards(rows, scope, (row) => this.tick(row.leaderboard_id.slice(0, ID_DIGITS), false)));
    byId("compare-table").replaceChildren(...comparisonTable(rows, scope));
    const points = comparisonPoints(rows, scope, x, y);
    byId("compare-figure").hidden = points.length === 0;
    if (!points.length) return;
    this.comparison ??= new Figure(byId("compare-figure"), this.specification, {});
    this.scope = scope;
    await this.comparison.draw(points, { frontier: [], strong: points.filter((point) => point.chosen) }, { ...this.axes(points, x, y),
      heading: "The compared configurations and the other batch sizes of each", caption: inLines(`${this.taskName()}; publication ${this.meta.publication}`), ceilings: false, ceilingX: null, ceilingY: null, pinned: null });
  }

  shownInOrder() {
    const active = this.table.tabulator?.getData("active") ?? [];
    return active.length === this.selection.shown.length ? active : this.selection.shown;
  }

  fileName() { return `jouleboard-${this.meta.publication}-${this.choice.task}`; }
  about() { return { publication: this.meta.publication, address: location.href, task: this.choice.task, source: this.choice.source }; }

  openLink() {
    this.writeAddress(true);
    const plain = location.href.split("#")[0];
    byId("link-field").value = `${plain}#${this.written}`;
    byId("embed-field").value = embedSnippet(`${plain}#${this.written}${this.written ? "&" : ""}view=figure`);
    byId("link-dialog").showModal();
  }

  // Written a moment after the last change: browsers limit how often an address may change.
  writeAddress(now = false) {
    this.written = writeAddress(this.choice, this.defaults());
    clearTimeout(this.writing);
    const write = () => { if (location.hash.slice(1) !== this.written) history.replaceState(null, "", `#${this.written}`); };
    if (now) write();
    else this.writing = setTimeout(write, 150);
  }
}

// The parts of a caption: a line each where the figure is narrow.
function inLines(caption) {
  return innerWidth < WIDE ? caption.split("; ") : caption;
}

// What stays when the task or the source changes.
function kept({ task, source, percentile, ttftPercentile, per, text, view }) {
  return { task, source, percentile, ttftPercentile, per, text, view: view === "figure" ? view : "" };
}

if (readData("meta-data").first.task) window.explorer = new Explorer();
