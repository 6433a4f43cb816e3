// Every figure of a page as PNG, and those that are no files as SVG. A picture is made here, of what is shown:
// nothing is fetched, so it works from a folder. Without this script the page lacks only these buttons.
"use strict";

const STYLES = [
  "fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity",
  "font-family", "font-size", "font-weight", "text-anchor",
];
const PIXELS = 2; // of the picture per pixel of the figure

// The figure as a text of its own: every style beside its element, on the page's ground.
function standalone(figure) {
  const copy = figure.cloneNode(true);
  const [width, height] = sizeOf(figure);
  const parts = copy.querySelectorAll("*");
  figure.querySelectorAll("*").forEach((part, place) => {
    const style = getComputedStyle(part);
    for (const name of STYLES) parts[place].style.setProperty(name, style.getPropertyValue(name));
  });
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  ground.setAttribute("width", "100%");
  ground.setAttribute("height", "100%");
  ground.setAttribute("fill", getComputedStyle(document.body).backgroundColor);
  copy.prepend(ground);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.removeAttribute("class");
  return new XMLSerializer().serializeToString(copy);
}

function sizeOf(figure) {
  const { width, height } = figure.viewBox.baseVal;
  return [width, height];
}

async function pngOf(figure) {
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(standalone(figure))}`;
  await picture.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = sizeOf(figure).map((pixels) => Math.round(pixels * PIXELS));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function save(content, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function button(text, label, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "take";
  made.textContent = text;
  made.setAttribute("aria-label", `${text}: ${label}`);
  made.addEventListener("click", act);
  return made;
}

const plain = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 80);

// A figure with an SVG file and no PNG file beside it: a button after the link to the file.
for (const link of document.querySelectorAll("figcaption a[download][href$='.svg']")) {
  if (link.parentElement.querySelector("a[href$='.png']")) continue;
  const figure = link.closest("figure").querySelector("svg");
  const name = link.getAttribute("href").split("/").pop().replace(/svg$/, "png");
  link.after(" ", button("PNG", name, async () => save(await pngOf(figure), name)));
}

// A small picture of a row's evidence.
for (const figure of document.querySelectorAll("svg.picture")) {
  const label = figure.getAttribute("aria-label"), name = plain(`${document.title} ${label}`);
  const buttons = document.createElement("p");
  buttons.append(
    button("SVG", label, () => save(new Blob([standalone(figure)], { type: "image/svg+xml" }), `${name}.svg`)), " ",
    button("PNG", label, async () => save(await pngOf(figure), `${name}.png`)));
  figure.after(buttons);
}
