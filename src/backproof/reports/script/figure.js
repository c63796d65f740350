/* ---- a figure: what it is asked for, its controls, and when it is drawn ---- */

const DRAWN_BY = { heatmap: drawHeatmap, points: drawPoints, curves: drawCurves, parallel: drawParallel };
const SHELVES = {
  heatmap: [
    ["rows", "Rows"],
    ["columns", "Columns"],
    ["facet", "Small multiples"],
  ],
  curves: [
    ["rows", "Lines"],
    ["columns", "Panels"],
  ],
  points: [],
  parallel: [["axes", "Shown"]],
};
const figures = new Map();

class Figure {
  constructor(host, given) {
    Object.assign(this, {
      host,
      given,
      number: String(given.number),
      kind: given.kind,
      title: host.dataset.title,
      lines: given.lines,
      stale: true,
      near: false,
    });
    this.mask = given.cells ? maskOf(given.cells) : new Uint8Array(size).fill(1);
    this.drawing = host.querySelector(".drawing");
    this.image = host.querySelector(".card img");
    this.headline = host.querySelector(".headline");
    this.said = { headline: this.headline.textContent, finding: host.querySelector(".finding").textContent };
    this.controls = host.querySelector(".asked");
    this.controls.addEventListener("toggle", () => this.drawControls());
    this.host.querySelector(".saves").append(
      "This view: ",
      ...["SVG", "PNG", "CSV", "LaTeX"].map((format) =>
        make("button", {
          type: "button",
          className: "plain",
          text: format,
          "aria-label": "Save " + this.title + " as " + format,
          onclick: () => save(this, format),
        }),
      ),
    );
    figures.set(this.number, this);
    seen.observe(host);
  }

  /** What it shows before anybody turns it. */
  get asGiven() {
    return { rows: [], columns: [], facet: [], scale: "auto", ...this.given.spec };
  }

  /** What is drawn: as given, with what the reader changed. */
  get spec() {
    return { ...this.asGiven, ...view.turned.get(this.number) };
  }

  isTurned() {
    return view.turned.has(this.number);
  }

  turn(changes) {
    const now = { ...view.turned.get(this.number), ...changes },
      given = this.asGiven;
    for (const [what, v] of Object.entries(now)) if (String(v) === String(given[what])) delete now[what];
    if (Object.keys(now).length) view.turned.set(this.number, now);
    else view.turned.delete(this.number);
    this.ask();
    writeAddress();
  }

  /** The cells that it shows, filtered or all. */
  cells(filtered = true) {
    if (!filtered) return kept(this.mask);
    const mask = new Uint8Array(size);
    for (let i = 0; i < size; i++) mask[i] = this.mask[i] & fits[i];
    return kept(mask);
  }

