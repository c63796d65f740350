/* ---- heatmaps: tiles over rows and columns, small multiples by a facet ---- */

const GAP = 22,
  LINE = 13,
  MOST_NUMBERED = 40,
  MOST_PANELS = 24;

const keyLabel = (axis, code) => {
  const c = byName.get(axis);
  return code < 0 ? NOTHING : label(c, c.distinct[code]);
};
const keyText = (names, key) => names.map((name, k) => name + "=" + keyLabel(name, key[k])).join(", ");

/** Why a tile is hatched: words and a pattern; null where it has a value and no failures. */
function reasonFor(grid, t) {
  const { stats, column } = grid;
  if (t < 0) return ["no cell", "empty"];
  if (stats.value[t] === Infinity) return [column.null || "not finite", "infinite"];
  if (Number.isFinite(stats.value[t]) && !stats.failed[t]) return null;
  for (const state of ["failed", "excluded", "pending"]) if (stats[state][t]) return [data.statuses[state], state];
  if (stats.finished[t]) return [(column.categories && column.null) || "no value", "none"];
  return ["no cell", "empty"];
}

/** The two lines in a tile: its value, and how many of its cells have one where that is not all. */
function tileText(grid, t, uneven) {
  const { stats, column, categories } = grid,
    x = stats.value[t],
    n = stats.n[t];
  if (!Number.isFinite(x)) return ["", ""];
  if (categories) return [categories[x].symbol, n > stats.agreeing[t] ? stats.agreeing[t] + "/" + n : ""];
  return [brief(x, column.format), stats.infinite[t] ? n - stats.infinite[t] + " of " + n : uneven ? "n = " + n : ""];
}

/** A tile in words, a line each: its settings, value, spread, what is pooled, and cells without a result. */
function described(grid, part, r, c) {
  const t = part.tile(r, c),
    { stats, column, categories } = grid,
    lines = [tileKey(grid, part, r, c)];
  const n = t < 0 ? 0 : stats.n[t],
    many = n > 1;
  if (t < 0 || !grid.members(t).length) return [...lines, "no cell"].join("\n");
  if (categories && n)
    lines.push(categories[stats.value[t]].name + (many ? " in " + stats.agreeing[t] + " of " + n + " cells" : ""));
  else if (n) {
    const word = stats.value[t] === Infinity ? column.null : brief(stats.value[t], column.format);
    lines.push(unitOf(column) + ": " + (many ? grid.aggregate + " " : "") + word);
    if (many)
      lines.push(
        "from " +
          brief(stats.least[t], column.format) +
          " to " +
          brief(stats.greatest[t], column.format) +
          ", n = " +
          n,
      );
    if (!Number.isNaN(stats.low[t]))
      lines.push(
        "95 % interval of the median " +
          brief(stats.low[t], column.format) +
          " to " +
          brief(stats.high[t], column.format),
      );
  } else lines.push("no value");
  if (stats.settings[t] > 1) lines.push(stats.settings[t] + " settings pooled: " + grid.pooled.join(", "));
  for (const state of ["failed", "excluded", "pending"])
    if (stats[state][t]) lines.push(stats[state][t] + " " + data.statuses[state]);
  return lines.join("\n");
}

/** The same in a line, without the settings. */
const valueWords = (grid, part, r, c) => described(grid, part, r, c).split("\n").slice(1).join("; ");

const unitOf = (column) => column.unit || column.name;
/** The settings of a tile, as pairs of an axis and a code. */
const settingsAt = (grid, part, r, c) => [
  ...part.facet,
  ...part.rows[r].map((code, k) => [grid.spec.rows[k], code]),
  ...part.columns[c].map((code, k) => [grid.spec.columns[k], code]),
];
const tileKey = (grid, part, r, c) =>
  settingsAt(grid, part, r, c)
    .map(([name, code]) => name + "=" + keyLabel(name, code))
    .join(", ");
const facetText = (part) =>
  settingText(
    part.facet.map(([name]) => name),
    part.facet.map(([, code]) => code),
  );

/** Every tile, small multiple by small multiple and row by row: its part, row and column. */
function* tilesOf(grid) {
  for (const part of grid.parts)
    for (let r = 0; r < part.rows.length; r++) for (let c = 0; c < part.columns.length; c++) yield [part, r, c];
}

