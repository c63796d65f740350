/* ---- curves: the median over cells, and their range ---- */

const MOST_CURVES = 8,
  MOST_CURVE_PANELS = 6;
const STROKES = ["", "6 2", "2 2", "5 2 2 2", "9 3", "3 3", "7 2 2 2 2 2", "12 3"];

const pieces = new Map();
/** The tensors and curves of a cell; null where the page does not hold them. */
async function detail(i) {
  const k = data.pieces[i];
  if (k < 0) return null;
  if (!pieces.has(k)) pieces.set(k, unpacked(document.getElementsByClassName("piece")[k]));
  return (await pieces.get(k))[id.at(i)];
}

/** Values by step, gathered over cells: steps in order, with the median and the range at each. */
function overCells(curves) {
  const by = new Map();
  for (const [steps, values] of curves)
    steps.forEach((s, k) => {
      if (!by.has(s)) by.set(s, []);
      by.get(s).push(values[k]);
    });
  return [...by]
    .sort((a, b) => a[0] - b[0])
    .map(([step, values]) => {
      const v = Float64Array.from(values).sort();
      return {
        step,
        median: middle(v),
        least: v[0],
        greatest: v[v.length - 1],
        n: v.length,
      };
    });
}

async function drawCurves(figure, spec, cells, room) {
  const done = cells.filter((i) => status.at(i) === "ok"),
    table = expand(expand(rowsOf(done, [...new Set([...spec.rows, ...spec.columns])]), spec.rows), spec.columns);
  const lines = keysAlong(table, spec.rows),
    panels = keysAlong(table, spec.columns),
    found = new Map();
  const line = Math.min(lines.keys.length, MOST_CURVES),
    panel = Math.min(panels.keys.length, MOST_CURVE_PANELS);
  let held = 0,
    runs = new Set();
  for (let k = 0; k < table.source.length; k++) {
    if (lines.position[k] >= line || panels.position[k] >= panel) continue;
    const more = await detail(table.source[k]);
    if (!more) continue;
    held++;
    for (const s of data.training) {
      const curve = more.curves[s.name];
      if (!curve || !curve[0].length) continue;
      const key = [s.name, panels.position[k], lines.position[k]].join();
      if (!found.has(key)) found.set(key, []);
      found.get(key).push(curve);
      runs.add(table.source[k]);
    }
  }
  const series = data.training.filter((s) => [...found.keys()].some((key) => key.split(",")[0] === s.name));
  if (!series.length)
    return {
      problem: held
        ? "None of the cells shown was trained."
        : "The page does not hold the curves of these cells; they are in curves.parquet.",
    };
  const statistics = new Map([...found].map(([key, curves]) => [key, overCells(curves)]));
  const W = Math.max(Math.min(room, 330 * panel + 60), 300),
    wide = (W - 62) / panel,
    tall = 170,
    top = panel > 1 || spec.columns.length ? 24 : 10,
    body = svg("g", {});
  series.forEach((s, row) => {
    const all = [...statistics].filter(([key]) => key.startsWith(s.name + ",")).flatMap(([, points]) => points),
      y0 = top + row * tall;
    const log = s.log && all.every((p) => p.least > 0);
    const across = new Axis(Math.min(...all.map((p) => p.step)), Math.max(...all.map((p) => p.step)), false, [
      0,
      wide - 16,
    ]);
    const up = new Axis(
      all.reduce((a, p) => Math.min(a, p.least), Infinity),
      all.reduce((a, p) => Math.max(a, p.greatest), -Infinity),
      log,
      [tall - 40, 6],
    );
    body.append(
      svg(
        "text",
        {
          x: 12,
          y: y0 + (tall - 40) / 2,
          class: "soft",
          "text-anchor": "middle",
          transform: `rotate(-90 12 ${y0 + (tall - 40) / 2})`,
          ...fitted(s.title, tall - 30),
        },
        s.title,
      ),
    );
    for (let p = 0; p < panel; p++) {
      const x0 = 58 + p * wide,
        here = svg("g", { transform: `translate(${x0} ${y0})` });
      if (!row && panels.keys[p].length)
        body.append(
          svg(
            "text",
            { x: x0, y: 14, "font-weight": 600, ...fitted(settingText(spec.columns, panels.keys[p]), wide - 12) },
            settingText(spec.columns, panels.keys[p]),
          ),
        );
      here.append(svg("path", { class: "axis", d: `M0 6V${tall - 40}H${wide - 16}` }));
      for (const [y, words] of up.ticks)
        here.append(
          svg("path", { class: "grid", d: `M0 ${y}H${wide - 16}` }),
          ...(p ? [] : [svg("text", { x: -5, y: y + 4, "text-anchor": "end" }, words)]),
        );
      if (row === series.length - 1)
        for (const [x, words] of across.ticks)
          here.append(svg("text", { x, y: tall - 25, "text-anchor": "middle" }, words));
      if (row === series.length - 1)
        here.append(svg("text", { x: (wide - 16) / 2, y: tall - 10, "text-anchor": "middle", class: "soft" }, "step"));
      for (let k = 0; k < line; k++) {
        const points = statistics.get([s.name, p, k].join());
        if (!points) continue;
        const path = (name) => points.map((q) => round1(across.of(q.step)) + " " + round1(up.of(q[name])));
        here.append(
          svg("path", {
            d: "M" + path("least").join("L") + "L" + path("greatest").reverse().join("L") + "Z",
            fill: OTHER_COLOURS[k],
            "fill-opacity": 0.15,
          }),
        );
        here.append(
          svg("path", {
            d: "M" + path("median").join("L"),
            fill: "none",
            stroke: OTHER_COLOURS[k],
            "stroke-width": 1.6,
            "stroke-dasharray": STROKES[k],
          }),
        );
        if (points.length === 1)
          here.append(
            svg("circle", { cx: across.of(points[0].step), cy: up.of(points[0].median), r: 3, fill: OTHER_COLOURS[k] }),
          );
      }
      body.append(here);
    }
  });
  let bottom = top + series.length * tall + 4;
  const entries = lines.keys.slice(0, line).map((key, k) => ({ words: settingText(spec.rows, key) || "all", k }));
  if (spec.rows.length)
    bottom += legend(body, entries, W, bottom, (e, x, y) =>
      svg("path", {
        d: `M${x} ${y + 8}h18`,
        stroke: OTHER_COLOURS[e.k],
        "stroke-width": 2,
        "stroke-dasharray": STROKES[e.k],
      }),
    );
  const more = [
    lines.keys.length > line && lines.keys.length - line + " more lines",
    panels.keys.length > panel && panels.keys.length - panel + " more panels",
  ].filter(Boolean);
  const finding =
    "Training curves of " +
    counted(runs.size) +
    " runs: median and range over the cells of a line" +
    (more.length ? "; " + more.join(" and ") + " are not drawn" : "") +
    ".";
  return {
    node: framed(W, bottom, finding, body),
    finding,
    pooled: "",
    title: "Training curves",
    table: () => ({
      head: ["series", "panel", "line", "step", "median", "least", "greatest", "n"],
      rows: [...statistics].flatMap(([key, points]) => {
        const [name, p, k] = key.split(",");
        return points.map((q) => [
          name,
          keyText(spec.columns, panels.keys[p]) || "all",
          keyText(spec.rows, lines.keys[k]) || "all",
          q.step,
          q.median,
          q.least,
          q.greatest,
          q.n,
        ]);
      }),
    }),
    attach: () => {},
  };
}

/** A scale between two ends: `of` gives pixels, and ticks are pixels with words. */
class Axis {
  constructor(low, high, log, [from, to]) {
    if (!(high > low)) [low, high] = log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
    const f = log ? Math.log : (y) => y;
    this.of = (v) => from + ((to - from) * (f(v) - f(low))) / (f(high) - f(low));
    this.ticks = ticksOf(low, high, log, 4).map(([v, words]) => [this.of(v), words]);
  }
}