  /** How many pixels wide a drawing may be; asked for anew when the window's width changes. */
  get room() {
    if (this.measured?.at !== innerWidth) {
      const style = getComputedStyle(this.drawing.parentNode);
      this.measured = {
        at: innerWidth,
        room: this.drawing.parentNode.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight),
      };
    }
    return this.measured.room;
  }

  /** The categories of a column over all its cells, so that colours and symbols stay under a filter. */
  categoriesFor(name) {
    const column = byName.get(name);
    return column.categories ? categoriesOf(column, this.cells(false)) : null;
  }

  /** To be drawn anew, now or when it comes into sight. */
  ask() {
    this.stale = true;
    if (this.near) return this.draw();
    drawRest();
  }

  // Whoever asks while it is being drawn waits for it, too.
  draw() {
    if (this.stale) {
      this.stale = false;
      this.beingDrawn = this.drawAnew();
    }
    return this.beingDrawn;
  }

  async drawAnew() {
    const asked = narrowed() || this.isTurned();
    if (this.image) {
      // of all cells, of which the page holds some: shown until something else is asked for
      this.image.hidden = asked;
      if (!asked) return this.show(null);
    }
    const turn = (this.turns = (this.turns || 0) + 1);
    const drawn = await DRAWN_BY[this.kind](this, this.spec, this.cells(), this.room);
    if (turn === this.turns) this.show(drawn, asked);
  }

  show(drawn, asked) {
    this.drawn = drawn;
    this.drawing.replaceChildren(
      ...(drawn?.node ? [drawn.node] : drawn ? [make("p", { className: "refuted", text: drawn.problem })] : []),
    );
    if (drawn?.node) {
      Object.assign(this.drawing.style, { width: drawn.node.getAttribute("width") + "px", minHeight: "" });
      drawn.attach(this.drawing);
    }
    const words = this.host.querySelector(".finding"),
      of = asked ? "Of the " + counted(this.cells().length) + " cells shown: " : "";
    this.headline.textContent =
      !asked || !drawn?.node
        ? this.said.headline
        : this.isTurned()
          ? drawn.title
          : of + (this.given.caption ? filled(this.given.caption, this.cells()) : drawn.title);
    words.textContent =
      !asked || !drawn?.node
        ? this.said.finding
        : (this.isTurned() ? of : "") + [drawn.finding, drawn.pooled].filter(Boolean).join(" ");
    this.host.classList.toggle("turned", this.isTurned());
    this.drawing.parentNode.classList.toggle(
      "wide",
      Boolean(drawn?.node) && Number(drawn.node.getAttribute("width")) > this.room + 1,
    );
    if (this.controls.open) this.drawControls();
    const reading = this.host.querySelector(".reading");
    if (reading?.open) readAsTable(this, reading);
  }

  /** Menus and shelves; made when they are opened, and anew after each change. */
  drawControls() {
    const host = this.controls.querySelector(".shelves");
    if (!this.controls.open) return host.replaceChildren();
    const focused = document.activeElement?.getAttribute("aria-label"),
      spec = this.spec,
      ask = (what) => (v) => this.turn({ [what]: v });
    const labelled = (words, node) => make("label", {}, words, node);
    const menus = [];
    const measured = columns
      .filter((c) => c.drawn && (c.isNumber || c.categories) && c.distinct.length)
      .map((c) => c.name);
    const numeric = measured.filter((name) => byName.get(name).isNumber),
      few = axes.filter((a) => a.distinct.length <= OTHER_COLOURS.length).map((a) => a.name);
    const scales = [
      ["auto", "chosen by the data"],
      ["linear", "linear"],
      ["log", "logarithmic"],
    ];
    if (this.kind === "heatmap") {
      const column = byName.get(spec.value),
        ways = aggregatesOf(column);
      menus.push(
        labelled(
          "Value",
          menu("Value of " + this.title, measured, spec.value, (v) =>
            this.turn({
              value: v,
              ...(ways.includes(aggregatesOf(byName.get(v))[0]) ? {} : { aggregate: aggregatesOf(byName.get(v))[0] }),
            }),
          ),
        ),
      );
      menus.push(
        labelled(
          "Aggregate",
          menu(
            "Aggregate of " + this.title,
            ways,
            ways.includes(spec.aggregate) ? spec.aggregate : ways[0],
            ask("aggregate"),
          ),
        ),
      );
      if (!column.categories)
        menus.push(labelled("Colours", menu("Colours of " + this.title, scales, spec.scale, ask("scale"))));
    }
    if (this.kind === "points") {
      menus.push(
        labelled("Across", menu("Across in " + this.title, [...numeric, ...axes.map((a) => a.name)], spec.x, ask("x"))),
        labelled("Up", menu("Up in " + this.title, [...numeric, ...axes.map((a) => a.name)], spec.y, ask("y"))),
      );
      menus.push(labelled("Scales", menu("Scales of " + this.title, scales, spec.scale, ask("scale"))));
    }
    if (this.kind === "points" || this.kind === "parallel")
      menus.push(
        labelled(
          "Colour",
          menu(
            "Colour of " + this.title,
            ["verdict", ...(byName.get("cause")?.distinct.length ? ["cause"] : []), ...few],
            spec.colour || "verdict",
            ask("colour"),
          ),
        ),
      );
    const shelves = SHELVES[this.kind],
      sides = shelves.map(([side]) => side),
      used = sides.flatMap((side) => spec[side]);
    const offered = this.kind === "parallel" ? [...axes.map((a) => a.name), ...measured] : axes.map((a) => a.name);
    const shelf = (side, words, names) =>
      make(
        "div",
        {
          className: "shelf",
          ondragover: (event) => event.preventDefault(),
          ondrop: (event) => {
            event.preventDefault();
            this.move(event.dataTransfer.getData("text/plain"), side, event.target.closest(".chip")?.dataset.axis);
          },
        },
        make("span", { className: "soft", text: words }),
        ...names.map((name) => this.chip(name, side, shelves)),
      );
    host.replaceChildren(
      make("div", { className: "controls" }, ...menus),
      ...shelves.map(([side, words]) => shelf(side, words, spec[side])),
      ...(shelves.length
        ? [
            shelf(
              "",
              "Not used",
              offered.filter((name) => !used.includes(name)),
            ),
          ]
        : []),
      this.isTurned()
        ? make("button", {
            type: "button",
            text: "As it was",
            onclick: () => {
              view.turned.delete(this.number);
              this.ask();
              writeAddress();
            },
          })
        : "",
    );
    if (focused)
      [...host.querySelectorAll("[aria-label]")].find((node) => node.getAttribute("aria-label") === focused)?.focus();
  }

  chip(name, side, shelves) {
    return make(
      "span",
      {
        className: "chip",
        draggable: true,
        "data-axis": name,
        ondragstart: (event) => event.dataTransfer.setData("text/plain", name),
      },
      name,
      menu(
        "Where " + name + " stands in " + this.title,
        [...shelves.map(([s, words]) => [s, words.toLowerCase()]), ["", "not used"]],
        side,
        (to) => this.move(name, to),
      ),
    );
  }

  /** Put an axis on a shelf, before another one or last. */
  move(name, side, before) {
    if (!byName.has(name) || name === before) return;
    const changes = {};
    for (const [s] of SHELVES[this.kind]) changes[s] = this.spec[s].filter((other) => other !== name);
    if (side)
      changes[side].splice(
        before && changes[side].includes(before) ? changes[side].indexOf(before) : changes[side].length,
        0,
        name,
      );
    this.turn(changes);
  }
}