/** What a heatmap shows, in a sentence; heatmap.finding has the same rules. */
function findingOf(grid) {
  const { stats, column, categories } = grid,
    tiles = [...stats.value.keys()].filter((t) => Number.isFinite(stats.value[t]));
  if (!tiles.length) return "No tile has a value.";
  if (categories) {
    const counts = new Map();
    for (const t of tiles) counts.set(stats.value[t], (counts.get(stats.value[t]) || 0) + 1);
    const parts = [...counts].sort((a, b) => b[1] - a[1]).map(([c, n]) => categories[c].name + " in " + n);
    return "Of " + tiles.length + " tiles: " + parts.join(", ") + ".";
  }
  const what = grid.aggregate[0].toUpperCase() + grid.aggregate.slice(1) + " " + unitOf(column),
    wide = grid.columns.length;
  const at = (better) => tiles.reduce((a, b) => (better(stats.value[b], stats.value[a]) ? b : a));
  const low = at((x, y) => x < y),
    high = at((x, y) => x > y),
    shown = (t) => brief(stats.value[t], column.format);
  if (shown(low) === shown(high)) return what + " is " + shown(low) + " in all " + tiles.length + " tiles.";
  const names = (t) =>
    [
      ...grid.rows[Math.floor(t / wide)].map((code, k) => valueLabel(grid.spec.rows[k], code)),
      ...grid.columns[t % wide].map((code, k) => valueLabel(grid.across[k], code)),
    ].join(", ");
  return what + " from " + shown(low) + " (" + names(low) + ") to " + shown(high) + " (" + names(high) + ").";
}

const pooledOf = (grid) =>
  grid.pooled.length
    ? "Pooled over " +
      inWords(grid.pooled.map(titleOf)) +
      ": up to " +
      Math.max(...grid.stats.settings) +
      " settings a tile, besides replicates."
    : "";

/** Runs of keys that share all but their last value: words, the first position and how many. */
function runsOf(names, keys) {
  const runs = [];
  keys.forEach((key, k) => {
    const words = key
        .slice(0, -1)
        .map((code, j) => valueLabel(names[j], code))
        .join(", "),
      last = runs[runs.length - 1];
    if (last && last.same === key.slice(0, -1).join()) last.count++;
    else runs.push({ words, start: k, count: 1, same: key.slice(0, -1).join() });
  });
  return runs;
}

function drawHeatmap(figure, spec, cells, room) {
  const grid = layOut(spec, cells, figure.categoriesFor(spec.value)),
    { parts, column, categories, stats } = grid;
  if (!parts.length) return { problem: "No cell is shown." };
  if (parts.length > MOST_PANELS)
    return {
      problem: parts.length + " small multiples; at most " + MOST_PANELS + " fit. Take an axis from the facet.",
    };
  const scale = categories ? null : scaleOf(column, [...stats.value], spec.scale),
    plan = planOf(grid, room);
  const body = svg("g", {}),
    used = new Map(),
    panels = parts.map((part, k) => ({ part, ...plan.at(k) }));
  panels.forEach((panel, k) => {
    drawTiles(body, figure, grid, panel, plan, scale, used);
    nameRows(body, grid, panel, plan, k % plan.across === 0);
    nameColumns(body, grid, panel, plan, k + plan.across >= parts.length);
    if (figure.lines && !figure.isTurned() && !narrowed())
      drawBoundaries(body, figure.lines[k] || [], panel, plan, used);
  });
  let bottom = plan.bottom;
  bottom += categories
    ? categoryLegend(body, grid, plan.width, bottom)
    : colourBar(body, figure, column, scale, plan.width, bottom);
  bottom += hatchLegend(body, figure, used, plan.width, bottom);
  const finding = findingOf(grid);
  return {
    node: framed(plan.width, bottom, finding, patterns(figure), body),
    grid,
    finding,
    pooled: pooledOf(grid),
    title: capital(column.title || column.name) + " by " + inWords([...spec.rows, ...grid.across].map(titleOf)),
    table: () => tableOf(grid),
    attach: (host) => panels.forEach((panel) => host.append(panelOf(figure, grid, panel, plan))),
  };
}

/** The labels of a side: the last axis of each key, and runs of keys that share the others. */
const sideOf = (names, keys) => ({
  inner: keys.map((key) => (key.length ? valueLabel(names[key.length - 1], key[key.length - 1]) : "")),
  runs: names.length > 1 ? runsOf(names, keys) : [],
  title: names.map(headingOf).join(" × "),
});
const widest = (texts) => Math.max(0, ...texts.map((words) => width(words)));

