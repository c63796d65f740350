/* ---- aggregation: a column of the cells, laid out in tiles; reports/aggregation.py has the same rules ---- */

const AGGREGATES = {
  median: (v) => {
    const low = v[(v.length - 1) >> 1],
      high = v[v.length >> 1];
    return Number.isFinite(high) ? (low + high) / 2 : low;
  },
  mean: (v) => v.reduce((a, b) => a + b, 0) / v.length,
  least: (v) => v[0],
  greatest: (v) => v[v.length - 1],
};
const OF_CATEGORIES = ["most frequent", "worst"];
const COUNTED = ["n", "agreeing", "finished", "infinite", "settings", "failed", "excluded", "pending"];

const aggregatesOf = (column) => (column.categories ? OF_CATEGORIES : Object.keys(AGGREGATES));

/** Positions that a mask keeps. */
function kept(mask) {
  let n = 0;
  for (let i = 0; i < mask.length; i++) n += mask[i];
  const found = new Int32Array(n);
  n = 0;
  for (let i = 0; i < mask.length; i++) if (mask[i]) found[n++] = i;
  return found;
}

/** The elements of an array at some positions. */
function taken(array, at) {
  const found = new Int32Array(at.length);
  for (let k = 0; k < at.length; k++) found[k] = array[at[k]];
  return found;
}

/** Rows of cells with a code (−1 for null) along some axes; `source` is a cell's position. */
const rowsOf = (cells, names) => ({
  source: cells,
  codes: new Map(names.map((name) => [name, taken(byName.get(name).codes, cells)])),
});

/** The codes that occur, in the order in which they first do; null left out. */
function appearing(codes) {
  const seen = [],
    found = [];
  for (let k = 0; k < codes.length; k++) {
    const code = codes[k];
    if (code >= 0 && !seen[code]) {
      seen[code] = true;
      found.push(code);
    }
  }
  return found;
}

/** A number for each row by its codes along some axes, small enough for an array to be looked up by it; or a text. */
function joined(table, side) {
  const columns = side.map((axis) => table.codes.get(axis)),
    radices = side.map((axis) => byName.get(axis).distinct.length + 1);
  const many = radices.reduce((x, y) => x * y, 1),
    length = table.source.length;
  if (many > 2 ** 53) return { keys: Array.from({ length }, (_, k) => columns.map((c) => c[k]).join()), many };
  const keys = new Float64Array(length);
  columns.forEach((codes, j) => {
    for (let k = 0; k < length; k++) keys[k] = keys[k] * radices[j] + codes[k] + 1;
  });
  return { keys, many };
}

const MOST_LOOKED_UP = 2 ** 22;
/** Whether a key was put in before, for keys below so many. */
const setOf = (many) =>
  many > MOST_LOOKED_UP
    ? new Set()
    : {
        there: new Uint8Array(many),
        add(key) {
          this.there[key] = 1;
        },
        has(key) {
          return this.there[key];
        },
      };

/** A cell is shown wherever it belongs: a null setting stands for every value of its axis, as in axes.expand_nulls. */
function expand(table, side) {
  for (const axis of side) {
    const codes = table.codes.get(axis),
      length = codes.length,
      everywhere = new Uint8Array(length);
    let nulls = 0;
    for (let k = 0; k < length; k++)
      if (codes[k] < 0) {
        everywhere[k] = 1;
        nulls++;
      }
    if (!nulls || nulls === length) continue;
    const others = side.filter((a) => a !== axis);
    if (others.length) {
      const { keys, many } = joined(table, others),
        known = setOf(many);
      for (let k = 0; k < length; k++) if (codes[k] >= 0) known.add(keys[k]);
      for (let k = 0; k < length; k++)
        if (everywhere[k] && !known.has(keys[k])) {
          everywhere[k] = 0;
          nulls--;
        }
    }
    const values = appearing(codes),
      from = new Int32Array(length - nulls + nulls * values.length),
      set = new Int32Array(from.length);
    let n = 0;
    for (let k = 0; k < length; k++)
      if (!everywhere[k]) {
        from[n] = k;
        set[n++] = codes[k];
      }
    for (let k = 0; k < length; k++)
      if (everywhere[k])
        for (const v of values) {
          from[n] = k;
          set[n++] = v;
        }
    table = {
      source: taken(table.source, from),
      codes: new Map([...table.codes].map(([name, c]) => [name, name === axis ? set : taken(c, from)])),
    };
  }
  return table;
}

