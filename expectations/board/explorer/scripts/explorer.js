// The page: one choice, what it selects, and the parts that show it.

const MOST_COMPARED = 5;
const BY_ENERGY = "energy_per_output_joules";
const readData = (id) => JSON.parse(byId(id).textContent);
const isDark = matchMedia("(prefers-color-scheme: dark)");

class Explorer {
  constructor() {
    this.meta = readData("meta-data");
    this.packed = readData("leaderboard-data");
    this.specification = readData("figure-data");
    this.tasks = new Set(Object.keys(this.packed));
    this.unpacked = new Map();
    this.scopes = new Map();
    this.choice = this.completed(readAddress(location.hash || location.search));
    this.controls = new Controls(this.meta, (part) => this.change(part));
    this.figure = new Figure(byId("figure"), this.specification, {
      hover: (point) => this.pointAt(point),
      click: (id) => this.pin(id.slice(0, ID_DIGITS)),
      ceiling: (name, value) => this.dragged(name, value),
    });
    this.table = new Table(byId("table"), null, {
      tick: (id, ticked) => this.tick(id, ticked),
      sort: (sort) => this.sorted(sort),
      hover: (row) => this.figure.ready && this.figure.light(row ? row.batch_size : null),
    });
    this.connectPage();
    this.connectButtons();
    byId("form").disabled = false;
    this.show();
  }

