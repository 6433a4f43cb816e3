// Thousands of points: drawn here, under Vega's canvas, which keeps those that have a name or are on the frontier.

const MOST_MARKS = 1500, REACH = 7;
const FAINT = 0.5, BEYOND = 0.1;

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
    if (points !== this.placed || area.name !== this.area) this.put(points, area);
    const context = this.sized(area);
    const { width, height } = this.canvas;
    const picture = context.createImageData(width, height);
    const over = (point) => (ceilingX !== null && point.x > ceilingX) || (ceilingY !== null && point.y > ceilingY);
    points.forEach((point, i) => {
      if (isMark(point)) return;
      const strength = over(point) ? BEYOND : lit === point.batch ? 1 : FAINT;
      blend(picture, this.stamp(point, area.ratio), Math.round(this.x[i] * area.ratio), Math.round(this.y[i] * area.ratio), strength);
    });
    context.putImageData(picture, 0, 0);
  }

  // Where each point is, in pixels.
  put(points, area) {
    const along = ([low, high]) => { const start = Math.log(low), all = Math.log(high) - start; return (value) => (Math.log(value) - start) / all; };
    const [right, up] = [along(area.xDomain), along(area.yDomain)];
    this.x = Float64Array.from(points, ({ x }) => area.left + area.width * right(x));
    this.y = Float64Array.from(points, ({ y }) => area.top + area.height * (1 - up(y)));
    this.placed = points;
    this.area = area.name;
  }

  sized({ whole: [width, height], ratio }) {
    const { canvas } = this;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    return canvas.getContext("2d");
  }

  // A point's picture, drawn once per colour and shape.
  stamp({ colour, shape }, ratio) {
    const name = `${colour} ${shape} ${ratio}`;
    this.stamps ??= {};
    return (this.stamps[name] ??= stampOf(colour, shape, ratio));
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

// The pixels of a point: places around its centre, and red, green, blue and opacity of each.
function stampOf(colour, shape, ratio) {
  const half = 3.3 * ratio, middle = Math.ceil(1.3 * half) + 1, edge = 2 * middle + 1;
  const context = element("canvas", { width: edge, height: edge }).getContext("2d");
  context.fillStyle = colour;
  context.translate(middle + 0.5, middle + 0.5);
  context.fill(outlineOf(shape, half));
  const { data } = context.getImageData(0, 0, edge, edge);
  const filled = Array.from({ length: edge * edge }, (_, i) => i).filter((i) => data[4 * i + 3]);
  return filled.map((i) => ({ x: i % edge - middle, y: Math.floor(i / edge) - middle, colour: data.slice(4 * i, 4 * i + 3), opacity: data[4 * i + 3] / 255 }));
}

// One point over what is there already. A canvas's own drawing takes four times as long for so many.
function blend({ data, width, height }, stamp, left, top, strength) {
  for (const pixel of stamp) {
    const x = left + pixel.x, y = top + pixel.y;
    if (x < 0 || y < 0 || x >= width || y >= height) continue;
    const at = 4 * (y * width + x), over = pixel.opacity * strength, under = data[at + 3] / 255 * (1 - over), whole = over + under;
    for (let part = 0; part < 3; part++) data[at + part] = (pixel.colour[part] * over + data[at + part] * under) / whole;
    data[at + 3] = 255 * whole;
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
