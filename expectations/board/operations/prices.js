"use strict";
// The price of a request from a published list: the same sums as expectations/prices/request.py, in the same digits.

const STEPS = 200, PLACES = 1000, DIGITS = 4, JOULES_PER_KWH = 3.6e6;

/** [joules, seconds] of a decode step, linear between the measured batch sizes. */
function step(list, batch) {
  const steps = list.steps;
  if (batch <= steps[0][0]) return steps[0].slice(1);
  for (let i = 1; i < steps.length; i += 1) {
    const [low, ...from] = steps[i - 1], [high, ...to] = steps[i];
    if (batch <= high) return from.map((value, what) => value + (to[what] - value) / (high - low) * (batch - low));
  }
  return steps.at(-1).slice(1);
}

/** [joules, seconds] of the prompt and of the answer of one request. */
function spent(list, prompt, answer, batch) {
  const decoded = answer - 1, cost = step(list, batch);
  return [0, 1].map((what) => [
    list.prefill[what] * prompt + list.pair[what] * prompt ** 2 / 2,
    cost[what] * decoded / batch + list.context[what] * decoded * (prompt + 1 + decoded / 2),
  ]);
}

/** The price of a request at a load, or {problem}. */
function priceOf(list, prompt, answer, load) {
  const longest = list.longestContext;
  if (!(prompt >= list.shortestPrompt && prompt <= list.longestPrompt))
    return {problem: `Prompts of ${list.shortestPrompt} to ${list.longestPrompt} tokens were measured; there is no price.`};
  if (!(answer >= 1) || prompt + answer > longest)
    return {problem: `At most ${longest} tokens of prompt and answer together were measured; there is no price.`};
  const smallest = list.steps[0][0], largest = list.steps.at(-1)[0];
  const sizes = Array.from({length: STEPS}, (_, i) => smallest * (largest / smallest) ** (i / (STEPS - 1)));
  const all = sizes.map((size) => spent(list, prompt, answer, size));
  const rates = [];
  for (const [, [read, written]] of all) rates.push(Math.max(rates.at(-1) ?? 0, 1 / (read + written)));
  const wanted = load * rates.at(-1);
  if (wanted < rates[0] && smallest > 1)
    return {problem: `Fewer than ${smallest} answers in flight were not measured; at these lengths choose a load of at least ${Math.ceil(100 * rates[0] / rates.at(-1))} %.`};
  const place = rates.findIndex((rate) => rate >= wanted), [[prefill, decode]] = all[place];
  const idleSeconds = Math.max(0, 1 / wanted - 1 / rates[0]), idle = idleSeconds * list.idleWatts;
  const joules = prefill + decode + idle, inFlight = sizes[place];
  const interval = intervalOf(list.bounds, prompt, answer, inFlight, idleSeconds);
  return {joules, interval, prefill, decode, idle, inFlight, rate: wanted, perKwh: JOULES_PER_KWH / joules};
}

/** [low, high] at a place of [where, low, high]: linear between two, and `beyond` for each unit after the last. */
function endsAt(places, where, beyond) {
  const next = places.findIndex(([place]) => place >= where);
  if (next === 0) return places[0].slice(1);
  if (next < 0) return places.at(-1).slice(1).map((end, i) => end + (where - places.at(-1)[0]) * beyond[i]);
  const [[from, ...low], [to, ...high]] = [places[next - 1], places[next]];
  return low.map((end, i) => end + (high[i] - end) * (where - from) / (to - from));
}

/** 95 % interval of a whole request, as expectations/prices/bounds.py has it; null where it is not known. */
function intervalOf(bounds, prompt, answer, batch, idleSeconds) {
  if (!bounds || (idleSeconds > 0 && !bounds.idle)) return null;
  const decoded = answer - 1, held = prompt + 1 + decoded / 2, sizes = bounds.decode;
  const above = Math.min(Math.max(sizes.findIndex(([size]) => size >= batch), 1), sizes.length - 1);
  const [[small, less], [large, more]] = [sizes[above - 1], sizes[above]], share = (batch - small) / (large - small);
  const token = endsAt(bounds.prompt, prompt, bounds.pair.map((end) => end / 2));
  const low = endsAt(less, held, bounds.context), high = endsAt(more, held, bounds.context);
  return token.map((end, i) => prompt * end
    + decoded * ((1 - share) * small / batch * low[i] + share * large / batch * high[i]) + idleSeconds * (bounds.idle?.[i] ?? 0));
}