  connectPage() {
    addEventListener("hashchange", () => {
      if (location.hash.slice(1) === this.written) return;
      this.choice = this.completed(readAddress(location.hash));
      this.fitted = null;
      this.show();
    });
    addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      if (byId("link-dialog").open) return;
      if (this.choice.view === "compare") this.change({ view: "", models: [] });
      else if (this.choice.pin) this.change({ pin: null });
    });
    isDark.addEventListener("change", () => this.show());
  }

  connectButtons() {
    const actions = {
      csv: () => this.save("csv", csvText(this.shownInOrder(), this.fileColumns()), "text/csv"),
      json: () => this.save("json", jsonText(this.shownInOrder(), this.fileColumns(), this.about()), "application/json"),
      svg: async () => this.save("svg", await this.figure.svg(), "image/svg+xml"),
      png: async () => this.save("png", bytesOf(await this.figure.png()), "image/png"),
      link: () => this.openLink(),
      "link-close": () => byId("link-dialog").close(),
      "copy-link": () => copy(byId("link-field")),
      "copy-embed": () => copy(byId("embed-field")),
      compare: () => this.change({ view: "compare", models: [] }),
      "compare-models": () => this.change({ view: "compare", models: modelsOf(this.tickedRows()) }),
      "compare-rows": () => this.change({ ticked: this.compared().map(idOf), models: [] }),
      "compare-none": () => this.change({ ticked: [] }),
      "compare-back": () => this.change({ view: "", models: [] }),
      "compare-svg": async () => this.save("svg", await this.comparison.svg(), "image/svg+xml", "-comparison"),
      "compare-png": async () => this.save("png", bytesOf(await this.comparison.png()), "image/png", "-comparison"),
      "compare-link": () => this.openLink(),
      "compare-csv": () => this.save("csv", csvText(this.compared(), this.comparedColumns()), "text/csv", "-comparison"),
      "columns-default": () => this.change({ columns: null }),
    };
    for (const [id, act] of Object.entries(actions)) byId(id).addEventListener("click", act);
    byId("compare-add").addEventListener("change", ({ target }) => this.change({ models: [...this.choice.models, target.value] }));
  }

  // A choice with every default filled in.
  completed(choice) {
    if (!this.tasks.has(choice.task)) choice.task = this.meta.first.task;
    const { sources } = this.scopeOf(choice.task, "all");
    if (!sources.includes(choice.source)) choice.source = sources[0];
    const { filled, options, rows } = this.scopeOf(choice.task, choice.source);
    if (!["least", "all"].includes(choice.show)) choice.show = filled.has(ENERGY.output) ? "least" : "all";
    if (!filled.has(choice.sort.replace(/^-/, ""))) choice.sort = "";
    for (const key of FILTERS) choice.filters[key] = choice.filters[key].filter((value) => options[key].includes(value));
    const models = new Set(rows.map((row) => row.model_id));
    choice.models = choice.models.filter((model) => models.has(model)).slice(0, MOST_COMPARED);
    return choice;
  }

  // What the address leaves out: the default choice of the task that is shown.
  defaults() {
    const choice = this.completed({ ...defaultChoice(), task: this.choice.task });
    return { ...choice, task: this.meta.first.task, sort: BY_ENERGY };
  }

  scopeOf(task, source) {
    const name = `${task} ${source}`;
    if (!this.scopes.has(name)) this.scopes.set(name, newScope(this.meta, this.rowsOf(task), source, this.tasks));
    return this.scopes.get(name);
  }

  rowsOf(task) {
    if (!this.unpacked.has(task)) this.unpacked.set(task, this.packed[task] ? unpackRows(this.packed[task]) : []);
    return this.unpacked.get(task);
  }

  // part: what changes of the choice; `filter`: a column and its values; "reset": everything but task and source.
  change(part) {
    const { task, source, ticked } = this.choice;
    if (part === "reset") this.choice = this.completed({ ...defaultChoice(), task, source, ticked });
    else if ("filter" in part) this.choice.filters[part.filter[0]] = part.filter[1];
    else if ("task" in part) this.choice = this.completed({ ...defaultChoice(), ...kept(this.choice), ...part });
    else this.choice = this.completed({ ...this.choice, ...part, ...("per" in part ? { energy: null } : {}) });
    this.show();
  }

  show() {
    const { choice } = this;
    const comparing = choice.view === "compare";
    this.scope = this.scopeOf(choice.task, choice.source);
    this.selection = select(this.scope, choice);
    if (this.fitted !== this.scope) this.controls.fit(this.scope, choice);
    this.fitted = this.scope;
    this.controls.show(choice, this.scope, this.selection);
    byId("explorer").hidden = comparing;
    byId("comparison").hidden = !comparing;
    document.body.classList.toggle("embedded", choice.view === "figure");
    this.drawing = comparing ? this.showComparison() : this.showExplorer();
    this.writeAddress();
  }

  async showExplorer() {
    const { choice, scope, selection } = this;
    const least = choice.show === "least" ? ", the least-energy one of each model" : "";
    byId("static")?.remove();
    byId("count").textContent = `${counted(selection.shown.length, "configuration")}${least}`;
    byId("nothing").hidden = selection.shown.length > 0;
    showTray(this.tickedRows(), choice.ticked);
    this.showPinned();
    this.showColumns();
    this.table.show(selection.shown, this.columns(), choice.sort || BY_ENERGY, choice.ticked, scope);
    await this.drawFigure();
  }

  async drawFigure() {
    const { choice, scope, selection } = this;
    const { x, y, frontier } = selection;
    const { factor } = scope.prefix[y];
    const points = this.points();
    byId("figure-block").hidden = points.length === 0;
    if (!points.length) return;
    const best = frontier.map((row) => ({ id: row.leaderboard_id, x: row[x], y: row[y] * factor }));
    byId("legend").replaceChildren(...legendOf(points, scope));
    await this.figure.draw(points, { frontier: best, strong: best }, {
      ...axesOf(points, selection, scope, choice.percentile),
      heading: headingOf(choice, scope.meta),
      caption: captionOf(choice, scope),
      ceilingX: choice.latency,
      ceilingY: choice.energy === null ? null : choice.energy * factor,
      pinned: this.rowWith(choice.pin)?.leaderboard_id ?? null,
    });
  }

  // With all configurations shown, a ceiling on an axis changes how points look, not which there are.
  points() {
    const { choice, scope, selection } = this;
    const { source, show, percentile, ttft, ttftPercentile, per, filters, text } = choice;
    const name = JSON.stringify([scope.rows.length, choice.task, source, percentile, ttft, ttftPercentile, per, filters, text, isDark.matches]);
    if (show !== "all" || name !== this.pointsName) this.pointsDrawn = drawnPoints(selection, scope, choice);
    this.pointsName = show === "all" && name;
    return this.pointsDrawn;
  }

  // A ceiling that was dragged in the figure; at the edge there is none.
  dragged(name, value) {
    const [low, high] = this.figure.view.signal(name === "ceilingX" ? "xDomain" : "yDomain");
    const factor = name === "ceilingX" ? 1 : this.scope.prefix[this.selection.y].factor;
    const most = value >= high * 0.995 ? null : Number((Math.max(low, value) / factor).toPrecision(3));
    this.change(name === "ceilingX" ? { latency: most } : { energy: most });
  }

  pointAt(point) {
    const row = point && this.scope.rows.find((one) => one.leaderboard_id === point.id);
    showTip(row ? point : null, row ? this.facts(row) : [], this.figure);
  }

  facts(row) { return factsOf(row, this.scope, this.selection, this.choice.percentile); }

  pin(id) { this.change({ pin: this.choice.pin === id ? null : id }); }

  showPinned() {
    const row = this.rowWith(this.choice.pin);
    const ticked = row && this.choice.ticked.includes(idOf(row));
    showPinned(row, row ? this.facts(row) : [], this.scope, ticked, {
      compare: () => this.tick(idOf(row), !ticked),
      unpin: () => this.change({ pin: null }),
    });
  }

  columns() {
    const known = this.choice.columns?.filter((key) => this.scope.filled.has(key) && key !== "nickname");
    return known?.length ? known : defaultColumns(this.scope, this.choice);
  }

  showColumns() {
    const shown = this.columns();
    const name = `${this.choice.task} ${this.choice.source} ${shown}`;
    if (this.columnsShown !== name) showColumns(this.scope, shown, () => this.change({ columns: columnsTicked(this.columns()) }));
    this.columnsShown = name;
  }

  sorted(sort) {
    if (sort === (this.choice.sort || BY_ENERGY)) return;
    this.choice.sort = sort;
    this.writeAddress();
  }

  tick(id, ticked) {
    const others = this.choice.ticked.filter((other) => other !== id);
    this.change({ ticked: ticked ? [...others, id].slice(-MOST_COMPARED) : others });
  }

  // id: the first digits of a row's.
  rowWith(id) {
    return (id && this.rowsOf(this.choice.task).find((row) => row.leaderboard_id.startsWith(id))) || null;
  }

  // What is compared: rows that were ticked, or one row per model.
  compared() {
    const { models, task, source } = this.choice;
    return models.length ? rowsOfModels(models, this.scopeOf(task, source), this.choice) : this.tickedRows();
  }

  tickedRows() {
    return this.choice.ticked.map((id) => this.rowWith(id)).filter(Boolean).slice(0, MOST_COMPARED);
  }

  async showComparison() {
    const { choice } = this;
    const isModels = choice.models.length > 0;
    const rows = this.compared();
    const scope = isModels ? this.scope : this.scopeOf(choice.task, "all");
    const axes = { x: latencyKey(scope.unit, choice.percentile), y: ENERGY.output };
    const names = [...new Set(rows.map(modelName))].join(" and ");
    byId("compare-title").textContent = `${taskName(this.meta, choice.task)}: ${names}`;
    byId("compare-unfair").textContent = [isModels && chosenInWords(rows, scope, choice), unfairness(rows)].filter(Boolean).join(" ");
    byId("cards").replaceChildren(...comparisonCards(rows, scope, isModels, (row) => this.uncompare(row)));
    byId("compare-table").replaceChildren(...comparisonTable(rows, scope));
    this.showComparisonControls(rows, scope, isModels);
    await this.drawComparison((isModels ? modelPoints : comparisonPoints)(rows, scope, axes.x, axes.y), axes, scope);
  }

  showComparisonControls(rows, scope, isModels) {
    byId("compare-few").hidden = rows.length > 1;
    byId("compare-few").textContent = isModels ? "Add one to four models to compare." : "Tick two to five rows of the explorer's table to compare them.";
    byId("compare-add").hidden = !isModels || rows.length >= MOST_COMPARED;
    byId("compare-add").replaceChildren(...modelsToAdd(rows, scope));
    byId("compare-rows").hidden = !isModels || rows.length < 2;
  }

  uncompare(row) {
    const { models } = this.choice;
    if (models.length > 1) this.change({ models: models.filter((model) => model !== row.model_id) });
    else if (models.length) this.change({ models: [], view: "" });
    else this.tick(idOf(row), false);
  }

  async drawComparison(points, axes, scope) {
    byId("compare-figure").hidden = points.length === 0;
    if (!points.length) return;
    const { models, task } = this.choice;
    const heading = models.length ? "The frontier of each model" : "The compared configurations and the other batch sizes of each";
    this.comparison ??= new Figure(byId("compare-figure"), this.specification, {});
    await this.comparison.draw(points, { frontier: [], strong: points.filter((point) => point.chosen) }, {
      ...axesOf(points, axes, scope, this.choice.percentile),
      heading: innerWidth < WIDE ? "" : heading,
      caption: inLines(`${taskName(this.meta, task)}; publication ${this.meta.publication}`),
      ceilings: false,
      ceilingX: models.length ? this.choice.latency : null,
      ceilingY: null,
      pinned: null,
    });
  }

  // The rows of the table, as it sorts them.
  shownInOrder() {
    const active = this.table.tabulator?.getData("active") ?? [];
    return active.length === this.selection.shown.length ? active : this.selection.shown;
  }

  fileColumns() { return fileColumns(this.columns()); }

  comparedColumns() {
    return fileColumns([...COMPARED_FIGURES, ...COMPARED_FACTS].filter((key) => this.scope.byKey[key]));
  }

  save(kind, content, type, what = "") {
    save(`jouleboard-${this.meta.publication}-${this.choice.task}${what}.${kind}`, content, type);
  }

  about() {
    const { task, source } = this.choice;
    return { publication: this.meta.publication, address: location.href, task, source };
  }

  openLink() {
    this.writeAddress();
    const page = location.href.split("#")[0];
    for (const id of ["embed-label", "copy-embed"]) byId(id).hidden = this.choice.view === "compare";
    byId("link-field").value = `${page}#${this.written}`;
    byId("embed-field").value = embedSnippet(`${page}#${this.written}${this.written ? "&" : ""}view=figure`);
    byId("link-dialog").showModal();
  }

  // Written a moment after the last change: browsers limit how often an address may change.
  writeAddress() {
    this.written = writeAddress(this.choice, this.defaults());
    clearTimeout(this.writing);
    this.writing = setTimeout(() => {
      if (location.hash.slice(1) !== this.written) history.replaceState(null, "", `#${this.written}`);
    }, 150);
  }
}

// What stays when the task changes.
function kept({ percentile, ttftPercentile, per, text, view }) {
  return { percentile, ttftPercentile, per, text, view: view === "figure" ? view : "" };
}

if (readData("meta-data").first.task) window.explorer = new Explorer();
