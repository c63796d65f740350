/* ---- the view: what is chosen, searched and sorted, and how figures are turned; the address keeps all of it ---- */

/**
 * `filters`: by column, a Set of values as text, or a range [low, high] of numbers.
 * `turned`: by a figure's number, what the reader changed in it: rows, columns, facet (lists), value, aggregate, scale, …
 */
const fresh = () => ({
  filters: new Map(),
  turned: new Map(),
  statement: null,
  search: "",
  sort: null,
  descending: false,
  cell: null,
  shown: null,
});
const view = fresh();
const narrowed = () => view.filters.size > 0 || view.statement !== null;

const SIDES = ["rows", "columns", "facet"];
const TURNED = [...SIDES, "value", "aggregate", "scale", "x", "y", "colour", "axes"];
const LISTS = [...SIDES, "axes"];
const RANGE = /^(-?[\d.]+(?:e[+-]?\d+)?)?\.\.(-?[\d.]+(?:e[+-]?\d+)?)?$/i;

function readAddress() {
  const given = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  Object.assign(view, fresh());
  for (const [key, value] of given) {
    const [, figure, what] = /^(\d+)\.(\w+)$/.exec(key) || [],
      column = byName.get(key);
    if (TURNED.includes(what)) {
      if (!view.turned.has(figure)) view.turned.set(figure, {});
      view.turned.get(figure)[what] = LISTS.includes(what)
        ? value.split(",").filter((name) => byName.has(name))
        : value;
    } else if (key === "search") view.search = value;
    else if (key === "sort") {
      view.sort = value.replace(/^-/, "");
      view.descending = value.startsWith("-");
    } else if (key === "cell") view.cell = value;
    else if (key === "shown") view.shown = value.split(",").filter((name) => byName.has(name));
    else if (key === "statement") view.statement = value in data.statements ? value : null;
    else if (column?.isNumber && RANGE.test(value)) {
      const [, low, high] = RANGE.exec(value);
      view.filters.set(key, [
        low === undefined ? -Infinity : Number(low),
        high === undefined ? Infinity : Number(high),
      ]);
    } else if (column) {
      const values = view.filters.get(key);
      if (values instanceof Set) values.add(value);
      else view.filters.set(key, new Set([value]));
    }
  }
}

const end = (x) => (Number.isFinite(x) ? String(Number(x.toPrecision(4))) : "");
const rangeText = ([low, high]) => end(low) + ".." + end(high);

function writeAddress() {
  const next = new URLSearchParams();
  for (const [name, chosen] of view.filters) {
    if (chosen instanceof Set) for (const v of chosen) next.append(name, v);
    else next.set(name, rangeText(chosen));
  }
  for (const [figure, changes] of view.turned)
    for (const [what, v] of Object.entries(changes)) next.set(figure + "." + what, LISTS.includes(what) ? v.join() : v);
  if (view.statement !== null) next.set("statement", view.statement);
  if (view.search) next.set("search", view.search);
  if (view.sort) next.set("sort", (view.descending ? "-" : "") + view.sort);
  if (view.shown) next.set("shown", view.shown.join());
  if (view.cell) next.set("cell", view.cell);
  const hash = next.toString();
  if (!hash && !location.hash.includes("=")) return; // an anchor, such as #claims
  if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? "#" + hash : location.href.split("#")[0]);
}

let fits = new Uint8Array(size).fill(1);
function filter() {
  fits = view.statement === null ? new Uint8Array(size).fill(1) : maskOf(data.statements[view.statement]);
  for (const [name, chosen] of view.filters) {
    // A setting that cannot matter to a cell is null there, and fits every value, as in the heatmaps.
    const column = byName.get(name),
      everywhere = axes.includes(column);
    if (chosen instanceof Set) {
      const good = column.distinct.map((v) => chosen.has(text(v))),
        none = everywhere || chosen.has(NOTHING);
      for (let i = 0; i < size; i++) if (!(column.codes[i] < 0 ? none : good[column.codes[i]])) fits[i] = 0;
      continue;
    }
    // Null that stands for "never" or "not finite" lies at the upper end.
    const [low, high] = chosen,
      none = unmeasuredIn(column),
      numbers = column.numbers;
    for (let i = 0; i < size; i++) {
      const missing = Number.isNaN(numbers[i]);
      if (
        missing
          ? !(everywhere || (high === Infinity && column.null && !none[i]))
          : !(numbers[i] >= low && numbers[i] <= high)
      )
        fits[i] = 0;
    }
  }
}