/** Four significant digits, without an exponent. */
function digits(value) {
  if (value === 0) return "0";
  return value.toFixed(Math.max(0, DIGITS - 1 - Math.floor(Math.log10(Math.abs(value)))));
}

const find = (id) => document.getElementById(id);
const part = {prefill: "prompt", decode: "answer", idle: "idle"};

class Page {
  constructor() {
    for (const [i, list] of priceLists.entries()) find("list").add(new Option(list.name, String(i)));
    for (const id of ["list-row", "list-label"]) find(id).hidden = priceLists.length < 2;
    this.read();
    for (const name of ["prompt", "answer"]) {
      find(`${name}-slider`).addEventListener("input", (event) => {
        find(name).value = this.length(name, Number(event.target.value));
        this.show();
      });
      find(name).addEventListener("input", () => { this.place(name); this.show(); });
    }
    for (const name of ["list", "load"]) find(name).addEventListener("change", () => { this.places(); this.show(); });
    find("calculator").hidden = false;
    this.places();
    this.show();
  }

  get list() { return priceLists[Number(find("list").value)]; }

  /** Ends of a slider, tokens; it is logarithmic. */
  ends(name) {
    const list = this.list;
    return name === "prompt" ? [list.shortestPrompt, list.longestPrompt] : [1, list.longestContext - list.shortestPrompt];
  }

  length(name, place) {
    const [low, high] = this.ends(name);
    return String(Math.round(low * (high / low) ** (place / PLACES)));
  }

  place(name) {
    const [low, high] = this.ends(name), value = Math.min(high, Math.max(low, Number(find(name).value) || low));
    find(`${name}-slider`).value = String(Math.round(PLACES * Math.log(value / low) / Math.log(high / low)));
  }

  places() { for (const name of ["prompt", "answer"]) this.place(name); }

  read() {
    const kept = new URLSearchParams(location.hash.slice(1));
    for (const name of ["prompt", "answer"]) if (/^\d{1,7}$/.test(kept.get(name) ?? "")) find(name).value = kept.get(name);
    if ([...find("load").options].some((option) => option.value === kept.get("load"))) find("load").value = kept.get("load");
    const place = priceLists.findIndex((list) => list.id === kept.get("list"));
    if (place >= 0) find("list").value = String(place);
  }

  show() {
    const list = this.list, prompt = Number(find("prompt").value), answer = Number(find("answer").value);
    const load = Number(find("load").value), price = priceOf(list, prompt, answer, load);
    for (const name of ["prompt", "answer"]) find(`${name}-slider`).setAttribute("aria-valuetext", `${find(name).value} tokens`);
    find("problem").textContent = price.problem ?? "";
    find("priced").hidden = Boolean(price.problem);
    find("off").textContent = `${list.proofs} measured loads that it was not fitted to are missed by at most ${(100 * list.error).toFixed(1)} %.`;
    if (!price.problem) {
      find("joules").textContent = digits(price.joules);
      find("interval").textContent = price.interval ? price.interval.map(digits).join(" to ") : "-";
      for (const name of ["prefill", "decode", "idle", "inFlight", "rate", "perKwh"]) find(name).textContent = digits(price[name]);
      this.bars(list, prompt, answer, load);
    }
    const kept = new URLSearchParams({prompt: String(prompt), answer: String(answer), load: find("load").value, list: list.id});
    history.replaceState(null, "", `#${kept}`);
  }

  /** The request at every load of the page, its parts side by side. */
  bars(list, prompt, answer, chosen) {
    const loads = [...find("load").options].map((option) => Number(option.value));
    const prices = loads.map((load) => priceOf(list, prompt, answer, load));
    const most = Math.max(...prices.map((price) => price.joules ?? 0));
    find("bars").replaceChildren(...prices.map((price, i) => {
      const row = document.createElement("tr"), name = document.createElement("th"), cell = document.createElement("td");
      name.scope = "row";
      name.textContent = `${Math.round(100 * loads[i])} %`;
      row.classList.toggle("chosen", loads[i] === chosen);
      const text = document.createElement("td");
      text.className = "number";
      text.textContent = price.problem ? "not measured" : digits(price.joules);
      const bar = document.createElement("div");
      bar.className = "bar";
      if (!price.problem) for (const [key, label] of Object.entries(part)) {
        const piece = document.createElement("i");
        piece.className = key;
        piece.style.width = `${100 * price[key] / most}%`;
        piece.title = `${label}: ${digits(price[key])} J`;
        bar.append(piece);
      }
      cell.append(bar);
      row.append(name, cell, text);
      return row;
    }));
  }
}

if (typeof document !== "undefined") window.pricePage = new Page();