/** Sizes and places, in pixels: of tiles, of the room for labels, and of every small multiple. */
function planOf(grid, room) {
  const { parts, spec } = grid,
    [first] = parts,
    R = first.rows.length,
    C = first.columns.length;
  const rows = sideOf(spec.rows, first.rows),
    columns = sideOf(spec.columns, first.columns);
  const inner = widest(rows.inner) + 8,
    outer = rows.runs.length ? widest(rows.runs.map((run) => run.words)) + 12 : 0;
  const left = Math.max(inner + outer, Math.min(width(rows.title) + 6, 160));
  const wide = Math.max(26, Math.min(64, (room - left - 8) / Math.max(C, 4))),
    tall = wide < 40 ? 26 : 34;
  const longest = widest(columns.inner),
    steep = longest > wide - 4,
    below = steep ? Math.min(longest * 0.64, 130) + 10 : 16;
  const heading = (columns.runs.length ? LINE + 4 : 0) + (spec.facet.length ? LINE + 4 : 0),
    above = heading + LINE + 4;
  const across = Math.max(1, Math.min(parts.length, Math.floor((room - left + GAP) / (C * wide + GAP))));
  const lines = Math.ceil(parts.length / across),
    high = above + R * tall + below + (lines > 1 ? 14 : 0);
  const counts = new Set([...grid.stats.n].filter((n) => n));
  return {
    R,
    C,
    wide,
    tall,
    rows,
    columns,
    inner,
    heading,
    below,
    steep,
    across,
    numbered: Math.max(R, C) <= MOST_NUMBERED,
    uneven: !grid.categories && counts.size > 1,
    width: Math.max(left + across * (C * wide + GAP) - GAP + (steep ? 8 : 0) + 2, 260),
    bottom: lines * high + 24,
    at: (k) => ({ x: left + (k % across) * (C * wide + GAP), y: Math.floor(k / across) * high + above }),
  };
}

const write = (body, words, x, y, given = {}) => body.append(svg("text", { x, y, ...given }, String(words)));

/** The coloured, annotated and hatched tiles of one small multiple. */
function drawTiles(body, figure, grid, { part, x: left, y: top }, plan, scale, used) {
  const { stats, categories } = grid,
    { wide, tall } = plan;
  for (let r = 0; r < plan.R; r++)
    for (let c = 0; c < plan.C; c++) {
      const t = part.tile(r, c),
        x = left + c * wide,
        y = top + r * tall,
        box = { x: x + 0.5, y: y + 0.5, width: wide - 1, height: tall - 1 };
      const v = t < 0 ? NaN : stats.value[t],
        reason = reasonFor(grid, t);
      if (Number.isFinite(v)) {
        const colour = categories ? categories[v].colour : colourOf(scale, v),
          middle = { "text-anchor": "middle", fill: ink(colour) };
        const [large, small] = plan.numbered ? tileText(grid, t, plan.uneven) : ["", ""],
          two = small && width(small, 9) < wide - 2;
        body.append(svg("rect", { ...box, fill: colour }));
        if (width(large) < wide) write(body, large, x + wide / 2, y + tall / 2 + (two ? -1 : 4), middle);
        if (two) write(body, small, x + wide / 2, y + tall / 2 + 10, { ...middle, "font-size": 9 });
      }
      if (reason) {
        used.set(reason[0], reason[1]);
        body.append(svg("rect", { ...box, fill: `url(#hatch-${reason[1]}-${figure.number})` }));
      }
    }
}

function nameRows(body, grid, { x, y }, plan, named) {
  const { wide, tall, rows, C } = plan;
  for (const run of rows.runs.slice(1))
    body.append(svg("path", { class: "rule", d: `M${x} ${y + run.start * tall}h${C * wide}` }));
  if (!named) return;
  write(body, rows.title, 0, y - 6 - (plan.heading ? LINE + 4 : 0), { class: "soft" });
  rows.inner.forEach((words, r) => write(body, words, x - 6, y + (r + 0.5) * tall + 4, { "text-anchor": "end" }));
  for (const run of rows.runs)
    write(body, run.words, x - plan.inner - 6, y + (run.start + run.count / 2) * tall + 4, { "text-anchor": "end" });
}

function nameColumns(body, grid, { part, x, y }, plan, named) {
  const { wide, tall, columns, R } = plan,
    facet = part.facet;
  if (facet.length) write(body, facetText(part), x, y - (columns.runs.length ? LINE + 10 : 6), { "font-weight": 600 });
  for (const run of columns.runs) {
    write(body, run.words, x + (run.start + run.count / 2) * wide, y - 6, {
      "text-anchor": "middle",
      ...fitted(run.words, run.count * wide),
    });
    if (run.start) body.append(svg("path", { class: "rule", d: `M${x + run.start * wide} ${y}v${R * tall}` }));
  }
  if (!named) return;
  columns.inner.forEach((words, c) => {
    const px = x + (c + 0.5) * wide,
      py = y + R * tall + 13;
    write(
      body,
      words,
      px,
      py,
      plan.steep ? { "text-anchor": "end", transform: `rotate(-40 ${px} ${py})` } : { "text-anchor": "middle" },
    );
  });
  write(body, columns.title, x, y + R * tall + plan.below + 12, {
    class: "soft",
    ...fitted(columns.title, Math.max(plan.C * wide, 200)),
  });
}

