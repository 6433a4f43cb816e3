// Thousands of points: drawn here, under Vega's canvas, which keeps those that have a name or are on the frontier.

const MOST_MARKS = 1500, REACH = 7;
const FAINT = 0.5, BEYOND = 0.2; // opacity of a point; share of it beyond a ceiling

class Crowd {
  // on: {hover(point), click(point)}
  constructor(place, on) {
    this.points = [];
    this.under = null;
    this.canvas = element("canvas", { class: "crowd" });
    place.prepend(this.canvas);
    place.addEventListener("pointermove", (event) => this.hover(on, event));
    place.addEventListener("pointerleave", () => this.leave(on));
    place.addEventListener("click", (event) => { const point = this.near(event); if (point) on.click(point); });
  }

  // points: all; those with a true isMark are drawn by Vega. area: place and size of the plot in pixels, and
  // the domains of its axes. lit: batch size that stands out.
  draw(points, isMark, area, { ceilingX, ceilingY }, lit) {
    this.points = points;
    this.canvas.hidden = !points.length;
    if (!points.length) return;
    if (points !== this.placed || area.name !== this.area) this.put(points, area, isMark);
    const context = this.sized(area, this.canvas).getContext("2d");
    const mostX = ceilingX ?? Infinity, mostY = ceilingY ?? Infinity;
    this.show(context, this.within(area, mostX, mostY));
    if (lit === null || lit === undefined) return;
    context.drawImage(this.paint(area, (point) => point.batch === lit && !point.late && point.x <= mostX && point.y <= mostY && !isMark(point), 1), 0, 0);
  }

  // The picture of all points: as it is within the ceilings, faint beyond. A ceiling that moves paints no point again.
  show(context, [left, top, width, height]) {
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.globalAlpha = BEYOND;
    context.drawImage(this.picture, 0, 0);
    context.globalAlpha = 1;
    if (width <= 0 || height <= 0) return;
    context.clearRect(left, top, width, height);
    context.drawImage(this.picture, left, top, width, height, left, top, width, height);
  }

  // Left, top, width and height, in pixels of the canvas, of what is within the ceilings.
  within(area, mostX, mostY) {
    const { width, height } = this.canvas;
    const right = mostX === Infinity ? width : Math.min(width, Math.ceil(this.across(mostX) * area.ratio));
    const top = mostY === Infinity ? 0 : Math.max(0, Math.floor(this.down(mostY) * area.ratio));
    return [0, top, right, height - top];
  }

  // A canvas with those points that pass; faint those over a ceiling that is on no axis.
  paint(area, passes, strength) {
    const canvas = this.sized(area, element("canvas"));
    const context = canvas.getContext("2d");
    const picture = context.createImageData(canvas.width, canvas.height);
    for (let i = 0; i < this.points.length; i++) {
      const point = this.points[i];
      if (passes(point)) blend(picture, this.stamps[i], Math.round(this.x[i] * area.ratio), Math.round(this.y[i] * area.ratio), point.late ? strength * BEYOND : strength);
    }
    context.putImageData(picture, 0, 0);
    return canvas;
  }

  // Where each point is, in pixels, its shape, and the picture of all.
  put(points, area, isMark) {
    const along = ([low, high]) => { const start = Math.log(low), all = Math.log(high) - start; return (value) => (Math.log(value) - start) / all; };
    const [right, up] = [along(area.xDomain), along(area.yDomain)];
    this.across = (x) => area.left + area.width * right(x);
    this.down = (y) => area.top + area.height * (1 - up(y));
    this.x = new Float64Array(points.length);
    this.y = new Float64Array(points.length);
    for (let i = 0; i < points.length; i++) [this.x[i], this.y[i]] = [this.across(points[i].x), this.down(points[i].y)];
    this.stamps = points.map((point) => this.stamp(point, area.ratio));
    this.picture = this.paint(area, (point) => !isMark(point), FAINT);
    this.placed = points;
    this.area = area.name;
  }

