/* ---- the table of cells ---- */

const STEP = 50;
let found = [],
  limit = STEP;

function find() {
  const notice = $("misread");
  let test;
  try {
    if (view.search) test = searched(view.search);
    found = view.search ? [...kept(fits)].filter(test) : [...kept(fits)];
    notice.textContent = "";
  } catch (error) {
    if (!(error instanceof Misread)) throw error;
    notice.textContent = error.message; // the rows of the last search stay
    found = found.filter((i) => fits[i]);
  }
  const column = byName.get(view.sort);
  if (!column) return;
  const sign = view.descending ? -1 : 1,
    collator = new Intl.Collator("en", { numeric: true });
  found.sort((a, b) => {
    const x = column.at(a),
      y = column.at(b);
    if (x === null || y === null) return (x === null) - (y === null) || a - b;
    if (typeof x === "number" && typeof y === "number") return sign * (x - y) || a - b;
    return sign * collator.compare(x, y) || a - b;
  });
}

const swatch = (name) => {
  const v = data.verdicts[name];
  return v
    ? make("span", {
        className: "swatch small",
        text: v.symbol,
        "aria-hidden": "true",
        style: { background: v.colour, color: ink(v.colour) },
      })
    : null;
};

const shownColumns = () => (view.shown ? view.shown.map((name) => byName.get(name)) : columns.slice(0, data.shown));

/** Out of sight it waits until nothing else is to do. */
const rows = { near: false, stale: true };
new IntersectionObserver((entries) => {
  rows.near = entries.some((e) => e.isIntersecting);
  if (rows.near && rows.stale) drawRows();
}).observe($("cells-shown"));

function drawTable() {
  const more = found.length > limit ? ", the first " + limit + " shown" : "";
  $("count").textContent = counted(found.length) + " of " + counted(size) + " cells" + more;
  $("next").hidden = found.length <= limit;
  rows.stale = true;
  if (rows.near) drawRows();
  else drawRest();
}

function drawRows() {
  rows.stale = false;
  const body = $("body"),
    shown = shownColumns();
  const opened = (i) => {
    [trail, back] = [found, null];
    open(i);
  };
  $("head").replaceChildren(
    ...shown.map((c) => {
      const on = c.name === view.sort;
      return make(
        "th",
        {
          className: c.isNumber ? "number" : "",
          scope: "col",
          title: c.about || "",
          "aria-sort": on ? (view.descending ? "descending" : "ascending") : "none",
        },
        make("button", {
          type: "button",
          text: c.name + (on ? (view.descending ? " ↓" : " ↑") : ""),
          onclick: () => {
            view.descending = view.sort === c.name && !view.descending;
            view.sort = c.name;
            refresh(false);
            [...document.querySelectorAll("#head button")].find((b) => b.textContent.startsWith(c.name))?.focus();
          },
        }),
      );
    }),
    make("td", {}),
  );
  body.replaceChildren(
    ...found.slice(0, limit).map((i) =>
      make(
        "tr",
        {
          onclick: (event) => {
            if (event.target.tagName !== "BUTTON") opened(i);
          },
        },
        ...shown.map((c) =>
          make("td", { className: c.isNumber ? "number" : "" }, c === verdict ? swatch(c.at(i)) : null, c.words(i)),
        ),
        make(
          "td",
          {},
          make("button", {
            type: "button",
            text: "open",
            "aria-label": "open cell " + id.at(i),
            onclick: () => opened(i),
          }),
        ),
      ),
    ),
  );
}

function buildTable() {
  $("search").addEventListener("input", () => {
    view.search = $("search").value;
    refresh(false);
  });
  $("next").addEventListener("click", () => {
    limit += 4 * STEP;
    drawTable();
  });
  $("chosen-columns").addEventListener("toggle", () => {
    const shown = new Set(shownColumns()),
      boxes = columns.map((c) =>
        make("input", {
          type: "checkbox",
          checked: shown.has(c),
          onchange: () => {
            view.shown = columns.filter((_, k) => boxes[k].checked).map((other) => other.name);
            drawTable();
            writeAddress();
          },
        }),
      );
    $("columns").replaceChildren(...columns.map((c, k) => make("label", { title: c.about || "" }, boxes[k], c.name)));
  });
}
