// The form: ceilings as sliders with a number box, the other choices as radio buttons and checkboxes.

const STEPS = 1000;
const CEILINGS = ["latency", "ttft", "energy"];
const FILTER_TITLES = { gpu_model: "GPU model", num_gpus: "Number of GPUs", weight_precision: "Precision", weights: "Weights", runtime_version: "Runtime version", organisation: "Organisation" };

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
    for (const name of CEILINGS) this.connectCeiling(name);
    for (const [id, key] of [["percentile", "percentile"], ["ttft-percentile", "ttftPercentile"], ["per", "per"], ["source", "source"]])
      byId(id).addEventListener("change", (event) => change({ [key]: event.target.value }));
    byId("search").addEventListener("input", (event) => change({ text: event.target.value }));
    byId("tasks").addEventListener("change", (event) => change({ task: event.target.value, source: null }));
    byId("show").addEventListener("change", (event) => change({ show: event.target.value }));
    byId("reset").addEventListener("click", () => change("reset"));
  }

  connectCeiling(name) {
    byId(`${name}-slider`).addEventListener("input", (event) => this.change({ [name]: valueAt(Number(event.target.value), this.domains[name]) }));
    byId(`${name}-box`).addEventListener("change", (event) => {
      const typed = Number(event.target.value);
      this.change({ [name]: typed > 0 ? typed / this.factors[name] : null });
    });
  }

  // Make the form fit the rows of a task and source.
  fit(scope, choice) {
    const { meta } = this;
    byId("tasks").replaceChildren(...meta.tasks.filter(([task]) => scope.tasks.has(task)).map(([task, title]) =>
      element("label", {}, element("input", { type: "radio", name: "task", value: task, checked: task === choice.task }), element("span", {}, title))));
    byId("source").replaceChildren(...scope.sources.map((source) => element("option", { value: source }, source === "all" ? "Both (not comparable)" : meta.sources[source] ?? source)));
    byId("filters").replaceChildren(...FILTERS.map((key) => this.filter(key, scope)).filter(Boolean));
    byId("latency-title").textContent = scope.unit === "token" ? "Inter-token latency" : "Batch latency";
    byId("percentile").hidden = scope.unit !== "token";
    byId("latency-unit").textContent = scope.unit === "token" ? "ms" : "s";
    byId("energy-unit").textContent = "";
    byId("per").hidden = scope.unit !== "token";
    byId("ttft").hidden = !scope.filled.has("median_ttft_ms");
    byId("presets").replaceChildren(...(meta.presets[scope.unit] ?? []).map((most) =>
      element("button", { type: "button", onclick: () => this.change({ latency: most }) }, `${most} ${scope.unit === "token" ? "ms" : "s"}`)));
  }

  // A group of checkboxes; none where all rows are equal.
  filter(key, scope) {
    const values = scope.options[key];
    if (values.length < 2) return null;
    const boxes = values.map((value) => element("label", {},
      element("input", { type: "checkbox", name: key, value, onchange: () => this.collect(key) }), element("span", {}, optionTitle(key, value, this.meta))));
    return element("fieldset", { class: "chips" }, element("legend", {}, FILTER_TITLES[key]), element("div", {}, boxes));
  }

  collect(key) {
    const ticked = [...document.querySelectorAll(`#filters input[name="${key}"]:checked`)].map((box) => box.value);
    this.change({ filter: [key, ticked] });
  }

  // Show a choice. What the reader is typing stays as it is.
  show(choice, scope, selection) {
    const { unit } = scope;
    this.domains = { latency: scope.domain(latencyKey(unit, choice.percentile)), ttft: scope.domain(TTFT[choice.ttftPercentile]), energy: scope.domain(ENERGY[choice.per]) };
    const energy = scope.prefix[ENERGY[choice.per]];
    this.factors = { latency: 1, ttft: 1, energy: energy.factor };
    for (const name of CEILINGS) this.showCeiling(name, choice[name]);
    byId("energy-unit").textContent = choice.per === "output" ? `${energy.unit}/${unit}` : energy.unit;
    for (const [id, value] of [["percentile", choice.percentile], ["ttft-percentile", choice.ttftPercentile], ["per", choice.per], ["source", choice.source]]) byId(id).value = value;
    if (document.activeElement !== byId("search")) byId("search").value = choice.text;
    for (const box of document.querySelectorAll("#filters input")) box.checked = choice.filters[box.name].includes(box.value);
    for (const radio of document.querySelectorAll("#tasks input")) radio.checked = radio.value === choice.task;
    for (const radio of document.querySelectorAll("#show input")) radio.checked = radio.value === choice.show;
    byId("answer").replaceChildren(...answer(choice, scope, selection));
    byId("same").textContent = sameForAll(scope);
    byId("caution").hidden = choice.source !== "all";
  }

  showCeiling(name, most) {
    const slider = byId(`${name}-slider`), box = byId(`${name}-box`), factor = this.factors[name];
    slider.value = placeOf(most, this.domains[name]);
    slider.setAttribute("aria-valuetext", most === null ? "no ceiling" : `at most ${figures(most * factor)}`);
    if (document.activeElement !== box) box.value = most === null ? "" : String(Number((most * factor).toPrecision(4)));
  }
}