/** What a refinement found, upon the tiles. */
function drawBoundaries(body, lines, { x, y }, { wide, tall }, used) {
  for (const [[xa, ya], [xb, yb]] of lines) {
    const d = `M${x + xa * wide} ${y + ya * tall}L${x + xb * wide} ${y + yb * tall}`;
    body.append(
      svg("path", { d, stroke: "#fff", "stroke-width": 4 }),
      svg("path", { d, stroke: data.boundary.colour, "stroke-width": 2 }),
    );
    used.set(data.boundary.name, "boundary");
  }
}

const capital = (words) => words && words[0].toUpperCase() + words.slice(1);
/** Words squeezed into so many pixels. */
const fitted = (words, room) => (width(words) > room ? { textLength: room - 2, lengthAdjust: "spacingAndGlyphs" } : {});

/** Entries beside one another, on as many lines as it takes; how high they are. `drawn` makes the mark of an entry. */
function legend(body, entries, W, top, drawn) {
  let x = 0,
    y = top + 4;
  for (const entry of entries) {
    const long = 24 + width(entry.words) + 16;
    if (x && x + long > W) {
      x = 0;
      y += 20;
    }
    body.append(drawn(entry, x, y), svg("text", { x: x + 22, y: y + 12 }, entry.words));
    x += long;
  }
  return entries.length ? y + 24 - top : 0;
}

function categoryLegend(body, grid, W, top) {
  const present = new Set([...grid.stats.value].filter(Number.isFinite));
  const entries = grid.categories.map((c, k) => ({ ...c, k, words: c.name })).filter((c) => present.has(c.k));
  return legend(body, entries, W, top, (entry, x, y) =>
    svg(
      "g",
      {},
      svg("rect", { x, y, width: 17, height: 16, fill: entry.colour }),
      svg("text", { x: x + 8.5, y: y + 12, "text-anchor": "middle", fill: ink(entry.colour) }, entry.symbol),
    ),
  );
}

function colourBar(body, figure, column, scale, W, top) {
  const long = Math.min(W, 300),
    f = scale.log ? Math.log10 : (y) => y,
    low = f(scale.low),
    high = f(scale.high);
  const stops = data.colours.map((colour, k) =>
    svg("stop", { offset: k / (data.colours.length - 1), "stop-color": colour }),
  );
  body.append(
    svg("linearGradient", { id: "bar-" + figure.number }, ...stops),
    svg("text", { x: 0, y: top + 12 }, unitOf(column)),
    svg("rect", { x: 0, y: top + 18, width: long, height: 10, fill: `url(#bar-${figure.number})` }),
  );
  if (scale.below) body.append(svg("path", { d: `M0 ${top + 18}l-7 5l7 5z`, fill: data.colours[0] }));
  if (scale.above)
    body.append(svg("path", { d: `M${long} ${top + 18}l7 5l-7 5z`, fill: data.colours[data.colours.length - 1] }));
  for (const [v, words] of ticksOf(scale.low, scale.high, scale.log, 5, column.format)) {
    const x = high > low ? (long * (f(v) - low)) / (high - low) : long / 2;
    body.append(
      svg("path", { class: "rule", d: `M${x} ${top + 28}v4` }),
      svg("text", { x, y: top + 43, "text-anchor": x < 10 ? "start" : x > long - 10 ? "end" : "middle" }, words),
    );
  }
  const clipped = [scale.below && "below", scale.above && "above"].filter(Boolean);
  if (!clipped.length) return 52;
  body.append(
    svg("text", { x: 0, y: top + 59, class: "soft" }, "Values " + clipped.join(" and ") + " have the end's colour."),
  );
  return 68;
}