const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const figure = [...figures.values()].find((f) => f.host === target);
    figure.near = isIntersecting;
    if (isIntersecting) figure.draw();
  }
});

function buildFigures() {
  for (const [stem, given] of Object.entries(data.figures)) {
    const host = $(stem);
    if (!host) continue;
    const figure = new Figure(host, given);
    if (figure.kind === "heatmap")
      host.append(
        make(
          "details",
          { className: "reading", ontoggle: (event) => readAsTable(figure, event.target) },
          make("summary", { text: "As a table" }),
          make("div", { className: "scroll", tabIndex: 0 }),
        ),
      );
  }
  // A card that has more to its right says so on a small screen.
  document
    .querySelectorAll(".card:not(.live)")
    .forEach((card) => card.classList.toggle("wide", card.scrollWidth > card.clientWidth + 1));
  addEventListener("beforeprint", () => {
    figures.forEach((figure) => figure.draw());
    if (rows.stale) drawRows();
  });
}

/** What is out of sight is drawn when nothing else is to do, so that what is scrolled to or printed is there. */
let waiting = false;
function drawRest() {
  if (waiting) return;
  waiting = true;
  (window.requestIdleCallback || ((f) => setTimeout(f, 100)))(async () => {
    waiting = false;
    const next = [...figures.values()].find((figure) => figure.stale);
    if (next) await next.draw();
    else if (rows.stale) drawRows();
    else return;
    drawRest();
  });
}

