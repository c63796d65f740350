/* ---- text with numbers that follow the cells shown; reports/live.py has the same rules ---- */

const AGGREGATE_OF_TEXT = {
  count: (v) => v.length,
  share: (v) => v.reduce((a, b) => a + b, 0) / v.length,
  median: (v) => {
    const s = Float64Array.from(v).sort();
    return middle(s);
  },
  mean: (v) => v.reduce((a, b) => a + b, 0) / v.length,
  sum: (v) => v.reduce((a, b) => a + b, 0),
  least: (v) => v.reduce((a, b) => Math.min(a, b)),
  greatest: (v) => v.reduce((a, b) => Math.max(a, b)),
};

/** A field's number over some cells, those without a result left out. */
function filledField(field, cells) {
  field.test ??= field.where === null ? () => true : expression(field.where);
  field.read ??= field.value === null ? () => 1 : expression(field.value);
  const values = [];
  for (const i of cells) {
    if (status.at(i) !== "ok" || (value(i, "refined") === 1 && !field.refined) || field.test(i) !== true) continue;
    const v = asNumber(field.read(i));
    if (v !== null && !Number.isNaN(v)) values.push(v);
  }
  if (!values.length && field.aggregate !== "count") return NOTHING;
  return formatted(AGGREGATE_OF_TEXT[field.aggregate](values), field.format);
}

/** The text over some cells. */
function filled(live, cells) {
  return live.words
    .map((words, k) => words + (k < live.fields.length ? filledField(live.fields[k], cells) : ""))
    .join("");
}
