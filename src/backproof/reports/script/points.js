/* ---- points: one per cell; a rectangle that is dragged over them becomes a filter ---- */

const MOST_IN_SVG = 3000;
const OTHER_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000"]; // Okabe and Ito's
const SHAPES = [
  (x, y) => `M${x - 3.2} ${y}a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0z`,
  (x, y) => `M${x - 3} ${y - 3}l6 6m0 -6l-6 6`,
  (x, y) => `M${x - 2.8} ${y - 2.8}h5.6v5.6h-5.6z`,
  (x, y) => `M${x} ${y - 3.8}l3.8 3.8l-3.8 3.8l-3.8 -3.8z`,
  (x, y) => `M${x} ${y - 3.6}l3.4 6h-6.8z`,
  (x, y) => `M${x} ${y + 3.6}l3.4 -6h-6.8z`,
  (x, y) => `M${x - 3.6} ${y}h7.2m-3.6 -3.6v7.2`,
  (x, y) => `M${x - 3.6} ${y}l6 -3.4v6.8z`,
];

/** The groups of cells that have one colour: words, colour and shape, by a column. */
function groupsOf(column, cells) {
  const codes = inOrder(
    column,
    Int32Array.from(cells, (i) => column.codes[i]),
  );
  const known = data.categories[column.name]?.list,
    names = (code) => (code < 0 ? NOTHING : label(column, column.distinct[code]));
  if (known)
    codes.sort((a, b) => known.findIndex((c) => c.name === names(a)) - known.findIndex((c) => c.name === names(b)));
  return new Map(
    codes.map((code, k) => [
      code,
      {
        words: known ? names(code) : valueLabel(column.name, code),
        colour: known?.find((c) => c.name === names(code))?.colour || OTHER_COLOURS[k % OTHER_COLOURS.length],
        shape: SHAPES[k % SHAPES.length],
      },
    ]),
  );
}

function drawPoints(figure, spec, cells, room) {
  const x = byName.get(spec.x),
    y = byName.get(spec.y),
    by = byName.get(spec.colour) || verdict;
  const shown = cells.filter((i) => status.at(i) === "ok" && measuredIn(x, i) && measuredIn(y, i));
  if (!shown.length) return { problem: "No cell with both " + x.name + " and " + y.name + " is shown." };
  const W = Math.min(Math.max(room, 300), 720),
    H = Math.round(Math.min(W * 0.62, 420)),
    [l, r, t, b] = [64, 14, 12, 44];
  const across = new Scale(x, shown, [l, W - r], spec.scale),
    up = new Scale(y, shown, [H - b, t], spec.scale),
    groups = groupsOf(by, [...figure.cells(false)]);
  const marks = [];
  for (const i of shown) {
    const px = across.of(i),
      py = up.of(i);
    if (!Number.isNaN(px) && !Number.isNaN(py)) marks.push([i, px, py, groups.get(by.codes[i])]);
  }
  marks.sort((a, b) => scrambled(a[0]) - scrambled(b[0])); // so that no group lies upon all others
  const body = svg("g", {}, ...axesOf(across, up, headingOf(x.name), headingOf(y.name), [l, r, t, b], W, H));
  const asPaths = () =>
    [...groups.values()].map((g) =>
      svg("path", {
        d: marks
          .filter((m) => m[3] === g)
          .map((m) => g.shape(round1(m[1]), round1(m[2])))
          .join(""),
        fill: g.colour,
        stroke: g.colour,
        "fill-opacity": 0.45,
        "stroke-width": 1.1,
      }),
    );
  const dense = marks.length > MOST_IN_SVG;
  if (!dense) body.append(...asPaths());
  const entries = [...groups.values()].filter((g) => marks.some((m) => m[3] === g));
  const bottom =
    H +
    legend(body, entries, W, H, (g, px, py) =>
      svg("path", { d: g.shape(px + 9, py + 8), fill: g.colour, stroke: g.colour, "fill-opacity": 0.45 }),
    );
  const finding =
    counted(marks.length) +
    " cells: " +
    titleOf(x.name) +
    " against " +
    titleOf(y.name) +
    correlation(across, up, marks) +
    ".";
  const node = framed(W, bottom, finding, body);
  return {
    node,
    finding,
    pooled: "",
    title: capital(titleOf(x.name)) + " against " + titleOf(y.name),
    extra: dense ? asPaths : null,
    table: () => ({
      head: ["cell", by.name, x.name, y.name],
      rows: marks.map(([i]) => [id.at(i), by.at(i), x.at(i), y.at(i)]),
    }),
    attach: (host) =>
      host.append(
        ...[
          dense ? painted(marks, W, H) : null,
          brushOf({ W, H, box: [l, t, W - l - r, H - t - b], across, up, x, y, marks }),
        ].filter(Boolean),
      ),
  };
}