/** The codes of an axis in the order of a figure: numbers ascending, words as they first appear, null last. */
function inOrder(column, codes) {
  const present = appearing(codes),
    values = present.map((code) => column.distinct[code]);
  if (values.every((v) => typeof v === "number")) present.sort((a, b) => column.distinct[a] - column.distinct[b]);
  return codes.includes(-1) ? [...present, -1] : present;
}

/** The keys along a side, sorted axis by axis, and each row's position among them. */
function keysAlong(table, side) {
  const orders = side.map((axis) => inOrder(byName.get(axis), table.codes.get(axis))),
    length = table.source.length;
  const many = orders.reduce((n, order) => n * Math.max(order.length, 1), 1),
    joint = new Float64Array(length);
  side.forEach((axis, j) => {
    const rank = [],
      codes = table.codes.get(axis),
      radix = Math.max(orders[j].length, 1);
    orders[j].forEach((code, r) => {
      rank[code + 1] = r;
    });
    for (let k = 0; k < length; k++) joint[k] = joint[k] * radix + rank[codes[k] + 1];
  });
  const position = new Int32Array(length),
    used = [];
  if (many <= MOST_LOOKED_UP) {
    const at = new Int32Array(many);
    for (let k = 0; k < length; k++) at[joint[k]] = 1;
    for (let u = 0; u < many; u++)
      if (at[u]) {
        at[u] = used.length;
        used.push(u);
      }
    for (let k = 0; k < length; k++) position[k] = at[joint[k]];
  } else {
    used.push(...Float64Array.from(new Set(joint)).sort());
    const at = new Map(used.map((u, k) => [u, k]));
    for (let k = 0; k < length; k++) position[k] = at.get(joint[k]);
  }
  const keys = used.map((u) => {
    const key = [];
    for (let j = side.length - 1; j >= 0; j--) {
      key[j] = orders[j][u % orders[j].length];
      u = Math.floor(u / orders[j].length);
    }
    return key;
  });
  return { keys, position, orders };
}

/** Each cell's settings along some axes as one number; those of the last axes asked for are kept. */
const settingIds = { along: null, ids: null };
function settingsAlong(names) {
  const along = names.join();
  if (settingIds.along === along) return settingIds.ids;
  let joint = new Int32Array(size),
    number = 1;
  for (const axis of names.map((name) => byName.get(name))) {
    const { codes } = axis,
      next = new Int32Array(size),
      radix = axis.distinct.length + 1,
      quick = number * radix <= MOST_LOOKED_UP;
    const known = quick ? new Int32Array(number * radix) : new Map(); // numbers from 1 on; 0 is none yet
    let count = 0;
    for (let i = 0; i < size; i++) {
      const pair = joint[i] * radix + codes[i] + 1;
      let found = quick ? known[pair] : known.get(pair);
      if (!found) {
        found = ++count;
        if (quick) known[pair] = found;
        else known.set(pair, found);
      }
      next[i] = found - 1;
    }
    [joint, number] = [next, count];
  }
  return Object.assign(settingIds, { along, ids: joint }).ids;
}

/**
 * Lay out a column over axes. `spec`: value, rows, columns, facet, aggregate; `cells`: the positions of those shown.
 * Returns parts of equal rows and columns, one without a facet, each with its tiles' statistics and members.
 */
function layOut(spec, cells, categories = null) {
  const column = byName.get(spec.value),
    across = [...spec.facet, ...spec.columns];
  const aggregate = aggregatesOf(column).includes(spec.aggregate) ? spec.aggregate : aggregatesOf(column)[0];
  categories ||= column.categories ? categoriesOf(column, cells) : null;
  const table = expand(expand(rowsOf(cells, [...new Set([...spec.rows, ...across])]), spec.rows), across);
  const row = keysAlong(table, spec.rows),
    at = keysAlong(table, across),
    wide = at.keys.length,
    count = row.keys.length * wide;
  const tile = new Int32Array(table.source.length);
  for (let k = 0; k < tile.length; k++) tile[k] = row.position[k] * wide + at.position[k];
  const stats = Object.fromEntries(
    ["value", "low", "high", "least", "greatest"].map((name) => [name, new Float64Array(count).fill(NaN)]),
  );
  for (const name of COUNTED) stats[name] = new Int32Array(count);
  const members = byTile(table.source, tile, count),
    read = reader(column, categories);
  const pooled = pooledAlong(cells, table, tile, count, [...spec.rows, ...across], read),
    ids = settingsAlong(pooled),
    stamp = new Int32Array(size).fill(-1);
  for (let t = 0; t < count; t++) settle(stats, t, members(t), { column, aggregate, categories, read, ids, stamp });
  const grid = {
    column,
    aggregate,
    categories,
    stats,
    members,
    rows: row.keys,
    columns: at.keys,
    spec,
    across,
    pooled,
  };
  return { ...grid, parts: split(grid, spec.facet.length, at.orders) };
}

