/* ---- a cell and a tile, in a dialog ---- */

const MOST_LISTED = 200;
const summary = (i) =>
  [
    axes
      .filter((c) => c.at(i) !== null)
      .map((c) => c.name + "=" + c.at(i))
      .join(", "),
    text(verdict.at(i)) + (value(i, "cause") ? ": " + value(i, "cause") : ""),
  ].join("\n");

function show(title, ...inside) {
  const dialog = $("cell");
  dialog.replaceChildren(
    make("button", { type: "button", className: "close", text: "Close", onclick: () => dialog.close() }),
    make("h2", { id: "cell-title" }, ...title),
    ...inside.filter(Boolean),
  );
  tip("");
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

const tableIn = (className, head, rows) =>
  make(
    "div",
    { className: "scroll", tabIndex: 0 },
    make("table", { className }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)),
  );

function openTile(grid, part, r, c) {
  const members = [...grid.members(part.tile(r, c))];
  [trail, back] = [members, () => openTile(grid, part, r, c)];
  if (members.length === 1) {
    back = null;
    return open(members[0]);
  }
  const named = new Set([...grid.spec.facet, ...grid.spec.rows, ...grid.spec.columns]);
  const differ = axes.filter((a) => !named.has(a.name) && new Set(members.map(a.at)).size > 1);
  const shown = [verdict, ...differ, ...data.listed.map((name) => byName.get(name))].filter(
    (a) => a && members.some((i) => a.at(i) !== null),
  );
  const listed = members.slice(0, MOST_LISTED);
  show(
    [tileKey(grid, part, r, c) || "All cells"],
    make("p", { className: "soft", text: valueWords(grid, part, r, c) }),
    members.length
      ? make("button", {
          type: "button",
          text: "Show only these in all figures",
          onclick: () => {
            $("cell").close();
            narrowTo(grid, part, r, c);
          },
        })
      : null,
    members.length
      ? tableIn(
          "list",
          [make("th", { text: "cell", scope: "col" }), ...shown.map((a) => make("th", { text: a.name, scope: "col" }))],
          listed.map((i) =>
            make(
              "tr",
              {},
              make(
                "td",
                {},
                make("button", {
                  type: "button",
                  className: "mono",
                  text: id.at(i).slice(0, 10),
                  onclick: () => open(i),
                }),
              ),
              ...shown.map((a) => make("td", {}, a === verdict ? swatch(a.at(i)) : null, a.words(i))),
            ),
          ),
        )
      : null,
    members.length > listed.length
      ? make("p", {
          className: "soft",
          text:
            "The first " +
            listed.length +
            " of " +
            members.length +
            "; show only these to see the others in the table.",
        })
      : null,
  );
}

/** Filter everything by the settings of a tile. */
function narrowTo(grid, part, r, c) {
  for (const [name, code] of settingsAt(grid, part, r, c))
    choose(name, new Set([code < 0 ? NOTHING : text(byName.get(name).distinct[code])]));
  refresh();
}