const round1 = (v) => Math.round(10 * v) / 10;
const scrambled = (i) => Math.imul(i + 1, 2654435761) >>> 0;
const measuredIn = (column, i) => axes.includes(column) || !unmeasuredIn(column)[i];

function correlation(across, up, marks) {
  if (across.discrete || up.discrete || marks.length < 3) return "";
  const ranks = (values) => {
    const order = values.map((v, k) => [v, k]).sort((a, b) => a[0] - b[0]),
      rank = [];
    for (let k = 0; k < order.length;) {
      let e = k;
      while (e < order.length && order[e][0] === order[k][0]) e++;
      for (let j = k; j < e; j++) rank[order[j][1]] = (k + e - 1) / 2;
      k = e;
    }
    return rank;
  };
  const a = ranks(marks.map((m) => across.read(m[0]))),
    b = ranks(marks.map((m) => up.read(m[0]))),
    mean = (a.length - 1) / 2;
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((v, k) => {
    ab += (v - mean) * (b[k] - mean);
    aa += (v - mean) ** 2;
    bb += (b[k] - mean) ** 2;
  });
  return aa && bb ? "; rank correlation " + (ab < 0 ? "−" : "+") + Math.abs(ab / Math.sqrt(aa * bb)).toFixed(2) : "";
}

/** The two axes of a figure with their ticks and titles. */
function axesOf(across, up, xTitle, yTitle, [l, r, t, b], W, H) {
  const nodes = [svg("path", { class: "axis", d: `M${l} ${t}V${H - b}H${W - r}` })];
  let last = -1e9;
  for (const [x, words] of across.ticks) {
    if (x - last < width(words) * 0.8 + 12) continue;
    last = x;
    nodes.push(
      svg("path", { class: "grid", d: `M${x} ${t}V${H - b}` }),
      svg("text", { x, y: H - b + 15, "text-anchor": "middle" }, words),
    );
  }
  last = 1e9;
  for (const [y, words] of up.ticks) {
    if (Math.abs(y - last) < 12) continue;
    last = y;
    nodes.push(
      svg("path", { class: "grid", d: `M${l} ${y}H${W - r}` }),
      svg("text", { x: l - 6, y: y + 4, "text-anchor": "end" }, words),
    );
  }
  const middle = (t + H - b) / 2;
  nodes.push(
    svg("text", { x: (l + W - r) / 2, y: H - 8, "text-anchor": "middle", class: "soft" }, xTitle),
    svg(
      "text",
      { x: 12, y: middle, "text-anchor": "middle", class: "soft", transform: `rotate(-90 12 ${middle})` },
      yTitle,
    ),
  );
  return nodes;
}

/** Many points, drawn as pixels; a figure that is saved has them as shapes. */
function painted(marks, W, H) {
  const ratio = devicePixelRatio || 1,
    canvas = make("canvas", {
      width: W * ratio,
      height: H * ratio,
      "aria-hidden": "true",
      style: { width: W + "px", height: H + "px" },
    }),
    brush = canvas.getContext("2d");
  brush.scale(ratio, ratio);
  brush.globalAlpha = 0.5;
  for (const g of new Set(marks.map((m) => m[3]))) {
    brush.fillStyle = g.colour;
    for (const m of marks) if (m[3] === g) brush.fillRect(m[1] - 1.5, m[2] - 1.5, 3, 3);
  }
  return canvas;
}

