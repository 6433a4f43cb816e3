// The figure: Vega draws the specification scatter.vega.json; this file fills in rows, scales and colours.

const SHAPES = ["circle", "diamond", "square", "triangle-up", "cross"];
const BELOW = 90; // pixels of legend and buttons under the figure
const CROWDED = 400, MOST_NAMED = 60, NAMED_WHERE_NARROW = 6;

// Asked once per theme: to ask makes the browser work out the styles of the page.
const colours = new Map();
function colourOf(name) {
  const inTheme = `${name} ${isDark.matches}`;
  if (!colours.has(inTheme)) colours.set(inTheme, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return colours.get(inTheme);
}

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
  const wanted = choice.show === "least" ? isChosen : endsOfLines(drawn, y);
  const named = innerWidth < WIDE && wanted.size > NAMED_WHERE_NARROW ? front : wanted;
  const gpus = gpuColours(scope), { factor } = scope.prefix[y];
  const withoutAxis = ceilingsOf(choice, scope.unit).filter(({ key }) => key !== x && key !== y);
  return drawn.map((row) => ({
    id: row.leaderboard_id, x: row[x], y: row[y] * factor, late: !meets(row, withoutAxis), batch: row.batch_size, series: seriesOf(row),
    colour: gpus[row.gpu_model], shape: SHAPES[scope.precisions.indexOf(row.weight_precision) % SHAPES.length],
    chosen: isChosen.has(row), weight: front.has(row) ? 1 : 0, label: named.has(row) ? labelOf(row) : "",
  }));
}

const labelOf = (row) => `${modelName(row)}${row.num_gpus > 1 ? ` \u00b7 ${row.num_gpus}\u00d7` : ""}`;

// The lines through rising batch sizes (or `order`, where points have one), one after the other; a point without a
// place ends each.
function linesThrough(points) {
  const lines = new Map();
  for (const point of points) {
    if (!lines.has(point.series)) lines.set(point.series, []);
    lines.get(point.series).push(point);
  }
  return [...lines.values()].filter((line) => line.length > 1).flatMap((line) => {
    line.sort((a, b) => (a.order ?? a.batch) - (b.order ?? b.batch));
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

// Vega needs a size before it has drawn: that of the figure's place in the page. Beside a long form it is higher.
// Read when one of them changes only: reading makes the browser lay out the page.
function sizeOf(place) {
  const width = Math.max(300, place.clientWidth);
  const beside = width < 700 || place.id !== "figure" ? 0 : byId("form").offsetHeight - BELOW;
  return { width, height: width < 560 ? 380 : Math.min(Math.max(560, beside), 760) };
}

class Figure {
  // on: {hover(point), click(id), ceiling(name, value)}
  constructor(place, specification, on) {
    this.place = place;
    this.on = on;
    this.size = sizeOf(place);
    const sized = { ...specification, ...this.size };
    this.view = new vega.View(vega.parse(sized, null, { ast: true }), { expr: vega.expressionInterpreter, renderer: "canvas", hover: true });
    this.view.addSignalListener("hovered", (_, point) => on.hover?.(point));
    this.view.addSignalListener("clicked", (_, point) => point && !this.isCrowd && on.click?.(point.id));
    this.view.addSignalListener("litBatch", () => this.drawCrowd());
    for (const name of ["ceilingX", "ceilingY"]) this.view.addSignalListener(name, (_, value) => { if (!this.quiet) on.ceiling?.(name, value); });
    this.ready = false;
  }

  // Draw these points. frontier: those that the band joins. strong: those that are not faint.
  // signals: words, domains and ceilings. Points that are drawn already (the very same list) stay.
  async draw(points, { frontier, strong }, signals) {
    const { view, size: { width, height } } = this;
    this.quiet = true;
    view.width(width).height(height);
    for (const [name, value] of Object.entries({ ...signals, ...themeSignals(), crowded: points.length > CROWDED })) view.signal(name, value);
    this.signals = signals;
    if (points !== this.points || this.pinned !== signals.pinned) this.fill(points);
    view.data("frontier", frontier).data("strong", strong);
    if (!this.ready) this.start();
    await view.runAsync();
    this.drawCrowd();
    this.quiet = false;
  }

  // Share the points between Vega and the crowd.
  fill(points) {
    this.pinned = this.signals.pinned;
    this.isCrowd = points.length > MOST_MARKS;
    if (this.isCrowd) this.setData(points.filter((point) => this.isMark(point)), []);
    else if (points !== this.points) this.setData(points, points);
    this.points = points;
  }

  // Whether Vega draws the point although there is a crowd.
  isMark(point) {
    return point.weight || point.label || point.id === this.pinned;
  }

  setData(points, ofLines) {
    this.view.data("points", points).data("lines", linesThrough(ofLines));
  }

  drawCrowd() {
    if (!this.ready || !this.signals) return;
    const points = this.isCrowd ? this.points : [];
    this.crowd.draw(points, (point) => this.isMark(point), this.area(), this.signals, this.view.signal("litBatch"));
  }

  // Place and size of the plot inside the figure, in pixels.
  area() {
    const { view } = this;
    const [left, top] = view.origin();
    const [width, height] = [view.signal("width"), view.signal("height")];
    const { xDomain, yDomain } = this.signals;
    const ratio = devicePixelRatio || 1;
    const name = [left, top, width, height, xDomain, yDomain, ratio].join();
    return { left, top, width, height, xDomain, yDomain, ratio, name, whole: [this.size.width, this.size.height] };
  }

  // Takes the place of the picture that was there before the script.
  start() {
    this.place.replaceChildren();
    this.view.initialize(this.place);
    this.crowd = new Crowd(this.place, {
      hover: (point) => this.hoverCrowd(point),
      click: (point) => this.on.click?.(point.id),
    });
    this.ready = true;
    const observer = new ResizeObserver(() => this.resize());
    for (const part of [this.place, byId("form")]) observer.observe(part);
  }

  // The crowd has no lines of its own: that of the point under the pointer is drawn.
  hoverCrowd(point) {
    this.view.data("lines", point ? linesThrough(this.points.filter(({ series }) => series === point.series)) : []);
    this.view.signal("hovered", point).runAsync();
  }

  async resize() {
    const { width, height } = this.size = sizeOf(this.place);
    if (width === this.view.width() && height === this.view.height()) return;
    await this.view.width(width).height(height).runAsync();
    this.drawCrowd();
  }

  // Pixels from the figure's corner.
  placeOf({ x, y }) {
    const [left, top] = this.view.origin();
    return [left + this.view.scale("x")(x), top + this.view.scale("y")(y)];
  }

  light(batch) { this.view.signal("litBatch", batch).runAsync(); }
  svg() { return this.whole(() => this.view.toSVG()); }
  png() { return this.whole(() => this.view.toImageURL("png", 2)); }

  // A picture has the crowd as marks.
  async whole(picture) {
    if (!this.isCrowd) return picture();
    this.setData(this.points, this.points);
    await this.view.runAsync();
    const drawn = await picture();
    this.fill([...this.points]);
    await this.view.runAsync();
    return drawn;
  }
}

function themeSignals() {
  return { ink: colourOf("--ink"), soft: colourOf("--soft"), line: colourOf("--line"), ground: colourOf("--ground") };
}
