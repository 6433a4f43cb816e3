// A reader's choice as the part of the address behind `#`, and back. Only what differs from the defaults is written.

const FILTER_NAMES = { gpu_model: "gpu", num_gpus: "gpus", weight_precision: "precision", weights: "weights", runtime_version: "version", organisation: "organisation" };
const ID_DIGITS = 12;

function defaultChoice() {
  return {
    task: null, source: null, show: null, percentile: "p50", latency: null, ttft: null, ttftPercentile: "p50", energy: null, per: "output",
    filters: Object.fromEntries(FILTERS.map((key) => [key, []])), text: "", columns: null, sort: "", pin: null, ticked: [], models: [], view: "",
  };
}

const PLAIN = {
  task: "task", source: "source", show: "show", percentile: "percentile", ttftPercentile: "ttft-percentile", per: "per", text: "text", sort: "sort", pin: "pin", view: "view",
};
const NUMBERS = { latency: "latency", ttft: "ttft", energy: "energy" };
const LISTS = { columns: "columns", ticked: "ticked" };

function readAddress(text) {
  const choice = defaultChoice(), given = new URLSearchParams(text.replace(/^[#?]/, ""));
  for (const [key, name] of Object.entries(PLAIN)) if (given.get(name)) choice[key] = given.get(name);
  for (const [key, name] of Object.entries(NUMBERS)) if (Number(given.get(name)) > 0) choice[key] = Number(given.get(name));
  for (const [key, name] of Object.entries(LISTS)) if (given.get(name)) choice[key] = given.get(name).split(",");
  for (const [key, name] of Object.entries(FILTER_NAMES)) choice.filters[key] = given.getAll(name);
  choice.models = [...new Set(given.getAll("model"))];
  if (!Object.hasOwn(ITL, choice.percentile)) choice.percentile = "p50";
  if (!Object.hasOwn(TTFT, choice.ttftPercentile)) choice.ttftPercentile = "p50";
  if (!Object.hasOwn(ENERGY, choice.per)) choice.per = "output";
  return choice;
}

// defaults: the choice of a page without an address, for this task.
function writeAddress(choice, defaults) {
  const written = new URLSearchParams();
  for (const [key, name] of Object.entries(PLAIN)) if (choice[key] && choice[key] !== defaults[key]) written.set(name, choice[key]);
  for (const [key, name] of Object.entries(NUMBERS)) if (choice[key] !== null) written.set(name, String(choice[key]));
  for (const [key, name] of Object.entries(LISTS)) if (choice[key]?.length) written.set(name, choice[key].join(","));
  for (const [key, name] of Object.entries(FILTER_NAMES)) for (const value of choice.filters[key]) written.append(name, value);
  for (const model of choice.models) written.append("model", model);
  return written.toString();
}