/** A curve of one cell and, where there is one, the same of a neighbour, dashed; guides as [slope, words]. */
function plot(title, lines, { log_x = false, log_y = false, x_label = "step", guides = [] } = {}) {
  const W = 340,
    H = 200,
    [l, r, t, b] = [58, 10, 22, 34],
    fx = log_x ? Math.log10 : (v) => v,
    fy = log_y ? Math.log10 : (v) => v;
  const taken = lines.map(([xs, ys]) => xs.map((x, k) => [fx(x), fy(ys[k])]).filter((p) => p.every(Number.isFinite))),
    all = taken.flat();
  if (!taken[0].length) return null;
  let [x0, x1] = [Math.min(...all.map((p) => p[0])), Math.max(...all.map((p) => p[0]))],
    [y0, y1] = [Math.min(...all.map((p) => p[1])), Math.max(...all.map((p) => p[1]))];
  if (x0 === x1) {
    x0 -= 0.5;
    x1 += 0.5;
  }
  if (y1 - y0 < 1e-9 * Math.max(1, Math.abs(y0))) {
    y0 -= 0.5;
    y1 += 0.5;
  }
  const px = (x) => l + ((W - l - r) * (x - x0)) / (x1 - x0),
    py = (y) => H - b - ((H - t - b) * (y - y0)) / (y1 - y0),
    ys = lines[0][1];
  const node = framed(W, H, title + ": from " + brief(ys[0]) + " to " + brief(ys[ys.length - 1]));
  const write = (words, given) => node.append(svg("text", given, words));
  write(title, { x: l, y: 14, "font-weight": 600 });
  node.append(svg("path", { class: "axis", d: `M${l} ${t}V${H - b}H${W - r}` }));
  const words = (log) => (v) => brief(log ? 10 ** v : v);
  [
    [y0, H - b],
    [(y0 + y1) / 2, (t + H - b) / 2 + 4],
    [y1, t + 8],
  ].forEach(([v, y]) => write(words(log_y)(v), { x: l - 5, y, "text-anchor": "end" }));
  [
    [x0, "start", l],
    [x1, "end", W - r],
  ].forEach(([v, anchor, x]) => write(words(log_x)(v), { x, y: H - b + 14, "text-anchor": anchor }));
  write(x_label, { x: (l + W - r) / 2, y: H - 6, "text-anchor": "middle", class: "soft" });
  const kept = taken[0],
    low = kept.reduce((a, p) => (p[1] < a[1] ? p : a));
  for (const [slope, name] of y1 - y0 > 3 ? guides : []) {
    // through the lowest point of a curve with a valley
    const stop = slope < 0 ? x0 : x1;
    let y = low[1] + slope * (stop - low[0]),
      x = stop;
    if (y > y1) {
      x = low[0] + (y1 - low[1]) / slope;
      y = y1;
    }
    node.append(svg("path", { class: "guide", d: `M${px(low[0])} ${py(low[1])}L${px(x)} ${py(y)}` }));
    write(name, {
      x: px((x + low[0]) / 2),
      y: py((y + low[1]) / 2) - 4,
      class: "soft",
      "text-anchor": slope < 0 ? "start" : "end",
    });
  }
  taken.forEach(
    (points, k) =>
      points.length &&
      node.append(
        svg("path", {
          class: k ? "beside" : "own",
          d: "M" + points.map((p) => px(p[0]).toFixed(1) + " " + py(p[1]).toFixed(1)).join("L"),
        }),
      ),
  );
  if (kept.length === 1) node.append(svg("circle", { class: "own", cx: px(kept[0][0]), cy: py(kept[0][1]), r: 3 }));
  return node;
}

/** The cells among which the opened one stands, and what leads back to their list. */
let trail = [],
  back = null;
function ways(i) {
  const at = trail.indexOf(i),
    way = (words, j) =>
      make("button", { type: "button", text: words, disabled: j === undefined, onclick: () => open(j) });
  if (at < 0 || trail.length < 2) return null;
  return make(
    "p",
    { className: "ways" },
    back ? make("button", { type: "button", text: "Back to the tile", onclick: back }) : null,
    way("Previous", trail[at - 1]),
    way("Next", trail[at + 1]),
    make("span", { className: "soft", text: " " + counted(at + 1) + " of " + counted(trail.length) }),
  );
}

/** The cell that agrees and differs in the fewest settings from one that does not; of equal ones that of the same seed. */
function neighbourOf(i) {
  if (!verdict.at(i) || right.has(verdict.at(i)) || status.at(i) !== "ok") return null;
  let best = null,
    least = Infinity;
  const compared = axes.filter((a) => !data.records.includes(a.name));
  for (let j = 0; j < size; j++) {
    if (!right.has(verdict.at(j)) || status.at(j) !== "ok") continue;
    let differ = 0;
    for (const a of compared) if (a.codes[i] !== a.codes[j]) differ += a.name === data.replicate ? 0.5 : 1;
    if (differ < least) [best, least] = [j, differ];
  }
  return best;
}

function besideNeighbour(i, j) {
  if (j === null) return [];
  const differ = axes.filter((a) => !data.records.includes(a.name) && a.codes[i] !== a.codes[j]);
  const results = ["verdict", ...data.listed]
    .map((name) => byName.get(name))
    .filter((c) => c && (c.at(i) !== null || c.at(j) !== null));
  const row = (c, className) =>
    make(
      "tr",
      { className },
      make("th", { text: c.name, scope: "row" }),
      ...[i, j].map((k) => make("td", {}, c === verdict ? swatch(c.at(k)) : null, c.words(k))),
    );
  return [
    make("h3", { text: "Beside the nearest cell whose gradient is right" }),
    make("p", {
      className: "soft",
      text: differ.length
        ? "They differ in " + inWords(differ.map((a) => a.name)) + "."
        : "They differ in no setting that varies here.",
    }),
    tableIn(
      "beside",
      [
        make("th", { text: "", scope: "col" }),
        make("th", { text: "this cell", scope: "col" }),
        make(
          "th",
          { scope: "col" },
          make("button", {
            type: "button",
            className: "plain",
            text: id.at(j).slice(0, 10),
            "aria-label": "open the cell " + id.at(j),
            onclick: () => open(j),
          }),
        ),
      ],
      [...differ.map((a) => row(a, "differs")), ...results.map((c) => row(c, ""))],
    ),
  ];
}