  sized({ whole: [width, height], ratio }, canvas) {
    if (canvas.width === Math.round(width * ratio) && canvas.height === Math.round(height * ratio)) return canvas;
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    return canvas;
  }

  // A point's picture, drawn once per colour and shape.
  stamp({ colour, shape }, ratio) {
    if (this.drawnFor !== ratio) [this.drawnFor, this.drawn] = [ratio, {}];
    const shapes = (this.drawn[colour] ??= {});
    return (shapes[shape] ??= stampOf(colour, shape, ratio));
  }

  near(event) {
    if (!this.points.length) return null;
    const box = this.canvas.getBoundingClientRect();
    const left = event.clientX - box.left, top = event.clientY - box.top;
    let nearest = null, least = REACH * REACH;
    for (let i = 0; i < this.points.length; i++) {
      const distance = (this.x[i] - left) ** 2 + (this.y[i] - top) ** 2;
      if (distance < least) { least = distance; nearest = this.points[i]; }
    }
    return nearest;
  }

  hover(on, event) {
    const point = event.buttons ? null : this.near(event);
    if (point !== this.under) on.hover(point);
    this.under = point;
  }

  leave(on) {
    if (this.under) on.hover(null);
    this.under = null;
  }
}

// The pixels of a point, four numbers each: place right of and below its centre, opacity. One colour for all.
function stampOf(colour, shape, ratio) {
  const half = 3.3 * ratio, middle = Math.ceil(1.3 * half) + 1, edge = 2 * middle + 1;
  const context = element("canvas", { width: edge, height: edge }).getContext("2d");
  context.fillStyle = colour;
  context.translate(middle + 0.5, middle + 0.5);
  context.fill(outlineOf(shape, half));
  const { data } = context.getImageData(0, 0, edge, edge);
  const filled = Array.from({ length: edge * edge }, (_, i) => i).filter((i) => data[4 * i + 3]);
  const centre = 4 * (edge * middle + middle);
  return {
    middle,
    right: Int16Array.from(filled, (i) => i % edge - middle),
    down: Int16Array.from(filled, (i) => Math.floor(i / edge) - middle),
    opacity: Float64Array.from(filled, (i) => data[4 * i + 3] / 255),
    colour: [data[centre], data[centre + 1], data[centre + 2]],
  };
}

// One point over what is there already. A canvas's own drawing takes ten times as long for so many.
function blend({ data, width, height }, { middle, right, down, opacity, colour: [red, green, blue] }, left, top, strength) {
  const isInside = left >= middle && top >= middle && left < width - middle && top < height - middle;
  for (let i = 0; i < right.length; i++) {
    const x = left + right[i], y = top + down[i];
    if (!isInside && (x < 0 || y < 0 || x >= width || y >= height)) continue;
    const at = 4 * (y * width + x), over = opacity[i] * strength, under = data[at + 3] / 255 * (1 - over);
    const share = over / (over + under);
    data[at] += (red - data[at]) * share;
    data[at + 1] += (green - data[at + 1]) * share;
    data[at + 2] += (blue - data[at + 2]) * share;
    data[at + 3] = 255 * (over + under);
  }
}

function outlineOf(shape, half) {
  const outline = new Path2D();
  const corners = {
    diamond: [[0, -1.2], [0.8, 0], [0, 1.2], [-0.8, 0]],
    square: [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
    "triangle-up": [[0, -1], [1, 0.9], [-1, 0.9]],
    cross: [[-0.35, -1], [0.35, -1], [0.35, -0.35], [1, -0.35], [1, 0.35], [0.35, 0.35], [0.35, 1], [-0.35, 1], [-0.35, 0.35], [-1, 0.35], [-1, -0.35], [-0.35, -0.35]],
  }[shape];
  if (!corners) outline.arc(0, 0, half, 0, 2 * Math.PI);
  else corners.forEach(([x, y], i) => outline[i ? "lineTo" : "moveTo"](x * half, y * half));
  outline.closePath();
  return outline;
}