/** The rows of each tile: a function from a tile to the cells in it. */
function byTile(source, tile, count) {
  const starts = new Int32Array(count + 1),
    sorted = new Int32Array(source.length);
  for (const t of tile) starts[t + 1]++;
  for (let t = 0; t < count; t++) starts[t + 1] += starts[t];
  const next = starts.slice();
  for (let k = 0; k < source.length; k++) sorted[next[tile[k]]++] = source[k];
  return (t) => (t < 0 ? sorted.subarray(0, 0) : sorted.subarray(starts[t], starts[t + 1]));
}

/** A finished cell's number, or the position of its category; NaN without one, infinite where null means it. */
function reader(column, categories) {
  if (categories) {
    const position = column.distinct.map((v) => categories.findIndex((c) => c.name === v));
    return (i) => (column.codes[i] < 0 ? NaN : position[column.codes[i]]);
  }
  const numbers = column.numbers,
    none = unmeasuredIn(column);
  return column.null ? (i) => (Number.isNaN(numbers[i]) && !none[i] ? Infinity : numbers[i]) : (i) => numbers[i];
}

function settle(stats, t, cells, { column, aggregate, categories, read, ids, stamp }) {
  const found = [];
  for (const i of cells) {
    if (!isDone[i]) {
      const state = status.at(i);
      if (state === "excluded" || state === "pending") stats[state][t]++;
      else stats.failed[t]++;
      continue;
    }
    stats.finished[t]++;
    const v = read(i);
    if (Number.isNaN(v)) continue;
    found.push(v);
    if (v === Infinity) stats.infinite[t]++;
    if (stamp[ids[i]] !== t) {
      stamp[ids[i]] = t;
      stats.settings[t]++;
    }
  }
  if (!found.length) return;
  const values = Float64Array.from(found).sort(),
    n = values.length;
  stats.n[t] = n;
  if (categories) {
    const tally = new Int32Array(categories.length);
    for (const v of values) tally[v]++;
    let last = 0;
    for (let c = 1; c < tally.length; c++) if (aggregate === "worst" ? tally[c] > 0 : tally[c] >= tally[last]) last = c;
    stats.value[t] = stats.least[t] = stats.greatest[t] = last;
    stats.agreeing[t] = tally[last];
    return;
  }
  stats.value[t] = AGGREGATES[aggregate](values);
  [stats.least[t], stats.greatest[t], stats.agreeing[t]] = [values[0], values[n - 1], n];
  if (aggregate === "median" && stats.settings[t] === 1) [stats.low[t], stats.high[t]] = medianInterval(values);
}

/** The axes along which finished cells of one tile differ; empty where they are replicates. */
function pooledAlong(cells, table, tile, count, sides, read) {
  const used = new Uint8Array(tile.length);
  for (let k = 0; k < tile.length; k++)
    used[k] = isDone[table.source[k]] && !Number.isNaN(read(table.source[k])) ? 1 : 0;
  return axes
    .filter((axis) => {
      if ([...sides, data.replicate, ...data.records].includes(axis.name)) return false;
      const first = new Int32Array(count).fill(-2),
        { codes } = axis;
      for (let k = 0; k < tile.length; k++) {
        if (!used[k]) continue;
        const code = codes[table.source[k]],
          t = tile[k];
        if (first[t] === -2) first[t] = code;
        else if (first[t] !== code) return appearingAmong(axis, cells) > 1;
      }
      return false;
    })
    .map((axis) => axis.name);
}

function appearingAmong(axis, cells) {
  const found = new Set();
  for (const i of cells) if (axis.codes[i] >= 0 && found.add(axis.codes[i]).size > 1) break;
  return found.size;
}