async function open(i) {
  view.cell = id.at(i);
  writeAddress();
  const neighbour = neighbourOf(i),
    more = await detail(i),
    other = neighbour === null ? null : await detail(neighbour);
  if (view.cell !== id.at(i)) return; // another was opened meanwhile
  const name = verdict.at(i),
    known = data.verdicts[name],
    state = status.at(i);
  const lines = (words, given) => (given ? make("p", {}, make("strong", { text: words + " " }), given) : null);
  const pair = (key, words) =>
    make("div", {}, make("dt", { text: key }), make("dd", { className: "mono", text: words }));
  const settings = make("dl", {}, ...axes.filter((c) => c.at(i) !== null).map((c) => pair(c.name, c.words(i))));
  const results = columns.filter((c) => !axes.includes(c) && c.at(i) !== null && !data.unsearched.includes(c.name));
  const rest = make(
    "dl",
    {},
    ...[...constants].map(([key, v]) => pair(key, v)),
    ...results.map((c) => pair(c.name, c.words(i))),
  );
  const plots = [];
  for (const s of more ? data.series : []) {
    const curves = [more, other]
      .filter(Boolean)
      .map((m) => m.curves[s.name] || [[], []])
      .map(([steps, values]) => [s.exponents ? steps.map((e) => 2 ** e) : steps, values]);
    if (curves[0][0].length)
      plots.push(
        plot(s.title, curves, {
          log_x: s.exponents,
          log_y: s.log && curves.every(([, values]) => values.every((v) => v > 0)),
          x_label: s.x,
          guides: s.exponents
            ? [
                [-1, "slope −1"],
                [2, "slope +2"],
              ]
            : [],
        }),
      );
  }
  const drawn = plots.filter(Boolean),
    command = value(i, "command"),
    copy = make("button", {
      type: "button",
      text: "Copy the command",
      onclick: () =>
        navigator.clipboard.writeText(command).then(
          () => {
            copy.textContent = "Copied";
          },
          () => {
            copy.textContent = "Select and copy it by hand";
          },
        ),
    });
  show(
    [swatch(name), state === "ok" ? text(name) : state].filter(Boolean),
    ways(i),
    known ? make("p", { text: known.sentence + " " + known.remedy }) : null,
    ...data.headings.map(([heading, column]) => lines(heading + ":", value(i, column))),
    make("h3", { text: "Case" }),
    settings,
    ...besideNeighbour(i, neighbour),
    more && more.tensors.length ? make("h3", { text: "Tensors" }) : null,
    more && more.tensors.length
      ? tableIn(
          "",
          data.tensor_columns.map((c) => make("th", { text: c.name, title: c.about, scope: "col" })),
          more.tensors.map((row) =>
            make(
              "tr",
              {},
              ...row.map((v) => make("td", { className: typeof v === "number" ? "number" : "", text: text(v) })),
            ),
          ),
        )
      : null,
    drawn.length ? make("h3", { text: "Curves" }) : null,
    drawn.length && other
      ? make("p", { className: "soft", text: "Dashed: the nearest cell whose gradient is right." })
      : null,
    drawn.length ? make("div", { className: "plots" }, ...drawn) : null,
    more
      ? null
      : make("p", {
          className: "soft",
          text: "Tensors and curves of this cell are in tensors.parquet and curves.parquet.",
        }),
    value(i, "traceback")
      ? make("details", {}, make("summary", { text: "Traceback" }), make("pre", { text: value(i, "traceback") }))
      : null,
    make("h3", { text: "Reproduce" }),
    make("pre", { text: text(command) }),
    copy,
    make("details", {}, make("summary", { text: "All settings and results" }), rest),
  );
}
$("cell").addEventListener("close", () => {
  view.cell = null;
  writeAddress();
});
$("cell").addEventListener("click", (event) => {
  if (event.target === $("cell")) $("cell").close();
});
