// The figure: Vega draws the specification scatter.vega.json; this file fills in rows, scales and colours.

const SHAPES = ["circle", "diamond", "square", "triangle-up", "cross"];
const CROWDED = 400, MOST_NAMED = 60;

const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A domain around values on a logarithmic axis.
function domainOf(values) {
  const positive = values.filter((value) => value > 0);
  return positive.length ? [minMax(positive)[0] / 1.15, minMax(positive)[1] * 1.15] : [1, 100];
}

function minMax(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) { if (value < low) low = value; if (value > high) high = value; }
  return [low, high];
}

// What is drawn. Least-energy view: the chosen configurations, and thinly the other batch sizes of their lines.
function drawnPoints(selection, scope, choice) {
  const { x, y } = selection;
  const chosen = [...selection.shown, ...selection.beyond].filter((row) => row[x] > 0 && row[y] > 0);
  const isChosen = new Set(chosen), front = new Set(selection.frontier);
  let drawn = chosen;
  if (choice.show === "least") {
    const lines = new Set(chosen.map(seriesOf));
    drawn = selection.filtered.filter((row) => row[x] > 0 && row[y] > 0 && lines.has(seriesOf(row)));
  }
  const named = choice.show === "least" ? isChosen : endsOfLines(drawn, y);
  const gpus = gpuColours(scope);
  return drawn.map((row) => ({
    id: row.leaderboard_id, x: row[x], y: row[y] * scope.prefix[y].factor, batch: row.batch_size, series: seriesOf(row),
    colour: gpus[row.gpu_model], shape: SHAPES[scope.precisions.indexOf(row.weight_precision) % SHAPES.length],
    chosen: isChosen.has(row), weight: front.has(row) ? 1 : 0, label: named.has(row) ? labelOf(row) : "",
  }));
}

const labelOf = (row) => `${modelName(row)}${row.num_gpus > 1 ? ` \u00b7 ${row.num_gpus}\u00d7` : ""}`;

// The lines through rising batch sizes, one after the other; a point without a place ends each.
function linesThrough(points) {
  const lines = new Map();
  for (const point of points) {
    if (!lines.has(point.series)) lines.set(point.series, []);
    lines.get(point.series).push(point);
  }
  return [...lines.values()].filter((line) => line.length > 1).flatMap((line) => {
    line.sort((a, b) => a.batch - b.batch);
    return [...line.map(({ x, y, colour, series }) => ({ x, y, colour, series })), { x: null, y: null, colour: line[0].colour, series: line[0].series }];
  });
}

// Of each line the point with the least energy; of each model where there are too many lines to name.
function endsOfLines(rows, y) {
  const ends = new Map();
  for (const row of rows) {
    const line = seriesOf(row);
    if (!ends.has(line) || row[y] < ends.get(line)[y]) ends.set(line, row);
  }
  return new Set(ends.size > MOST_NAMED ? leastPerModel(rows, y) : ends.values());
}

function gpuColours(scope) {
  return Object.fromEntries(scope.gpus.map((gpu) => [gpu, colourOf(scope.meta.colours[gpu] ?? "--ink")]));
}

// Vega needs a size before it has drawn: that of the figure's place in the page.
function sizeOf(place) {
  const width = Math.max(300, place.clientWidth);
  return { width, height: width < 560 ? 380 : 560 };
}

class Figure {
  // on: {hover(id), click(id), ceiling(name, value)}
  constructor(place, specification, on) {
    this.place = place;
    this.on = on;
    const { width, height } = sizeOf(place);
    const sized = { ...specification, width, height };
    this.view = new vega.View(vega.parse(sized, null, { ast: true }), { expr: vega.expressionInterpreter, renderer: "canvas", hover: true });
    this.view.addSignalListener("hovered", (_, point) => on.hover?.(point));
    this.view.addSignalListener("clicked", (_, point) => point && on.click?.(point.id));
    for (const name of ["ceilingX", "ceilingY"]) this.view.addSignalListener(name, (_, value) => { if (!this.quiet) on.ceiling?.(name, value); });
    this.ready = false;
  }

  // Draw these points. frontier: those that the band joins. strong: those that are not faint.
  // signals: words, domains and ceilings. Points that are drawn already (the very same list) stay.
  async draw(points, { frontier, strong }, signals) {
    const { view } = this;
    this.quiet = true;
    for (const [name, value] of Object.entries({ ...signals, ...themeSignals(), crowded: points.length > CROWDED })) view.signal(name, value);
    if (points !== this.points) view.data("points", points).data("lines", linesThrough(points));
    this.points = points;
    view.data("frontier", frontier).data("strong", strong);
    if (!this.ready) this.start();
    await view.runAsync();
    this.quiet = false;
  }

  // Takes the place of the picture that was there before the script.
  start() {
    this.place.replaceChildren();
    this.view.initialize(this.place);
    this.ready = true;
    new ResizeObserver(() => this.resize()).observe(this.place);
  }

  resize() {
    const { width, height } = sizeOf(this.place);
    if (width === this.view.width() && height === this.view.height()) return;
    this.view.width(width).height(height).runAsync();
  }

  // Pixels from the figure's corner.
  placeOf({ x, y }) {
    const [left, top] = this.view.origin();
    return [left + this.view.scale("x")(x), top + this.view.scale("y")(y)];
  }

  light(batch) { this.view.signal("litBatch", batch).runAsync(); }
  svg() { return this.view.toSVG(); }
  png() { return this.view.toImageURL("png", 2); }
}

function themeSignals() {
  return { ink: colourOf("--ink"), soft: colourOf("--soft"), line: colourOf("--line"), ground: colourOf("--ground") };
}
