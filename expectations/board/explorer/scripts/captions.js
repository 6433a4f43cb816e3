// What the figure says besides its points: axes, title, caption, legend.

// Domains, titles and units of the axes. points: what is drawn; x, y: their columns.
function axesOf(points, { x, y }, scope, percentile) {
  const ofTokens = scope.unit === "token";
  const { unit } = scope.prefix[y];
  const per = y === ENERGY.output ? scope.unit : "response";
  return {
    xUnit: ofTokens ? "ms" : "s",
    yUnit: y === ENERGY.output ? `${unit}/${scope.unit}` : unit,
    xDomain: domainOf(points.map((point) => point.x)),
    yDomain: domainOf(points.map((point) => point.y)),
    xTitle: ofTokens ? `ITL ${percentile}, ms (log scale)` : "Batch latency, s (log scale)",
    yTitle: `Energy, ${unit} per ${per} (log scale)`,
  };
}

const taskName = (meta, task) => meta.tasks.find(([id]) => id === task)?.[1] ?? task;

function headingOf(choice, meta) {
  const name = taskName(meta, choice.task);
  return innerWidth < WIDE ? name : `${name}: energy and latency`;
}

// Source, choice, ceilings and publication: a figure that is taken away carries them along.
function captionOf(choice, scope) {
  const { meta } = scope;
  const source = choice.source === "all" ? "Several sources, not comparable" : sourceTitle(meta, choice.source);
  const what = choice.show === "least" ? "each model's configuration with the least energy" : "all configurations";
  const limits = limitsInWords(choice, scope).join(" and ");
  return inLines([source, what, limits, `publication ${meta.publication}`].filter(Boolean).join("; "));
}

// The parts of a caption: a line each where the figure is narrow.
function inLines(caption) {
  return innerWidth < WIDE ? caption.split("; ") : caption;
}

// The GPU models and precisions that are drawn, as elements.
function legendOf(points, scope) {
  const drawn = new Set(points.map((point) => point.colour));
  const shapes = new Set(points.map((point) => point.shape));
  const colours = gpuColours(scope);
  const gpus = scope.gpus.filter((gpu) => drawn.has(colours[gpu])).map((gpu) => gpuMark(gpu, colours[gpu], scope.meta));
  return shapes.size < 2 ? gpus : [...gpus, ...scope.precisions.map(precisionMark).filter(([shape]) => shapes.has(shape)).map(([, mark]) => mark)];
}

function gpuMark(gpu, colour, meta) {
  const dot = element("i");
  dot.style.background = colour;
  return element("span", {}, dot, gpu === meta.noGpu ? "no GPU" : gpu);
}

const SIGNS = { circle: "\u25cf", diamond: "\u25c6", square: "\u25a0", "triangle-up": "\u25b2", cross: "\u271a" };

function precisionMark(precision, place) {
  const shape = SHAPES[place % SHAPES.length];
  return [shape, element("span", {}, `${SIGNS[shape]} ${precision}`)];
}