function brushOf({ box: [left, top, wide, tall], across, up, x, y, marks }) {
  let start = null;
  const frame = make("div", { className: "brush", hidden: true });
  const at = (event) => {
    const r = panel.getBoundingClientRect();
    return [event.clientX - r.left + left, event.clientY - r.top + top];
  };
  const nearest = ([px, py]) => {
    let best = null,
      least = 144;
    for (const m of marks) {
      const d = (m[1] - px) ** 2 + (m[2] - py) ** 2;
      if (d < least) [best, least] = [m[0], d];
    }
    return best;
  };
  const panel = make(
    "div",
    {
      className: "panel points",
      title: "",
      style: { left: left + "px", top: top + "px", width: wide + "px", height: tall + "px" },
      onpointerdown: (event) => {
        start = at(event);
        panel.setPointerCapture(event.pointerId);
      },
      onpointermove: (event) => {
        const now = at(event);
        if (!start) {
          const i = nearest(now);
          tip(i === null ? "" : summary(i), event.clientX, event.clientY);
          return;
        }
        frame.hidden = Math.hypot(now[0] - start[0], now[1] - start[1]) < 5;
        Object.assign(frame.style, {
          left: Math.min(start[0], now[0]) - left + "px",
          top: Math.min(start[1], now[1]) - top + "px",
          width: Math.abs(now[0] - start[0]) + "px",
          height: Math.abs(now[1] - start[1]) + "px",
        });
        tip("");
      },
      onpointerleave: () => tip(""),
      onpointerup: (event) => {
        const now = at(event),
          from = start;
        start = null;
        if (frame.hidden) {
          const i = nearest(now);
          if (i !== null) {
            [trail, back] = [marks.map((m) => m[0]), null];
            open(i);
          }
          return;
        }
        frame.hidden = true;
        brushed(across, x, from[0], now[0]);
        brushed(up, y, from[1], now[1]);
        refresh();
      },
    },
    frame,
  );
  return panel;
}

/** Choose what lies between two pixels of a scale. */
function brushed(scale, column, from, to) {
  const [a, b] = from < to ? [from, to] : [to, from];
  if (scale.discrete) {
    const good = scale.ticks
      .map(([p], k) => (p >= a && p <= b ? scale.order[k] : null))
      .filter((code) => code !== null);
    return choose(
      column.name,
      good.length === scale.order.length
        ? null
        : new Set(good.map((code) => (code < 0 ? NOTHING : text(column.distinct[code])))),
    );
  }
  const [low, high] = [scale.value(a), scale.value(b)].sort((p, q) => p - q);
  choose(column.name, [low <= scale.low ? -Infinity : low, high]);
}

/* ---- parallel coordinates: a line per cell through an axis per column ---- */

const MOST_LINES = 3000;

