// Draws the figures of a reading again, so that they answer: what a point is, and other series or ceilings by choice.
// The page is whole without this: its figures stand there as SVG.
"use strict";

const NARROW = 720; // pixels of the screen; below it the figures have their narrow layout

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);

// The names and values of a mark, beside the pointer. They are text, whatever they contain.
function showTip(_, event, __, value) {
  tip.hidden = !value || typeof value !== "object";
  if (tip.hidden) return;
  tip.replaceChildren(...Object.entries(value).filter(([, text]) => text && text !== "null" && text !== "NaN%").map(([name, text]) => {
    const line = document.createElement("div"), label = document.createElement("span");
    label.textContent = `${name}: `;
    line.append(label, String(text));
    return line;
  }));
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const above = event.clientY + tip.offsetHeight + 20 > innerHeight;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${above ? event.clientY - tip.offsetHeight - 12 : event.clientY + 14}px`;
}

const CEILING_LINE = "line[stroke-dasharray='6,4']", REACH = 10;

// Where the plot of a mark is on the screen.
function plotAround(mark) {
  return mark.closest(".mark-group > g").querySelector("path.background").getBoundingClientRect();
}

// The value at a share of a logarithmic axis, to three digits; none at its end.
function valueAt(scale, share) {
  const [low, high] = scale.domain();
  return share > 0.98 ? null : Number((low * (high / low) ** Math.max(0, share)).toPrecision(3));
}

const tables = READING.tables.map(unpackRows);

// A specification with its rows; every drawing has its own, as Vega adds to them.
function withRows(specification) {
  const data = specification.data.map((entry) => (typeof entry.values === "number" ? { ...entry, values: tables[entry.values].map((row) => ({ ...row })) } : entry));
  return { ...specification, data };
}

class Figure {
  constructor(name, layouts) {
    this.name = name;
    this.layouts = layouts;
    this.figure = document.getElementById(name);
    this.place = this.figure.querySelector(".drawing");
    this.chosen = {};
    this.addControls(layouts.wide.usermeta?.controls ?? []);
    this.ceiling = layouts.wide.usermeta?.ceiling;
    if (this.ceiling) this.addCeiling(this.ceiling);
    this.catchDownloads();
  }

  async draw() {
    const layout = innerWidth < NARROW ? "narrow" : "wide";
    if (this.layout === layout) return;
    this.layout = layout;
    const specification = withRows(this.layouts[layout]);
    const view = new vega.View(vega.parse(specification, null, { ast: true }), { expr: vega.expressionInterpreter, renderer: "svg", hover: true });
    view.tooltip(showTip);
    for (const [parameter, value] of Object.entries(this.chosen)) view.signal(parameter, value);
    if (this.ceiling) view.signal("interactive", true);
    const drawn = document.createElement("div");
    await view.initialize(drawn).runAsync();
    if (this.layout !== layout) return view.finalize();
    this.view?.finalize();
    this.view = view;
    drawn.querySelector("svg").setAttribute("aria-hidden", "true"); // the place names the figure
    this.place.replaceChildren(drawn);
    this.figure.classList.add("drawn");
  }

  addControls(controls) {
    if (!controls.length) return;
    this.form().append(...controls.map((control) => this.control(control)));
  }

  form() {
    if (this.controls) return this.controls;
    this.controls = document.createElement("div");
    this.controls.className = "choices";
    this.place.before(this.controls);
    return this.controls;
  }

  // A ceiling is written into its field or dragged as a line of the figure; an empty field is none.
  addCeiling({ parameter, label }) {
    const field = document.createElement("label"), box = document.createElement("input");
    Object.assign(box, { type: "number", min: 0, step: "any", placeholder: "any", name: parameter });
    field.append(`${label} `, box);
    this.form().append(field);
    const set = (value) => this.choose(parameter, value > 0 ? value : null);
    box.addEventListener("input", () => set(Number(box.value)));
    this.place.addEventListener("pointermove", (event) => this.place.classList.toggle("over-ceiling", Boolean(this.ceilingAt(event))));
    this.place.addEventListener("pointerdown", (event) => {
      const line = this.ceilingAt(event);
      if (!line) return;
      event.preventDefault();
      const plot = plotAround(line);
      const drag = ({ clientX }) => {
        const value = valueAt(this.view.scale("x"), (clientX - plot.left) / plot.width);
        box.value = value ?? "";
        set(value);
      };
      const end = () => removeEventListener("pointermove", drag);
      addEventListener("pointermove", drag);
      addEventListener("pointerup", end, { once: true });
      addEventListener("pointercancel", end, { once: true });
    });
  }

  control({ parameter, label, options }) {
    const field = document.createElement("label"), select = document.createElement("select");
    field.append(`${label} `, select);
    select.name = parameter;
    select.append(...options.map(([, words]) => new Option(words)));
    const first = this.layouts.wide.signals.find(({ name }) => name === parameter).value;
    select.selectedIndex = options.findIndex(([value]) => value === first);
    select.addEventListener("change", () => this.choose(parameter, options[select.selectedIndex][0]));
    return field;
  }

  // The line of the ceiling that the pointer is at.
  ceilingAt({ clientX, clientY }) {
    return [...this.place.querySelectorAll(CEILING_LINE)].find((line) => {
      const { left, top, bottom } = line.getBoundingClientRect();
      return Math.abs(clientX - left) <= REACH && clientY >= top && clientY <= bottom;
    });
  }

  async choose(parameter, value) {
    this.chosen[parameter] = value;
    await this.draw();
    await this.view.signal(parameter, value).runAsync();
  }

  // The files beside the page have the first choice: another one is saved as it is shown.
  catchDownloads() {
    for (const link of this.figure.querySelectorAll("a[href$='.svg'], a[href$='.png']")) {
      link.addEventListener("click", async (event) => {
        if (!Object.keys(this.chosen).length) return;
        event.preventDefault();
        const svg = this.place.querySelector("svg"), name = link.getAttribute("href").split("/").pop();
        save(name.endsWith(".png") ? await pngOf(svg) : new Blob([standalone(svg)], { type: "image/svg+xml" }), name);
      });
    }
  }
}

window.reading = Object.entries(READING.figures).map(([name, layouts]) => new Figure(name, layouts));

// A figure is drawn when a reader comes near it.
const near = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) if (isIntersecting) reading.find(({ figure }) => figure === target).draw();
}, { rootMargin: "300px" });
for (const { figure } of reading) near.observe(figure);
addEventListener("resize", () => { for (const figure of reading) if (figure.view) figure.draw(); });