/** The same tiles as a table, for those who read rather than look. */
function readAsTable(figure, reading) {
  const host = reading.querySelector(".scroll");
  if (!reading.open || !figure.drawn?.grid) return host.replaceChildren();
  const { grid } = figure.drawn,
    names = [...grid.spec.facet, ...grid.spec.rows, ...grid.spec.columns],
    lines = [];
  for (const [part, r, c] of tilesOf(grid)) {
    const key = settingsAt(grid, part, r, c).map(([name, code]) => keyLabel(name, code)),
      words = valueWords(grid, part, r, c).replace(unitOf(grid.column) + ": ", "");
    lines.push(make("tr", {}, ...key.map((v) => make("td", { text: v })), make("td", { text: words })));
  }
  host.replaceChildren(
    make(
      "table",
      {},
      make(
        "thead",
        {},
        make("tr", {}, ...[...names, unitOf(grid.column)].map((n) => make("th", { text: n, scope: "col" }))),
      ),
      make("tbody", {}, ...lines),
    ),
  );
}

/* ---- saving a view ---- */

const PRINTED =
  "text{font:11px 'DejaVu Sans',Verdana,sans-serif;fill:#1c1e21}.soft{fill:#5b6168}.axis,.rule{stroke:#1c1e21;fill:none}.grid{stroke:#e5e5e5;fill:none}.frame{stroke:#8c8c8c}svg{--hatch:#8c8c8c;--link:#0b5cad;background:#fff}";

/** The figure as a file of its own: light, with its style and its title inside. */
function standalone(figure) {
  const node = figure.drawn.node.cloneNode(true),
    W = Number(node.getAttribute("width")) + 16,
    H = Number(node.getAttribute("height")) + 34;
  if (figure.drawn.extra) node.firstElementChild.append(...figure.drawn.extra());
  for (const text of node.querySelectorAll("text[font-size]"))
    text.style.fontSize = text.getAttribute("font-size") + "px";
  for (const text of node.querySelectorAll("text[fill]")) text.style.fill = text.getAttribute("fill");
  node.setAttribute("width", W);
  node.setAttribute("height", H);
  node.setAttribute("viewBox", `-8 -26 ${W} ${H}`);
  node.setAttribute("xmlns", SVG);
  node.prepend(
    svg("title", {}, figure.headline.textContent),
    svg("style", {}, PRINTED),
    svg("rect", { x: -8, y: -26, width: W, height: H, fill: "#fff" }),
    svg(
      "text",
      { x: 0, y: -10, style: "font-weight:700", ...fitted(figure.headline.textContent, W - 16) },
      figure.headline.textContent,
    ),
  );
  return new XMLSerializer().serializeToString(node);
}

