// The form: ceilings as sliders with a number box, the other choices as radio buttons and checkboxes.

const STEPS = 1000;
const CEILINGS = ["latency", "ttft", "energy"];
const SELECTS = { percentile: "percentile", "ttft-percentile": "ttftPercentile", per: "per", source: "source" };
const FILTER_TITLES = {
  tier: "Tier",
  gpu_model: "GPU model",
  num_gpus: "Number of GPUs",
  weight_precision: "Precision",
  weights: "Weights",
  runtime_version: "Runtime version",
  organisation: "Organisation",
};

// A slider's place on a logarithmic scale; at its right end there is no ceiling.
function placeOf(value, [low, high]) {
  return value === null ? STEPS : Math.round((STEPS - 1) * Math.log(value / low) / Math.log(high / low));
}

function valueAt(place, [low, high]) {
  return place >= STEPS ? null : Number((low * (high / low) ** (place / (STEPS - 1))).toPrecision(3));
}

class Controls {
  // change(part): called with the part of the choice that the reader changed.
  constructor(meta, change) {
    this.meta = meta;
    this.change = change;
    const on = (id, kind, act) => byId(id).addEventListener(kind, (event) => act(event.target.value));
    for (const name of CEILINGS) {
      on(`${name}-slider`, "input", (place) => change({ [name]: valueAt(Number(place), this.domains[name]) }));
      on(`${name}-box`, "change", (typed) => change({ [name]: this.ceilingTyped(name, Number(typed)) }));
    }
    for (const [id, key] of Object.entries(SELECTS)) on(id, "change", (value) => change({ [key]: value }));
    on("search", "input", (text) => change({ text }));
    on("tasks", "change", (task) => change({ task, source: null }));
    on("show", "change", (show) => change({ show }));
    byId("reset").addEventListener("click", () => change("reset"));
  }

  ceilingTyped(name, typed) {
    return typed > 0 ? typed / this.factors[name] : null;
  }

  // Make the form fit the rows of a task and source.
  fit(scope, choice) {
    const ofTokens = scope.unit === "token";
    byId("tasks").replaceChildren(...this.tasks(scope, choice));
    byId("source").replaceChildren(...scope.sources.map((source) => this.source(source)));
    byId("filters").replaceChildren(...FILTERS.map((key) => this.filter(key, scope)).filter(Boolean));
    byId("presets").replaceChildren(...this.presets(scope));
    byId("latency-title").textContent = ofTokens ? "Inter-token latency" : "Batch latency";
    byId("latency-unit").textContent = ofTokens ? "ms" : "s";
    byId("percentile").hidden = byId("per").hidden = !ofTokens;
    byId("ttft").hidden = !scope.filled.has("median_ttft_ms");
  }

  tasks(scope, choice) {
    return this.meta.tasks.filter(([task]) => scope.tasks.has(task)).map(([task, title]) =>
      labelled({ type: "radio", name: "task", value: task, checked: task === choice.task }, title));
  }

  source(source) {
    const title = source === "all" ? "All (not comparable)" : sourceTitle(this.meta, source);
    return element("option", { value: source }, title);
  }

  presets(scope) {
    const unit = scope.unit === "token" ? "ms" : "s";
    return (this.meta.presets[scope.unit] ?? []).map((most) =>
      element("button", { type: "button", onclick: () => this.change({ latency: most }) }, `${most} ${unit}`));
  }

  // A group of checkboxes; none where all rows are equal.
  filter(key, scope) {
    const values = scope.options[key];
    if (values.length < 2) return null;
    const boxes = values.map((value) =>
      labelled({ type: "checkbox", name: key, value, onchange: () => this.collect(key) }, optionTitle(key, value, this.meta)));
    return element("fieldset", { class: "chips" }, element("legend", {}, FILTER_TITLES[key]), element("div", {}, boxes));
  }

  collect(key) {
    const ticked = document.querySelectorAll(`#filters input[name="${key}"]:checked`);
    this.change({ filter: [key, [...ticked].map((box) => box.value)] });
  }

  // Show a choice. What the reader is typing stays as it is.
  show(choice, scope, selection) {
    const energy = scope.prefix[ENERGY[choice.per]];
    this.domains = {
      latency: scope.domain(latencyKey(scope.unit, choice.percentile)),
      ttft: scope.domain(TTFT[choice.ttftPercentile]),
      energy: scope.domain(ENERGY[choice.per]),
    };
    this.factors = { latency: 1, ttft: 1, energy: energy.factor };
    for (const name of CEILINGS) this.showCeiling(name, choice[name]);
    byId("energy-unit").textContent = choice.per === "output" ? `${energy.unit}/${scope.unit}` : energy.unit;
    for (const [id, key] of Object.entries(SELECTS)) byId(id).value = choice[key];
    if (document.activeElement !== byId("search")) byId("search").value = choice.text;
    for (const box of document.querySelectorAll("#filters input")) box.checked = choice.filters[box.name].includes(box.value);
    for (const radio of document.querySelectorAll("#tasks input")) radio.checked = radio.value === choice.task;
    for (const radio of document.querySelectorAll("#show input")) radio.checked = radio.value === choice.show;
    byId("answer").replaceChildren(...answer(choice, scope, selection));
    byId("same").textContent = sameForAll(scope);
    byId("caution").hidden = choice.source !== "all";
  }

  showCeiling(name, most) {
    const slider = byId(`${name}-slider`);
    const box = byId(`${name}-box`);
    const factor = this.factors[name];
    // Places that are closer than the digits of a value stay apart: the keyboard moves by one at a time.
    if (valueAt(Number(slider.value), this.domains[name]) !== most) slider.value = placeOf(most, this.domains[name]);
    slider.setAttribute("aria-valuetext", most === null ? "no ceiling" : `at most ${figures(most * factor)}`);
    if (document.activeElement !== box) box.value = most === null ? "" : String(Number((most * factor).toPrecision(4)));
  }
}

function labelled(input, title) {
  return element("label", {}, element("input", input), element("span", {}, title));
}

function optionTitle(key, value, meta) {
  if (key === "gpu_model") {
    const dot = element("i", { class: "dot" });
    dot.style.background = `var(${meta.colours[value] ?? "--ink"})`;
    return [dot, value === meta.noGpu ? "no GPU" : value];
  }
  if (value !== "null") return value;
  return key === "runtime_version" ? "not stated" : "unknown";
}
