"use strict";
// Text is only ever set as text: nothing that was typed or measured is read as markup.
(async () => {
const STEP = 50, MOST_LISTED = 200, MOST_CHOICES = 500, NOTHING = "–";
const $ = name => document.getElementById(name);
function text(v) {
  if (v === null || v === undefined) return NOTHING;
  if (typeof v !== "number" || Number.isInteger(v) && Math.abs(v) < 1e6) return String(v);
  return v && (Math.abs(v) >= 1e5 || Math.abs(v) < 1e-3) ? v.toExponential().replace("e+", "e") : String(v);
}

async function unpacked(node) {
  const bytes = Uint8Array.from(atob(node.textContent.trim()), c => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function make(tag, given, ...inside) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(given || {})) {
    if (key === "text") node.textContent = value;
    else if (key === "style") Object.assign(node.style, value);
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node && key !== "list") node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...inside.filter(part => part !== null && part !== undefined));
  return node;
}

const data = await unpacked($("data"));
const columns = data.columns.map(c => ({ ...c, at: c.codes ? i => c.list[c.codes[i]] : i => c.values[i] }));
const byName = new Map(columns.map(c => [c.name, c]));
const size = columns.length ? (columns[0].codes || columns[0].values).length : 0;
const id = byName.get("cell"), verdict = byName.get("verdict"), status = byName.get("status");
const constants = new Map(data.constants);
const axes = data.axes.map(name => byName.get(name)).filter(Boolean);
const is_number = columns.map(c => {
  for (let i = 0; i < size; i++) { const v = c.at(i); if (v !== null) return typeof v === "number"; }
  return false;
});

/* ---- the view: what is chosen, searched and sorted; the address keeps it ---- */

const view = { chosen: new Map(), statement: null, search: "", sort: null, descending: false, cell: null };
const narrowed = () => view.chosen.size > 0 || view.statement !== null;
let fits = new Uint8Array(size).fill(1), found = [], limit = STEP, haystack = null;

function readAddress() {
  const given = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  view.chosen.clear();
  Object.assign(view, { statement: null, search: "", sort: null, descending: false, cell: null });
  for (const [key, value] of given) {
    if (key === "search") view.search = value;
    else if (key === "sort") { view.sort = value.replace(/^-/, ""); view.descending = value.startsWith("-"); }
    else if (key === "cell") view.cell = value;
    else if (key === "statement") view.statement = value in data.statements ? value : null;
    else if (byName.has(key)) view.chosen.set(key, value);
  }
}

function writeAddress() {
  const next = new URLSearchParams(view.chosen);
  if (view.statement !== null) next.set("statement", view.statement);
  if (view.search) next.set("search", view.search);
  if (view.sort) next.set("sort", (view.descending ? "-" : "") + view.sort);
  if (view.cell) next.set("cell", view.cell);
  const hash = next.toString();
  if (!hash && !location.hash.includes("=")) return;  // an anchor, such as #claims
  if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? "#" + hash : location.href.split("#")[0]);
}

function filter() {
  fits.fill(1);
  if (view.statement !== null) {  // runs of cells that it is not about and that it is about, by turns
    fits.fill(0);
    data.statements[view.statement].reduce((at, run, k) => { if (k % 2) fits.fill(1, at, at + run); return at + run; }, 0);
  }
  for (const [name, value] of view.chosen) {
    // A setting that cannot matter to a cell is null there, and fits every value, as in the heatmaps.
    const column = byName.get(name), good = v => text(v) === value || (v === null && axes.includes(column));
    if (column.codes) {
      const known = column.list.map(good);
      for (let i = 0; i < size; i++) if (!known[column.codes[i]]) fits[i] = 0;
    } else for (let i = 0; i < size; i++) if (!good(column.values[i])) fits[i] = 0;
  }
}