/** Choose values or a range of a column; none of it without either. */
function choose(name, chosen) {
  const empty =
    !chosen ||
    (chosen instanceof Set && !chosen.size) ||
    (Array.isArray(chosen) && chosen[0] === -Infinity && chosen[1] === Infinity);
  if (empty) view.filters.delete(name);
  else view.filters.set(name, chosen);
}

/** What is chosen, in words. */
function chosenWords() {
  const words = [...view.filters].map(([name, chosen]) => {
    if (chosen instanceof Set) return name + "=" + [...chosen].join("|");
    const [low, high] = chosen;
    return low === -Infinity
      ? name + " ≤ " + end(high)
      : high === Infinity
        ? name + " ≥ " + end(low)
        : end(low) + " ≤ " + name + " ≤ " + end(high);
  });
  if (view.statement !== null) words.unshift("statement (" + view.statement + ")");
  return words.join(", ");
}

/* ---- the controls of the filters ---- */

const MOST_CHOICES = 500;
const filterControls = [];

function buildFilters() {
  for (const column of [verdict, ...axes, status].filter(Boolean)) {
    if (column.distinct.length + column.codes.includes(-1) > 1 && column.distinct.length <= MOST_CHOICES)
      $("filters").append(valuesControl(column));
  }
  for (const column of columns.filter((c) => c.drawn && c.isNumber && !axes.includes(c) && c.distinct.length > 1))
    $("ranges").append(rangeControl(column));
  $("view").hidden = !filterControls.length;
  $("view").addEventListener("submit", (event) => event.preventDefault());
  $("view").addEventListener("reset", (event) => {
    event.preventDefault();
    Object.assign(view, { filters: new Map(), turned: new Map(), statement: null, search: "" });
    refresh();
  });
}

function valuesControl(column) {
  const values = [...column.distinct];
  if (column.isNumber) values.sort((a, b) => a - b);
  if (column.codes.includes(-1)) values.push(null);
  const boxes = values.map((v) =>
    make("input", {
      type: "checkbox",
      name: column.name,
      value: text(v),
      onchange: () => {
        choose(column.name, new Set(boxes.filter((b) => b.checked).map((b) => b.value)));
        refresh();
      },
    }),
  );
  const words = make("span", { className: "chosen" });
  const node = make(
    "details",
    { className: "filter" },
    make("summary", {}, column.name, words),
    make("div", { className: "choices" }, ...values.map((v, k) => make("label", {}, boxes[k], text(v)))),
  );
  filterControls.push(() => {
    const chosen = view.filters.get(column.name);
    for (const box of boxes) box.checked = chosen instanceof Set && chosen.has(box.value);
    const said = chosen instanceof Set ? ": " + [...chosen].join(", ") : chosen ? ": " + rangeText(chosen) : "";
    if (words.textContent !== said) words.textContent = said;
    node.classList.toggle("on", view.filters.has(column.name));
  });
  node.addEventListener("toggle", () => {
    if (node.open)
      for (const other of $("filters").querySelectorAll("details[open]")) if (other !== node) other.open = false;
  });
  return node;
}

function rangeControl(column) {
  const inputs = ["from", "to"].map((word) =>
    make("input", {
      type: "text",
      inputMode: "decimal",
      size: 7,
      placeholder: word,
      "aria-label": column.name + " " + word,
      onchange: () => {
        const [low, high] = inputs.map((input, k) =>
          input.value.trim() === "" || Number.isNaN(Number(input.value))
            ? [-Infinity, Infinity][k]
            : Number(input.value),
        );
        choose(column.name, [low, high]);
        refresh();
      },
    }),
  );
  const node = make(
    "span",
    { className: "range", title: column.about || "" },
    make("span", { text: column.name }),
    ...inputs,
  );
  filterControls.push(() => {
    const chosen = view.filters.get(column.name);
    inputs.forEach((input, k) => {
      input.value = Array.isArray(chosen) ? end(chosen[k]) : "";
    });
    node.classList.toggle("on", view.filters.has(column.name));
  });
  return node;
}