const HATCHES = {
  infinite: ["M-1 7L7 -1", "var(--hatch)"],
  failed: ["M0 0L6 6M6 0L0 6", "#D55E00"],
  excluded: ["M-1 -1L7 7", "var(--hatch)"],
  pending: ["M3 0V6M0 3H6", "#56B4E9"],
  none: ["M0 3H6", "var(--hatch)"],
  empty: ["M3 3h.1", "var(--hatch)"],
};
const patterns = (figure) =>
  svg(
    "defs",
    {},
    ...Object.entries(HATCHES).map(([name, [d, stroke]]) =>
      svg(
        "pattern",
        { id: `hatch-${name}-${figure.number}`, width: 6, height: 6, patternUnits: "userSpaceOnUse" },
        svg("path", { d, style: `stroke: ${stroke}`, "stroke-linecap": "round" }),
      ),
    ),
  );

function hatchLegend(body, figure, used, W, top) {
  return legend(
    body,
    [...used].map(([words, kind]) => ({ words, kind })),
    W,
    top,
    (entry, x, y) =>
      entry.kind === "boundary"
        ? svg("path", { d: `M${x} ${y + 8}h17`, stroke: data.boundary.colour, "stroke-width": 2 })
        : svg("rect", {
            class: "frame",
            x,
            y,
            width: 17,
            height: 16,
            fill: `url(#hatch-${entry.kind}-${figure.number})`,
          }),
  );
}

/** The tiles as a table: a heading and rows of text or numbers. */
function tableOf(grid) {
  const { stats, column, categories, spec } = grid,
    rows = [];
  for (const [part, r, c] of tilesOf(grid)) {
    const t = part.tile(r, c),
      v = t < 0 ? NaN : stats.value[t],
      shown = Number.isNaN(v) ? null : categories ? categories[v].name : v;
    const n = (name) => (t < 0 ? 0 : stats[name][t]),
      x = (name) => (t < 0 || Number.isNaN(stats[name][t]) ? null : stats[name][t]);
    rows.push([
      ...settingsAt(grid, part, r, c).map(([name, code]) => keyLabel(name, code)),
      shown,
      ...(categories ? [n("agreeing")] : [x("low"), x("high"), x("least"), x("greatest")]),
      n("n"),
      n("failed"),
      n("excluded"),
      n("pending"),
    ]);
  }
  const numbers = categories
    ? [column.name, "agreeing"]
    : [grid.aggregate, "interval_low", "interval_high", "least", "greatest"];
  return {
    head: [...spec.facet, ...spec.rows, ...spec.columns, ...numbers, "n", "failed", "excluded", "pending"],
    rows,
  };
}

/** What answers for the tiles of a panel: pointer, keys and clicks. */
function panelOf(figure, grid, { part, x, y }, { wide, tall, R: rows, C: columns }) {
  let at = null;
  const mark = make("div", { className: "mark", hidden: true });
  const point = (tile, px, py) => {
    at = tile;
    mark.hidden = !tile;
    if (tile)
      Object.assign(mark.style, {
        left: tile[1] * wide + "px",
        top: tile[0] * tall + "px",
        width: wide + "px",
        height: tall + "px",
      });
    tip(tile ? described(grid, part, ...tile) : "", px, py);
  };
  const under = (event) => {
    const box = panel.getBoundingClientRect(),
      r = Math.floor((event.clientY - box.top) / tall),
      c = Math.floor((event.clientX - box.left) / wide);
    return r >= 0 && r < rows && c >= 0 && c < columns ? [r, c] : null;
  };
  const facet = part.facet.map(([name, code]) => ", " + name + "=" + keyLabel(name, code)).join("");
  const panel = make(
    "div",
    {
      className: "panel",
      tabIndex: 0,
      role: "application",
      "aria-label":
        figure.title + facet + ": heatmap of " + rows + " by " + columns + " tiles; arrow keys move, Enter opens",
      style: { left: x + "px", top: y + "px", width: columns * wide + "px", height: rows * tall + "px" },
      onpointermove: (event) => point(under(event), event.clientX, event.clientY),
      onpointerleave: () => point(null),
      onblur: () => point(null),
      onclick: (event) => {
        const tile = under(event);
        if (tile) openTile(grid, part, ...tile);
      },
      onkeydown: (event) => {
        const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
        if (event.key === "Enter" && at) {
          event.preventDefault();
          openTile(grid, part, ...at);
        }
        if (event.key === "Escape") point(null);
        if (!step) return;
        event.preventDefault();
        const next = at ? [at[0] + step[0], at[1] + step[1]] : [0, 0];
        if (next[0] < 0 || next[0] >= rows || next[1] < 0 || next[1] >= columns) return;
        const box = panel.getBoundingClientRect();
        point(next, box.left + (next[1] + 0.5) * wide, box.top + (next[0] + 0.5) * tall);
      },
    },
    mark,
  );
  return panel;
}