function optionTitle(key, value, meta) {
  if (key === "gpu_model") {
    const dot = element("i", { class: "dot" });
    dot.style.background = `var(${meta.colours[value] ?? "--ink"})`;
    return [dot, value === meta.noGpu ? "no GPU" : value];
  }
  return key === "runtime_version" && value === "null" ? "not stated" : value === "null" ? "unknown" : value;
}

// The sentence: how many models meet the ceilings, and which is the leanest.
function answer(choice, scope, { models, modelsMeeting, leanest, y }) {
  const limits = limitsInWords(choice, scope);
  const start = limits.length ? `${modelsMeeting} of ${counted(models, "model")} ${modelsMeeting === 1 ? "meets" : "meet"} ${limits.join(" and ")}.` : `${counted(models, "model")}.`;
  if (!leanest) return [start, modelsMeeting ? " Their energy was not measured." : ""];
  const { factor, unit } = scope.prefix[y];
  const per = y === ENERGY.output ? `per ${scope.unit}` : "per response";
  return [`${start} ${limits.length ? "The leanest of them" : "The leanest"} is `, element("strong", {}, modelName(leanest)),
    ` on ${gpuName(leanest)}${leanest.gpu_model === scope.meta.noGpu ? "" : ""}, batch size ${leanest.batch_size}: `, element("strong", {}, `${figures(leanest[y] * factor)}\u00a0${unit}`), ` ${per}.`];
}

function limitsInWords(choice, scope) {
  const { factor, unit } = scope.prefix[ENERGY[choice.per]];
  return [
    choice.latency !== null && (scope.unit === "token" ? `${choice.percentile} ITL \u2264 ${figures(choice.latency)} ms` : `batch latency \u2264 ${figures(choice.latency)} s`),
    choice.ttft !== null && `${choice.ttftPercentile} TTFT \u2264 ${figures(choice.ttft)} ms`,
    choice.energy !== null && `energy \u2264 ${figures(choice.energy * factor)} ${unit}${choice.per === "output" ? `/${scope.unit}` : " per response"}`,
  ].filter(Boolean);
}

// What is equal in every row is said once.
function sameForAll(scope) {
  const [first] = scope.rows;
  if (!first) return "";
  const said = {
    runtime_version: () => runtimeName(first), weight_precision: () => `${first.weight_precision} weights`, weights: () => `kind of weights: ${first.weights}`,
    length_control: () => `${first.length_control} lengths`, power_limit_watts: () => first.power_limit_watts && `power cap ${first.power_limit_watts} W`,
    request_set_id: () => first.data_source === "jouleboard" && `request set ${first.request_set_id}`, model_architecture: () => first.model_architecture,
  };
  const equal = Object.entries(said).filter(([key]) => first[key] !== undefined && !scope.varies.has(key)).map(([, words]) => words()).filter(Boolean);
  return equal.length ? `The same in every row: ${equal.join(", ")}.` : "";
}
