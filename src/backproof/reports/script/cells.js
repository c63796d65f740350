/* ---- the cells: columns of values, by position ---- */

const data = await unpacked($("data"));

/** A column as arrays: `at(i)`, and made when first asked for `numbers` (NaN where null) and `codes` into `list` (−1). */
class Column {
  constructor(entry) {
    Object.assign(this, entry);
    const present = (this.list || this.values).filter((v) => v !== null);
    this.isNumber = present.length > 0 && present.every((v) => typeof v === "number" || v === "inf" || v === "-inf");
    const read = !this.isNumber
      ? (v) => (typeof v === "number" ? String(v) : v)
      : (v) => (typeof v === "string" ? Number(v.replace("inf", "Infinity")) : v);
    if (this.list) this.list = this.list.map(read);
    else this.values = this.values.map(read);
    this.at = this.list ? (i) => this.list[this.packed[i]] : (i) => this.values[i];
  }

  /** A cell's value in words; of a result four digits. */
  words(i) {
    const v = this.at(i);
    return text(typeof v === "number" && "drawn" in this ? Number(v.toPrecision(4)) : v);
  }

  get numbers() {
    return this.cached("numbers", () => Float64Array.from({ length: size }, (_, i) => this.at(i) ?? NaN));
  }

  get distinct() {
    return this.code().distinct;
  }

  get codes() {
    return this.code().codes;
  }

  code() {
    return this.cached("coded", () => {
      const known = new Map(),
        distinct = [],
        codes = new Int32Array(size);
      for (let i = 0; i < size; i++) {
        const v = this.at(i);
        if (v === null) {
          codes[i] = -1;
          continue;
        }
        let code = known.get(v);
        if (code === undefined) {
          known.set(v, (code = distinct.length));
          distinct.push(v);
        }
        codes[i] = code;
      }
      return { distinct, codes };
    });
  }

  cached(name, made) {
    return ((this.kept ||= {})[name] ??= made());
  }
}

const size = data.size;
const columns = data.columns.map((entry) => new Column(entry));
const byName = new Map(columns.map((c) => [c.name, c]));
const id = byName.get("cell"),
  verdict = byName.get("verdict"),
  status = byName.get("status");
const constants = new Map(data.constants);
const axes = data.axes.map((name) => byName.get(name)).filter(Boolean);
const right = new Set(data.right);
const isDone = Uint8Array.from({ length: size }, (_, i) => (status.at(i) === "ok" ? 1 : 0));
const value = (i, name) => (byName.has(name) ? byName.get(name).at(i) : null);

/* Readable names, for figures and sentences; tables, tips and addresses have those that set the axes. labels.py has
   the same rules. */
const titleOf = (name) => data.labels[name]?.title || byName.get(name)?.title || name;
const headingOf = (name) => {
  const { title, symbol, unit } = data.labels[name] || {};
  return [title || byName.get(name)?.unit || name, symbol, unit && "(" + unit + ")"].filter(Boolean).join(" ");
};
const valueLabel = (name, code) => {
  const c = byName.get(name);
  return code < 0 ? NOTHING : data.labels[name]?.values?.[String(c.distinct[code])] || label(c, c.distinct[code]);
};
const settingText = (names, key) => names.map((name, k) => titleOf(name) + " " + valueLabel(name, key[k])).join(", ");
const inWords = (names) =>
  names.length > 1 ? names.slice(0, -1).join(", ") + " and " + names[names.length - 1] : names[0] || "";

/** Cells in which a check or a training did not run, so that null means nothing there. */
const unmeasured = Object.fromEntries(
  Object.entries(data.missing).map(([of, cells]) => {
    const mask = new Uint8Array(size);
    for (const i of cells) mask[i] = 1;
    return [of, mask];
  }),
);

/** The same of the check or the training run that a column is about. */
const unmeasuredIn = (column) => unmeasured[column.of === "training" ? "training" : "check"];

/** Cells from runs of those that are left out and those that follow, by turns. */
function maskOf(runs) {
  const mask = new Uint8Array(size);
  runs.reduce((at, run, k) => {
    if (k % 2) mask.fill(1, at, at + run);
    return at + run;
  }, 0);
  return mask;
}