/** The categories of a column in order of severity, or else of appearance, with symbol and colour. */
function categoriesOf(column, cells) {
  const known = data.categories[column.name];
  if (known.fixed) return known.list;
  const present = new Set();
  for (const i of cells) if (column.codes[i] >= 0) present.add(column.distinct[column.codes[i]]);
  return [...present].map((name) => known.list.find((c) => c.name === name));
}

/** Small multiples by the first axes of the columns, all with the same rows and columns. */
function split(grid, depth, orders) {
  const names = grid.across,
    wide = grid.columns.length;
  const rank = (tail) => tail.map((code, j) => orders[depth + j].indexOf(code));
  const tails = [...new Map(grid.columns.map((key) => [key.slice(depth).join(), key.slice(depth)])).values()].sort(
    (a, b) => {
      const [x, y] = [rank(a), rank(b)];
      const j = x.findIndex((r, k) => r !== y[k]);
      return j < 0 ? 0 : x[j] - y[j];
    },
  );
  const heads = [...new Map(grid.columns.map((key) => [key.slice(0, depth).join(), key.slice(0, depth)])).values()];
  const at = new Map(grid.columns.map((key, k) => [key.join(), k]));
  return heads.map((head) => {
    const source = tails.map((tail) => at.get([...head, ...tail].join()) ?? -1);
    return {
      rows: grid.rows,
      columns: tails,
      facet: head.map((code, j) => [names[j], code]),
      /** The tile in the whole's statistics; −1 where the small multiple has none. */
      tile: (r, c) => (source[c] < 0 ? -1 : r * wide + source[c]),
    };
  });
}

/** The interval between two order statistics that covers the median in at least 95 % of samples; intervals.median_interval. */
function medianInterval(values) {
  const below = leftOut(values.length);
  return below === null ? [NaN, NaN] : [values[below], values[values.length - 1 - below]];
}

const LEFT_OUT = new Map();
function leftOut(n) {
  if (!LEFT_OUT.has(n)) {
    // P(at most k of n values lie below the median), summed from logarithms: 2^-n underflows from n = 1075 on.
    let log = -n * Math.LN2,
      sum = Math.exp(log),
      found = null;
    for (let k = 0; k < (n + 1) >> 1 && sum <= 0.025; k++) {
      found = k;
      log += Math.log((n - k) / (k + 1));
      sum += Math.exp(log);
    }
    LEFT_OUT.set(n, found);
  }
  return LEFT_OUT.get(n);
}

/* ---- colours ---- */

function quantile(sorted, q) {
  const at = (sorted.length - 1) * q,
    low = Math.floor(at),
    share = at - low;
  return share ? sorted[low] * (1 - share) + sorted[low + 1] * share : sorted[low];
}

/** The least and the greatest value within three interquartile ranges of the quartiles (Tukey, 1977). */
function ends(values) {
  const sorted = Float64Array.from(values).sort(),
    lower = quantile(sorted, 0.25),
    upper = quantile(sorted, 0.75),
    far = 3 * (upper - lower);
  const inside = far > 0 ? sorted.filter((v) => v >= lower - far && v <= upper + far) : sorted;
  return [inside[0], inside[inside.length - 1]];
}

/** Which values have which colour; `how` is auto, linear or log. */
function scaleOf(column, values, how = "auto") {
  const finite = Float64Array.from(values.filter(Number.isFinite)).sort(),
    most = finite.length - 1;
  let [low, high, log] = [0, 1, false];
  if (how === "auto" && column.scale === "error") [low, high, log] = [1e-16, 1, true];
  else if (finite.length && !(how === "auto" && column.scale === "share")) {
    log = finite[0] > 0 && (how === "log" || (how === "auto" && finite[most] > 100 * finite[0]));
    [low, high] = log ? ends(finite.map(Math.log)).map(Math.exp) : ends(finite);
  }
  return {
    low,
    high,
    log,
    below: finite[0] < low - 1e-12 * Math.abs(low),
    above: finite[most] > high + 1e-12 * Math.abs(high),
  };
}

function colourOf(scale, x) {
  const f = scale.log ? Math.log : (y) => y,
    low = f(scale.low),
    high = f(scale.high);
  const share = high > low ? (f(Math.max(x, scale.log ? 1e-300 : x)) - low) / (high - low) : 0;
  return data.colours[Math.round(Math.min(Math.max(share, 0), 1) * (data.colours.length - 1))];
}

/** Black or white, whichever is legible upon a colour; `page.ink` has the same rule. */
const ink = (colour) => {
  const [r, g, b] = [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#111" : "#fff";
};