function find() {
  const words = view.search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length && !haystack) {  // built at the first search: a large table opens without it
    const searched = columns.filter(c => !data.unsearched.includes(c.name));
    haystack = Array.from({ length: size }, (_, i) =>
      searched.map(c => c.at(i) === null ? "" : c.name + "=" + c.at(i)).join(" ").toLowerCase());
  }
  found = [];
  for (let i = 0; i < size; i++) if (fits[i] && words.every(w => haystack[i].includes(w))) found.push(i);
  const column = byName.get(view.sort);
  if (!column) return;
  const sign = view.descending ? -1 : 1, collator = new Intl.Collator("en", { numeric: true });
  found.sort((a, b) => {
    const x = column.at(a), y = column.at(b);
    if (x === null || y === null) return (x === null) - (y === null) || a - b;
    if (typeof x === "number" && typeof y === "number") return sign * (x - y) || a - b;
    return sign * collator.compare(x, y) || a - b;
  });
}

/* ---- the table ---- */

const swatch = name => {
  const v = data.verdicts[name];
  return v ? make("span", { className: "swatch small", text: v.symbol, "aria-hidden": "true", style: { background: v.colour, color: ink(v.colour) } }) : null;
};

function drawTable() {
  const body = $("body"), shown = columns.slice(0, data.shown);
  const opened = i => { trail = found; back = null; open(i); };
  body.replaceChildren(...found.slice(0, limit).map(i => make("tr", { onclick: event => { if (event.target.tagName !== "BUTTON") opened(i); } },
    ...shown.map((c, k) => make("td", { className: is_number[k] ? "number" : "" },
      c === verdict ? swatch(c.at(i)) : null, text(c.at(i)))),
    make("td", {}, make("button", { type: "button", text: "open", "aria-label": "open cell " + id.at(i), onclick: () => opened(i) })))));
  const more = found.length > limit ? ", the first " + limit + " shown" : "";
  $("count").textContent = found.length.toLocaleString("en") + " of " + size.toLocaleString("en") + " cells" + more;
  $("next").hidden = found.length <= limit;
  document.querySelectorAll("#head th").forEach((head, k) => {
    if (k >= data.shown) return;
    const on = columns[k].name === view.sort;
    head.setAttribute("aria-sort", on ? (view.descending ? "descending" : "ascending") : "none");
    head.firstChild.textContent = columns[k].name + (on ? (view.descending ? " ↓" : " ↑") : "");
  });
}

function buildTable() {
  columns.slice(0, data.shown).forEach((c, k) => $("head").append(make("th", { className: is_number[k] ? "number" : "", scope: "col", title: c.about || "" },
    make("button", { type: "button", text: c.name, onclick: () => {
      view.descending = view.sort === c.name && !view.descending;
      view.sort = c.name;
      refresh(false);
    } }))));
  $("head").append(make("th", {}));
  $("search").addEventListener("input", () => { view.search = $("search").value; refresh(false); });
  $("next").addEventListener("click", () => { limit += 4 * STEP; drawTable(); });
}

/* ---- filters: they act on figures and table ---- */

const selects = new Map();
function buildFilters() {
  for (const c of [verdict, ...axes, status]) {
    const values = c && (c.list || [...new Set(c.values)]);
    if (!values || values.length < 2 || values.length > MOST_CHOICES) continue;
    const select = make("select", { name: c.name, onchange: () => {
      select.value ? view.chosen.set(c.name, select.value) : view.chosen.delete(c.name);
      refresh();
    } }, new Option("any", ""));
    const sorted = values.every(v => v === null || typeof v === "number") ? [...values].sort((a, b) => (a === null) - (b === null) || a - b) : values;
    sorted.forEach(v => select.append(new Option(text(v), text(v))));
    selects.set(c.name, select);
    $("filters").append(make("label", {}, c.name, select));
  }
  $("view").hidden = !selects.size;
  $("view").addEventListener("submit", event => event.preventDefault());
  $("view").addEventListener("reset", () => { view.chosen.clear(); Object.assign(view, { statement: null, search: "" }); refresh(); });
}

/* ---- figures ---- */