function drawParallel(figure, spec, cells, room) {
  const shownAxes = spec.axes.map((name) => byName.get(name)).filter(Boolean),
    by = byName.get(spec.colour) || verdict;
  if (shownAxes.length < 2 || !cells.length)
    return { problem: shownAxes.length < 2 ? "Two columns are needed." : "No cell is shown." };
  const W = Math.max(room, 110 * shownAxes.length),
    H = 340,
    [t, b] = [44, 18],
    left = 60,
    step = (W - 2 * left) / (shownAxes.length - 1);
  const all = [...figure.cells(false)],
    groups = groupsOf(by, all);
  const scales = shownAxes.map(
    (column) =>
      new Scale(
        column,
        all.filter((i) => status.at(i) === "ok"),
        [H - b, t],
        spec.scale,
      ),
  );
  const stride = Math.max(1, Math.ceil(cells.length / MOST_LINES)),
    lines = new Map([...groups.values()].map((g) => [g, []]));
  let drawn = 0;
  for (let k = 0; k < cells.length; k += stride) {
    const i = cells[k],
      points = scales.map((s, j) => [left + j * step, s.of(i)]).filter((p) => !Number.isNaN(p[1]));
    if (points.length > 1) {
      drawn++;
      lines
        .get(groups.get(by.codes[i]))
        .push(
          "M" + points.map((p) => round1(p[0]) + " " + round1(p[1] + ((scrambled(i) % 100) / 100 - 0.5) * 7)).join("L"),
        );
    }
  }
  const body = svg("g", {});
  for (const [g, paths] of lines)
    if (paths.length)
      body.append(
        svg("path", {
          d: paths.join(""),
          fill: "none",
          stroke: g.colour,
          "stroke-opacity": Math.max(0.12, Math.min(0.7, 60 / drawn)),
          "stroke-width": 1,
        }),
      );
  shownAxes.forEach((column, j) => {
    const x = left + j * step,
      anchor = { "text-anchor": "middle" };
    body.append(
      svg("path", { class: "axis", d: `M${x} ${t - 6}V${H - b + 6}` }),
      svg(
        "text",
        { x, y: j % 2 ? 12 : 26, ...anchor, "font-weight": 600, ...fitted(titleOf(column.name), 2 * step - 8) },
        titleOf(column.name),
      ),
    );
    let last = 1e9;
    for (const [y, words] of scales[j].ticks) {
      if (Math.abs(y - last) < 12) continue;
      last = y;
      body.append(svg("text", { x: x + 5, y: y + 4, class: "halo", ...fitted(words, step - 10) }, words));
    }
    const chosen = view.filters.get(column.name);
    if (chosen)
      body.append(
        svg("path", {
          d: `M${x} ${t - 6}V${H - b + 6}`,
          stroke: "var(--link)",
          "stroke-width": 4,
          "stroke-opacity": 0.5,
        }),
      );
  });
  const entries = [...lines].filter(([, paths]) => paths.length).map(([g]) => g);
  const bottom =
    H +
    4 +
    legend(body, entries, W, H + 4, (g, px, py) =>
      svg("path", { d: `M${px} ${py + 8}h17`, stroke: g.colour, "stroke-width": 3 }),
    );
  const finding =
    counted(cells.length) +
    " cells, each a line through " +
    inWords(shownAxes.map((c) => titleOf(c.name))) +
    (stride > 1 ? "; every " + stride + "th is drawn" : "") +
    ".";
  return {
    node: framed(W, bottom, finding, body),
    finding,
    pooled: "",
    title: "Settings and results side by side",
    table: () => ({
      head: ["cell", ...shownAxes.map((c) => c.name)],
      rows: [...cells].map((i) => [id.at(i), ...shownAxes.map((c) => c.at(i))]),
    }),
    attach: (host) =>
      shownAxes.forEach((column, j) =>
        host.append(axisBrush(column, scales[j], left + j * step, t - 8, H - b - t + 16)),
      ),
  };
}

/** Dragging along an axis chooses what lies there; a click takes the choice back. */
function axisBrush(column, scale, x, top, tall) {
  let start = null;
  const frame = make("div", { className: "brush", hidden: true }),
    at = (event) => event.clientY - panel.getBoundingClientRect().top + top;
  const panel = make(
    "div",
    {
      className: "panel points",
      style: { left: x - 14 + "px", top: top + "px", width: "28px", height: tall + "px" },
      title: column.name + ": drag to choose, click to choose all",
      onpointerdown: (event) => {
        start = at(event);
        panel.setPointerCapture(event.pointerId);
      },
      onpointermove: (event) => {
        if (start === null) return;
        const now = at(event);
        frame.hidden = Math.abs(now - start) < 4;
        Object.assign(frame.style, {
          left: 0,
          width: "28px",
          top: Math.min(start, now) - top + "px",
          height: Math.abs(now - start) + "px",
        });
      },
      onpointerup: (event) => {
        const [from, now] = [start, at(event)];
        start = null;
        if (frame.hidden) choose(column.name, null);
        else brushed(scale, column, from, now);
        frame.hidden = true;
        refresh();
      },
    },
    frame,
  );
  return panel;
}
