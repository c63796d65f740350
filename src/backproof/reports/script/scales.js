/* ---- axes of numbers ---- */

/** At most `most` ticks between two ends, as [value, words]: round numbers, or powers of ten. */
function ticksOf(low, high, log, most = 5, format = "short") {
  const ticks = [];
  if (log) {
    const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)],
      step = Math.max(1, Math.ceil((last - first + 1) / most));
    for (let e = first; e <= last; e += step) ticks.push(Number("1e" + e));
    if (ticks.length < 2) return [low, high].map((v) => [v, brief(v, format)]);
  } else {
    if (!(high > low)) return [[low, brief(low, format)]];
    const raw = (high - low) / Math.max(most - 1, 1),
      power = 10 ** Math.floor(Math.log10(raw)),
      step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++)
      ticks.push(Number((k * step).toPrecision(12)));
  }
  return ticks.map((v) => [
    v,
    log ? brief(v) : format === "short" || format === "whole" ? general(v, 4) : brief(v, format),
  ]);
}

/** A scale from values to pixels: linear, logarithmic, or one step a value. */
class Scale {
  constructor(column, values, pixels, how = "auto") {
    Object.assign(this, { column, pixels, special: [] });
    this.discrete = !column.isNumber || axes.includes(column);
    if (this.discrete) {
      const codes = new Int32Array(values.length);
      values.forEach((i, k) => {
        codes[k] = column.codes[i];
      });
      this.order = inOrder(column, codes);
      const rank = new Map(this.order.map((code, k) => [code, k])),
        n = Math.max(this.order.length, 1);
      this.of = (i) => this.along((rank.get(column.codes[i]) + 0.5) / n);
      this.ticks = this.order.map((code, k) => [this.along((k + 0.5) / n), valueLabel(column.name, code)]);
      return;
    }
    const read = reader(column, null),
      finite = [];
    let least = Infinity;
    for (const i of values) {
      const v = read(i);
      if (Number.isFinite(v)) {
        finite.push(v);
        if (v > 0 && v < least) least = v;
      } else if (v === Infinity) this.infinite = true;
    }
    let [low, high] = [Math.min(...sampled(finite)), Math.max(...sampled(finite))];
    if (!finite.length) [low, high] = [0, 1];
    this.log =
      how === "log"
        ? low > 0 || least < Infinity
        : how === "auto" && (column.scale === "error" || (low > 0 && high > 100 * low));
    if (column.scale === "share" && how === "auto") [low, high] = [0, 1];
    if (this.log) {
      this.floor = Math.max(low > 0 ? low : least / 10, 1e-17);
      [low, high] = [this.floor, Math.max(high, this.floor * 10)];
    }
    if (low === high) {
      low -= 0.5;
      high += 0.5;
    }
    const f = this.log ? Math.log : (y) => y,
      room = this.infinite ? 0.9 : 0.98;
    Object.assign(this, { low, high, read });
    this.place = (v) =>
      v === Infinity
        ? 0.97
        : 0.02 + ((room - 0.02) * (f(this.log ? Math.max(v, low) : v) - f(low))) / (f(high) - f(low));
    this.of = (i) => {
      const v = read(i);
      return Number.isNaN(v) ? NaN : this.along(this.place(v));
    };
    this.value = (p) => {
      const share = (p - pixels[0]) / (pixels[1] - pixels[0]);
      if (share > 0.935 && this.infinite) return Infinity;
      if (share <= 0.02) return -Infinity;
      const y = f(low) + ((share - 0.02) / (room - 0.02)) * (f(high) - f(low));
      return this.log ? Math.exp(y) : y;
    };
    this.ticks = ticksOf(low, high, this.log, 5, column.format).map(([v, words]) => [this.along(this.place(v)), words]);
    if (this.infinite) this.ticks.push([this.along(0.97), column.null]);
  }

  along(share) {
    return this.pixels[0] + share * (this.pixels[1] - this.pixels[0]);
  }
}

/** Values in chunks that a call can take: the least and the greatest of each thousand. */
function sampled(values) {
  if (values.length < 5000) return values.length ? values : [0];
  let low = Infinity,
    high = -Infinity;
  for (const v of values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return [low, high];
}