const quoted = (v) =>
  v === null
    ? ""
    : /[",\n\r]/.test(String(v))
      ? '"' + String(v).replaceAll('"', '""') + '"'
      : /^[=+\-@\t]/.test(String(v)) && typeof v !== "number"
        ? "'" + v
        : String(v);
const LATEX = {
  "\\": "\\textbackslash{}",
  "&": "\\&",
  "%": "\\%",
  $: "\\$",
  "#": "\\#",
  _: "\\_",
  "{": "\\{",
  "}": "\\}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "−": "$-$",
  "–": "--",
  "×": "$\\times$",
  "‖": "$\\|$",
  ε: "$\\varepsilon$",
  λ: "$\\lambda$",
  σ: "$\\sigma$",
  α: "$\\alpha$",
  β: "$\\beta$",
  μ: "$\\mu$",
  "′": "$'$",
};
const escapedLatex = (v) =>
  v === null
    ? ""
    : typeof v === "number"
      ? latexNumber(v)
      : String(v).replace(/[\\&%$#_{}~^−–×‖ελσαβμ′]/g, (c) => LATEX[c]);
function latexNumber(x) {
  const shown = general(x, 3);
  return shown.includes("e")
    ? "$" +
        shown.replace(/e([+-])0*(\d+)/, (_, sign, power) => "\\times 10^{" + (sign === "-" ? "-" : "") + power + "}") +
        "$"
    : shown.startsWith("-")
      ? "$" + shown + "$"
      : shown;
}

/** A heatmap as rows and columns of a booktabs table, as it looks; other figures line by line. */
function latexOf(figure) {
  const { grid } = figure.drawn,
    lines = [];
  if (!grid) {
    const { head, rows } = figure.drawn.table();
    lines.push(
      "\\begin{tabular}{" + "l".repeat(head.length) + "}",
      "\\toprule",
      head.map(escapedLatex).join(" & ") + " \\\\",
      "\\midrule",
      ...rows.map((row) => row.map(escapedLatex).join(" & ") + " \\\\"),
    );
  } else {
    const depth = grid.spec.rows.length,
      [first] = grid.parts,
      { stats, categories } = grid;
    const cell = (t) =>
      t < 0 || Number.isNaN(stats.value[t])
        ? "--"
        : stats.value[t] === Infinity
          ? "$\\infty$"
          : categories
            ? escapedLatex(categories[stats.value[t]].name)
            : latexNumber(Number(general(stats.value[t], 3)));
    lines.push(
      "\\begin{tabular}{" + "l".repeat(depth) + (categories ? "l" : "r").repeat(first.columns.length) + "}",
      "\\toprule",
    );
    for (const part of grid.parts) {
      if (part.facet.length)
        lines.push(
          "\\multicolumn{" + (depth + first.columns.length) + "}{l}{" + escapedLatex(facetText(part)) + "} \\\\",
        );
      grid.spec.columns.forEach((name, j) =>
        lines.push(
          [
            ...grid.spec.rows.map((row, k) =>
              j === grid.spec.columns.length - 1
                ? escapedLatex(titleOf(row))
                : k === depth - 1
                  ? escapedLatex(titleOf(name))
                  : "",
            ),
            ...part.columns.map((key) => escapedLatex(valueLabel(name, key[j]))),
          ].join(" & ") + " \\\\",
        ),
      );
      lines.push(
        "\\midrule",
        ...part.rows.map(
          (key, r) =>
            [
              ...key.map((code, k) => escapedLatex(valueLabel(grid.spec.rows[k], code))),
              ...part.columns.map((_, c) => cell(part.tile(r, c))),
            ].join(" & ") + " \\\\",
        ),
      );
      if (part !== grid.parts[grid.parts.length - 1]) lines.push("\\midrule");
    }
  }
  return [
    "% " + figure.headline.textContent.replace(/\s+/g, " "),
    "% needs \\usepackage{booktabs}",
    ...lines,
    "\\bottomrule",
    "\\end{tabular}",
    "",
  ].join("\n");
}

async function save(figure, format) {
  figure.stale ||= !figure.drawn;
  await figure.draw();
  if (!figure.drawn?.node) {
    view.turned.set(figure.number, figure.spec);
    figure.stale = true;
    await figure.draw();
  }
  if (!figure.drawn?.node) return;
  const name = figure.host.id + (narrowed() || figure.isTurned() ? "-view" : "");
  if (format === "SVG") download(name + ".svg", "image/svg+xml", standalone(figure));
  if (format === "CSV") {
    const { head, rows } = figure.drawn.table();
    download(name + ".csv", "text/csv", [head, ...rows].map((row) => row.map(quoted).join(",") + "\n").join(""));
  }
  if (format === "LaTeX") download(name + ".tex", "text/plain", latexOf(figure));
  if (format === "PNG") {
    const picture = new Image(),
      source = standalone(figure);
    picture.src = "data:image/svg+xml;base64," + btoa(String.fromCharCode(...new TextEncoder().encode(source)));
    await picture.decode();
    const canvas = make("canvas", { width: 3 * picture.width, height: 3 * picture.height });
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => download(name + ".png", "image/png", blob));
  }
}

function download(name, type, content) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