const ink = colour => {
  const [r, g, b] = [1, 3, 5].map(k => parseInt(colour.slice(k, k + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#111" : "#fff";
};
function brief(x, format) {  // as numbers.number has it
  if (x === Infinity) return "∞";
  if (format === "percent") return (100 * x).toFixed(0) + "%";
  if (x === 0) return "0";
  if (format === "decimals") return x.toFixed(2);
  if (format === "whole") return x.toFixed(0);
  const size = Math.abs(x);
  if (size >= 0.01 && size < 1000) return size < 100 ? String(Number(x.toPrecision(2))) : x.toFixed(0);
  const [mantissa, exponent] = x.toExponential(0).split("e");
  return mantissa + "e" + Number(exponent);
}
function colourOf(figure, x) {
  const f = figure.log ? Math.log : y => y, low = f(figure.low), high = f(figure.high);
  const share = high > low ? (f(Math.max(x, figure.log ? 1e-300 : x)) - low) / (high - low) : 0;
  return figure.colours[Math.round(Math.min(Math.max(share, 0), 1) * (figure.colours.length - 1))];
}
const AGGREGATES = {
  median: v => { const low = v[(v.length - 1) >> 1], high = v[v.length >> 1]; return Number.isFinite(high) ? (low + high) / 2 : low; },
  mean: v => v.reduce((a, b) => a + b, 0) / v.length,
  least: v => v[0],
  greatest: v => v[v.length - 1],
};

/** The aggregate of a tile over the cells that fit the filters; the same rules as aggregation.lay_out. */
function settle(figure, part, tile) {
  const members = [], column = figure.column, counts = { failed: 0, excluded: 0, pending: 0 };
  const values = [], tally = new Map();
  for (let k = part.starts[tile]; k < part.starts[tile + 1]; k++) {
    const i = part.cells[k];
    if (!fits[i]) continue;
    members.push(i);
    const state = status.at(i);
    if (state !== "ok") { counts[state in counts ? state : "failed"]++; continue; }
    let v = column.at(i);
    if (figure.categories) { if (v !== null) tally.set(v, (tally.get(v) || 0) + 1); }
    else if (v !== null) values.push(Number(v));
    else if (column.null && !figure.unmeasured.has(i)) values.push(Infinity);
  }
  const result = { members, counts, n: values.length };
  if (figure.categories) {
    figure.categories.forEach(category => {
      const n = tally.get(category.name) || 0;
      if (n && (!result.category || figure.aggregate === "worst" || n >= result.agreeing)) Object.assign(result, { category, agreeing: n });
    });
    result.n = [...tally.values()].reduce((a, b) => a + b, 0);
  } else if (values.length) {
    values.sort((a, b) => a - b);
    result.value = AGGREGATES[figure.aggregate](values);
    result.low = values[0];
    result.high = values[values.length - 1];
  }
  return result;
}

const keysOf = (figure, part, tile) => {
  const row = part.rows[Math.floor(tile / part.columns.length)], column = part.columns[tile % part.columns.length];
  return [...part.facet, ...figure.row_axes.map((a, k) => [a, row[k]]), ...figure.column_axes.map((a, k) => [a, column[k]])];
};

function described(figure, part, tile) {
  const now = settle(figure, part, tile), lines = [keysOf(figure, part, tile).map(([a, v]) => a + "=" + v).join(", ")];
  if (now.category) lines.push(now.category.name + (now.n > 1 ? " in " + now.agreeing + " of " + now.n + " cells" : ""));
  else if (now.value !== undefined) {
    const word = now.value === Infinity ? figure.column.null : brief(now.value, figure.column.format);
    lines.push(figure.column.unit + ": " + (now.n > 1 ? figure.aggregate + " " : "") + word);
    if (now.n > 1) {
      lines.push("from " + brief(now.low, figure.column.format) + " to " + brief(now.high, figure.column.format) + ", n = " + now.n);
      if (part.settings[tile] > 1 && !narrowed()) lines.push(part.settings[tile] + " settings pooled: " + figure.pooled.join(", "));
      const sure = part.intervals[tile];
      if (sure && !narrowed()) lines.push("95 % interval of the median " + sure[0] + " to " + sure[1]);
    }
  } else lines.push(now.members.length ? "no value" : "no cell");
  for (const [state, n] of Object.entries(now.counts)) if (n) lines.push(n + " " + data.statuses[state]);
  return lines.join("\n");
}

function tip(message, x, y) {
  const node = $("tip");
  if (node.textContent !== message) node.textContent = message;
  if (!message) return;
  const box = node.getBoundingClientRect();
  node.style.left = Math.max(4, Math.min(x + 14, innerWidth - box.width - 4)) + "px";
  node.style.top = (y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 10) : y + 18) + "px";
}

const share = x => (100 * x).toFixed(4) + "%";
const redraws = [];

function buildHeatmap(name, figure, picture) {
  figure.column = byName.get(figure.value);
  if (!figure.column) return;
  figure.unmeasured = new Set(data.missing[figure.column.of] || []);
  for (const part of figure.parts) {
    const [left, top, width, height] = part.box, rows = part.rows.length, across = part.columns.length;
    const mark = make("div", { className: "mark", hidden: true }), filled = make("div", { "aria-hidden": "true" });
    let at = -1;
    const box = tile => ({
      left: share((tile % across) / across), top: share(Math.floor(tile / across) / rows), width: share(1 / across), height: share(1 / rows),
    });
    const point = (tile, x, y) => {
      at = tile;
      mark.hidden = tile < 0;
      if (tile >= 0) Object.assign(mark.style, box(tile));
      tip(tile < 0 ? "" : described(figure, part, tile), x, y);
    };
    const under = event => {
      const r = panel.getBoundingClientRect();
      const x = Math.floor(across * (event.clientX - r.left) / r.width), y = Math.floor(rows * (event.clientY - r.top) / r.height);
      return x >= 0 && x < across && y >= 0 && y < rows ? y * across + x : -1;
    };
    const panel = make("div", {
      className: "panel", tabIndex: 0, role: "application",
      "aria-label": figure.title + (part.facet.length ? ", " + part.facet.map(f => f.join("=")).join(", ") : "") + ": heatmap of " + rows + " by " + across + " tiles; arrow keys move, Enter opens",
      style: { left: share(left), top: share(top), width: share(width), height: share(height) },
      onpointermove: event => point(under(event), event.clientX, event.clientY),
      onpointerleave: () => point(-1),
      onblur: () => point(-1),
      onclick: event => { const tile = under(event); if (tile >= 0) openTile(figure, part, tile); },
      onkeydown: event => {
        const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
        if (event.key === "Enter" && at >= 0) { event.preventDefault(); openTile(figure, part, at); }
        if (event.key === "Escape") point(-1);
        if (!step) return;
        event.preventDefault();
        const next = at < 0 ? 0 : at + step;
        if (next < 0 || next >= rows * across || (Math.abs(step) === 1 && at >= 0 && Math.floor(next / across) !== Math.floor(at / across))) return;
        const r = panel.getBoundingClientRect();
        point(next, r.left + r.width * ((next % across) + 0.5) / across, r.top + r.height * (Math.floor(next / across) + 0.5) / rows);
      },
    }, filled, mark);
    picture.append(panel);
    redraws.push(() => {
      if (!narrowed()) return filled.replaceChildren();
      filled.replaceChildren(...part.starts.slice(0, -1).map((_, tile) => {
        const now = settle(figure, part, tile), style = box(tile);
        if (now.category) {
          Object.assign(style, { background: now.category.colour, color: ink(now.category.colour) });
          return make("div", { className: "tile", style, text: now.category.symbol + (now.agreeing < now.n ? " " + now.agreeing + "/" + now.n : "") });
        }
        if (now.value === undefined || now.value === Infinity)
          return make("div", { className: "tile " + (now.value === Infinity ? "infinite" : "none"), style });
        const colour = colourOf(figure, now.value);
        Object.assign(style, { background: colour, color: ink(colour) });
        return make("div", { className: "tile", style, text: Math.max(rows, across) <= 40 ? brief(now.value, figure.column.format) : "" });
      }));
    });
  }
}

/** The same tiles as a table, for those who read rather than look; made when it is opened. */
function buildReading(figure, host) {
  const scroll = make("div", { className: "scroll" }), names = [...figure.parts[0].facet.map(f => f[0]), ...figure.row_axes, ...figure.column_axes];
  const fill = () => {
    if (!reading.open) return scroll.replaceChildren();
    const lines = figure.parts.flatMap(part => part.starts.slice(0, -1).map((_, k) => make("tr", {},
      ...keysOf(figure, part, k).map(([, v]) => make("td", { text: v })),
      make("td", { text: described(figure, part, k).split("\n").slice(1).join("; ").replace(figure.column.unit + ": ", "") }))));
    scroll.replaceChildren(make("table", {},
      make("thead", {}, make("tr", {}, ...[...names, figure.column.unit].map(n => make("th", { text: n, scope: "col" })))), make("tbody", {}, ...lines)));
  };
  const reading = make("details", { className: "reading", ontoggle: fill }, make("summary", { text: "As a table" }), scroll);
  host.append(reading);
  redraws.push(fill);
}

function buildPoints(name, figure, picture) {
  const [left, top, width, height] = figure.box, x = byName.get(figure.x), y = byName.get(figure.y);
  if (!x || !y) return;
  const along = (v, [low, high], log) => { const f = log ? Math.log : u => u; return (f(v) - f(low)) / (f(high) - f(low)); };
  const unchecked = new Set(data.missing.check), points = [];
  for (let i = 0; i < size; i++) {
    if (status.at(i) !== "ok" || !(verdict.at(i) in data.verdicts) || verdict.at(i) === "not checked" || y.at(i) === null || unchecked.has(i)) continue;
    const error = x.at(i) === null ? figure.not_finite : Math.min(Math.max(x.at(i), figure.least), figure.not_finite);
    const px = along(error, figure.x_limits, figure.log_x), py = 1 - along(Number(y.at(i)), figure.y_limits, figure.log_y);
    if (Number.isFinite(px) && Number.isFinite(py)) points.push([i, px, py]);
  }
  const canvas = make("canvas", {});
  const nearest = event => {
    const r = panel.getBoundingClientRect();
    let best = -1, closest = 12 * 12;
    for (const [i, px, py] of points) {
      if (!fits[i]) continue;
      const d = (px * r.width + r.left - event.clientX) ** 2 + (py * r.height + r.top - event.clientY) ** 2;
      if (d < closest) { closest = d; best = i; }
    }
    return best;
  };
  const panel = make("div", {
    className: "panel", style: { left: share(left), top: share(top), width: share(width), height: share(height) },
    onpointermove: event => { const i = nearest(event); tip(i < 0 ? "" : summary(i), event.clientX, event.clientY); },
    onpointerleave: () => tip(""),
    onclick: event => { const i = nearest(event); if (i >= 0) open(i); },
  }, canvas);
  picture.append(panel);
  redraws.push(() => {
    const r = panel.getBoundingClientRect(), dense = devicePixelRatio || 1;
    canvas.width = r.width * dense;
    canvas.height = r.height * dense;
    if (!narrowed()) return;
    const pen = canvas.getContext("2d");
    pen.scale(dense, dense);
    pen.fillStyle = "#ffffffd8";
    pen.fillRect(0, 0, r.width, r.height);
    pen.strokeStyle = "#333";
    for (const [i, px, py] of points) {
      if (!fits[i]) continue;
      pen.beginPath();
      pen.arc(px * r.width, py * r.height, 3.5, 0, 7);
      pen.fillStyle = data.verdicts[verdict.at(i)].colour;
      pen.fill();
      pen.stroke();
    }
  });
}

function buildFigures() {
  for (const [name, figure] of Object.entries(data.figures)) {
    const host = $(name), picture = host && host.querySelector(".picture");
    if (!picture) continue;
    figure.title = host.dataset.title;
    host.classList.add("asks");
    if (figure.kind === "points") buildPoints(name, figure, picture);
    else { buildHeatmap(name, figure, picture); buildReading(figure, host); }
  }
}

/* ---- a cell and a tile, in a dialog ---- */

const summary = i => [
  axes.filter(c => c.at(i) !== null).map(c => c.name + "=" + c.at(i)).join(", "),
  text(verdict.at(i)) + (value(i, "cause") ? ": " + value(i, "cause") : ""),
].join("\n");

function show(title, ...inside) {
  const dialog = $("cell");
  dialog.replaceChildren(
    make("button", { type: "button", className: "close", text: "Close", onclick: () => dialog.close() }),
    make("h2", { id: "cell-title" }, ...title), ...inside.filter(Boolean));
  tip("");
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

function openTile(figure, part, tile) {
  const { members } = settle(figure, part, tile);
  [trail, back] = [members, () => openTile(figure, part, tile)];
  if (members.length === 1) { back = null; return open(members[0]); }
  const keys = keysOf(figure, part, tile), named = new Set(keys.map(k => k[0]));
  const differ = axes.filter(c => !named.has(c.name) && new Set(members.map(c.at)).size > 1);
  const shown = [verdict, ...differ, ...data.listed.map(name => byName.get(name))]
    .filter(c => c && members.some(i => c.at(i) !== null));
  const listed = members.slice(0, MOST_LISTED);
  show([keys.map(([a, v]) => a + "=" + v).join(", ")],
    make("p", { className: "soft", text: described(figure, part, tile).split("\n").slice(1).join("; ") }),
    members.length ? make("div", { className: "scroll" }, make("table", { className: "list" },
      make("thead", {}, make("tr", {}, make("th", { text: "cell" }), ...shown.map(c => make("th", { text: c.name, scope: "col" })))),
      make("tbody", {}, ...listed.map(i => make("tr", {},
        make("td", {}, make("button", { type: "button", className: "mono", text: id.at(i).slice(0, 10), onclick: () => open(i) })),
        ...shown.map(c => make("td", {}, c === verdict ? swatch(c.at(i)) : null, text(c.at(i))))))))) : null,
    members.length > listed.length ? make("p", { className: "soft", text: "The first " + listed.length + " of " + members.length + "; filter by axis to see the others in the table." }) : null);
}

const NS = "http://www.w3.org/2000/svg";
function svg(tag, given, content) {
  const node = document.createElementNS(NS, tag);
  for (const [key, value] of Object.entries(given)) node.setAttribute(key, value);
  if (content !== undefined) node.textContent = content;
  return node;
}

/** A curve of one cell: axes with their ends, a line, and guides as [slope, label]. */
function plot(title, xs, ys, { log_x = false, log_y = false, x_label = "step", guides = [] } = {}) {
  const W = 340, H = 200, [l, r, t, b] = [58, 10, 22, 34];
  const fx = log_x ? Math.log10 : v => v, fy = log_y ? Math.log10 : v => v;
  const kept = xs.map((x, k) => [fx(x), fy(ys[k])]).filter(p => p.every(Number.isFinite));
  if (!kept.length) return null;
  let [x0, x1] = [Math.min(...kept.map(p => p[0])), Math.max(...kept.map(p => p[0]))];
  let [y0, y1] = [Math.min(...kept.map(p => p[1])), Math.max(...kept.map(p => p[1]))];
  if (x0 === x1) { x0 -= 0.5; x1 += 0.5; }
  if (y1 - y0 < 1e-9 * Math.max(1, Math.abs(y0))) { y0 -= 0.5; y1 += 0.5; }
  const px = x => l + (W - l - r) * (x - x0) / (x1 - x0), py = y => H - b - (H - t - b) * (y - y0) / (y1 - y0);
  const node = svg("svg", { viewBox: `0 0 ${W} ${H}`, width: W, height: H, role: "img", "aria-label": title + ": from " + brief(ys[0]) + " to " + brief(ys[ys.length - 1]), "font-size": 11, "font-family": "sans-serif", fill: "#222" });
  node.append(svg("text", { x: l, y: 14, "font-weight": 600 }, title));
  node.append(svg("path", { d: `M${l} ${t}V${H - b}H${W - r}`, fill: "none", stroke: "#888" }));
  const back = log => v => brief(log ? 10 ** v : v);
  [[y0, H - b], [(y0 + y1) / 2, (t + H - b) / 2 + 4], [y1, t + 8]].forEach(([v, y]) => node.append(svg("text", { x: l - 5, y, "text-anchor": "end" }, back(log_y)(v))));
  [[x0, "start", l], [x1, "end", W - r]].forEach(([v, anchor, x]) => node.append(svg("text", { x, y: H - b + 14, "text-anchor": anchor }, back(log_x)(v))));
  node.append(svg("text", { x: (l + W - r) / 2, y: H - 6, "text-anchor": "middle" }, x_label));
  const low = kept.reduce((a, p) => p[1] < a[1] ? p : a);
  for (const [slope, name] of y1 - y0 > 3 ? guides : []) {  // through the lowest point of a curve with a valley
    const end = slope < 0 ? x0 : x1;
    let y = low[1] + slope * (end - low[0]), x = end;
    if (y > y1) { x = low[0] + (y1 - low[1]) / slope; y = y1; }
    node.append(svg("path", { d: `M${px(low[0])} ${py(low[1])}L${px(x)} ${py(y)}`, stroke: "#777", "stroke-dasharray": "2 3" }));
    node.append(svg("text", { x: px((x + low[0]) / 2), y: py((y + low[1]) / 2) - 4, fill: "#555", "text-anchor": slope < 0 ? "start" : "end" }, name));
  }
  node.append(svg("path", { d: "M" + kept.map(p => px(p[0]).toFixed(1) + " " + py(p[1]).toFixed(1)).join("L"), fill: "none", stroke: "#0072B2", "stroke-width": 1.6 }));
  if (kept.length === 1) node.append(svg("circle", { cx: px(kept[0][0]), cy: py(kept[0][1]), r: 3, fill: "#0072B2" }));
  return node;
}

const pieces = new Map();
async function detail(i) {
  const k = data.pieces[i];
  if (k < 0) return null;
  if (!pieces.has(k)) pieces.set(k, unpacked(document.getElementsByClassName("piece")[k]));
  return (await pieces.get(k))[id.at(i)];
}

/** The cells among which the opened one stands, and what leads back to their list. */
let trail = [], back = null;
function ways(i) {
  const at = trail.indexOf(i), way = (words, j) => make("button", { type: "button", text: words, disabled: j === undefined, onclick: () => open(j) });
  if (at < 0 || trail.length < 2) return null;
  return make("p", { className: "ways" }, back ? make("button", { type: "button", text: "Back to the tile", onclick: back }) : null,
    way("Previous", trail[at - 1]), way("Next", trail[at + 1]), make("span", { className: "soft", text: " " + (at + 1).toLocaleString("en") + " of " + trail.length.toLocaleString("en") }));
}

const value = (i, name) => byName.has(name) ? byName.get(name).at(i) : null;
async function open(i) {
  view.cell = id.at(i);
  writeAddress();
  const name = verdict.at(i), known = data.verdicts[name], state = status.at(i), more = await detail(i);
  if (view.cell !== id.at(i)) return;  // another was opened meanwhile
  const lines = (label, given) => given ? make("p", {}, make("strong", { text: label + " " }), given) : null;
  const pair = (key, v) => make("div", {}, make("dt", { text: key }), make("dd", { className: "mono", text: text(v) }));
  const settings = make("dl", {}, ...axes.filter(c => c.at(i) !== null).map(c => pair(c.name, c.at(i))));
  const results = columns.filter(c => !axes.includes(c) && c.at(i) !== null && !data.unsearched.includes(c.name));
  const rest = make("dl", {}, ...[...constants].map(([key, v]) => pair(key, v)), ...results.map(c => pair(c.name, c.at(i))));
  const plots = [];
  if (more) {
    for (const s of data.series) {
      const [steps, values] = more.curves[s.name] || [[], []];
      if (steps.length) plots.push(plot(s.title, s.exponents ? steps.map(e => 2 ** e) : steps, values, {
        log_x: s.exponents, log_y: s.log && values.every(v => v > 0), x_label: s.x, guides: s.exponents ? [[-1, "slope −1"], [2, "slope +2"]] : [],
      }));
    }
  }
  const command = value(i, "command"), copy = make("button", { type: "button", text: "Copy the command", onclick: () =>
    navigator.clipboard.writeText(command).then(() => { copy.textContent = "Copied"; }, () => { copy.textContent = "Select and copy it by hand"; }) });
  show([swatch(name), state === "ok" ? text(name) : state], ways(i),
    known ? make("p", { text: known.sentence + " " + known.remedy }) : null,
    ...data.headings.map(([heading, column]) => lines(heading + ":", value(i, column))),
    make("h3", { text: "Case" }), settings,
    more && more.tensors.length ? make("h3", { text: "Tensors" }) : null,
    more && more.tensors.length ? make("div", { className: "scroll" }, make("table", {},
      make("thead", {}, make("tr", {}, ...data.tensor_columns.map(c => make("th", { text: c.name, title: c.about, scope: "col" })))),
      make("tbody", {}, ...more.tensors.map(row => make("tr", {}, ...row.map(v => make("td", { className: typeof v === "number" ? "number" : "", text: text(v) }))))))) : null,
    plots.some(Boolean) ? make("h3", { text: "Curves" }) : null,
    plots.some(Boolean) ? make("div", { className: "plots" }, ...plots.filter(Boolean)) : null,
    more ? null : make("p", { className: "soft", text: "Tensors and curves of this cell are in tensors.parquet and curves.parquet." }),
    value(i, "traceback") ? make("details", {}, make("summary", { text: "Traceback" }), make("pre", { text: value(i, "traceback") })) : null,
    make("h3", { text: "Reproduce" }), make("pre", { text: text(command) }), copy,
    make("details", {}, make("summary", { text: "All settings and results" }), rest));
}
$("cell").addEventListener("close", () => { view.cell = null; writeAddress(); });
$("cell").addEventListener("click", event => { if (event.target === $("cell")) $("cell").close(); });

/* ---- together ---- */

function refresh(figures = true) {
  limit = STEP;
  filter();
  find();
  drawTable();
  if (figures) {
    document.body.classList.toggle("filtered", narrowed());
    for (const [name, select] of selects) {
      select.value = view.chosen.get(name) || "";
      select.classList.toggle("on", view.chosen.has(name));
    }
    const n = fits.reduce((a, b) => a + b, 0);
    const chosen = [...view.chosen].map(c => c.join("="));
    if (view.statement !== null) chosen.unshift("statement (" + view.statement + ")");
    $("shown").textContent = chosen.length ? chosen.join(", ") + ": " + n.toLocaleString("en") + " of " + size.toLocaleString("en") + " cells" : "";
    $("all").hidden = !narrowed();
    if ($("search").value !== view.search) $("search").value = view.search;
    redraws.forEach(draw => draw());
  }
  writeAddress();
}

function follow() {
  const before = view.cell;
  readAddress();
  const cell = view.cell;
  [trail, back] = [[], null];
  refresh();
  if (!cell) { if (before && $("cell").open) $("cell").close(); return; }
  for (let i = 0; i < size; i++) if (id.at(i).startsWith(cell)) { open(i); return; }
}

buildFilters();
buildTable();
buildFigures();
follow();
addEventListener("hashchange", follow);
addEventListener("resize", () => { if (narrowed()) redraws.forEach(draw => draw()); });
document.querySelectorAll(".cells-of").forEach(link => link.addEventListener("click", () => setTimeout(() => $("cells").scrollIntoView())));
addEventListener("scroll", () => tip(""), { passive: true });
document.documentElement.dataset.ready = "true";
})();
