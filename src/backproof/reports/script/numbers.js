/* ---- numbers as text ---- */

const NOTHING = "–";

/** A value as it is written, with all its digits. */
function text(v) {
  if (v === null || v === undefined) return NOTHING;
  if (v === Infinity || v === -Infinity) return v > 0 ? "inf" : "-inf";
  if (typeof v !== "number" || (Number.isInteger(v) && Math.abs(v) < 1e6)) return String(v);
  return v && (Math.abs(v) >= 1e5 || Math.abs(v) < 1e-3) ? v.toExponential().replace("e+", "e") : String(v);
}

/** The median of values in ascending order. */
const middle = (sorted) => (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;

const counted = (n) => n.toLocaleString("en");

/** Digits of which the last that is kept is even and the rest is exactly a half, cut off there; null otherwise. */
function untied(exact, kept) {
  const mantissa = exact.split("e")[0],
    last = mantissa[kept - 1] === "." ? mantissa[kept - 2] : mantissa[kept - 1];
  return Number(last) % 2 === 0 && /^\.?50*$/.test(mantissa.slice(kept)) ? mantissa.slice(0, kept) : null;
}

/** Rounded to so many decimals, a tie to the even digit as in Python; JavaScript alone rounds ties away from zero. */
function fixed(x, decimals) {
  const shown = x.toFixed(decimals);
  if (Math.abs(x) >= 1e21) return shown;
  return untied(x.toFixed(100), x.toFixed(100).indexOf(".") + (decimals ? decimals + 1 : 0)) ?? shown;
}

/** With so many digits after the first, and an exponent of two digits or more unless it is `bare`. */
function exponential(x, digits, bare = false) {
  const exact = x.toExponential(100),
    cut = untied(exact, exact.indexOf(".") + (digits ? digits + 1 : 0));
  const shown = cut === null ? x.toExponential(digits) : cut + "e" + exact.split("e")[1];
  return bare ? shown : shown.replace(/e([+-])(\d)$/, "e$10$2");
}

/** In so many significant digits, as Python's format "g". */
function general(x, digits) {
  if (x === 0) return "0";
  const rounded = exponential(x, digits - 1, true),
    power = Number(rounded.split("e")[1]);
  if (power < -4 || power >= digits) {
    const [mantissa, exponent] = exponential(x, digits - 1).split("e");
    return (mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa) + "e" + exponent;
  }
  const plain = Number(rounded).toFixed(Math.max(digits - 1 - power, 0));
  return plain.includes(".") ? plain.replace(/\.?0+$/, "") : plain;
}

/** In one of the formats that live text may have: `,?(\.\d+)?[efg%]?`. */
function formatted(x, format) {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf";
  const [, comma, precision, kind] = /^(,?)(?:\.(\d+))?([efg%]?)$/.exec(format),
    digits = precision === undefined ? 6 : Number(precision);
  let shown;
  if (kind === "%") shown = fixed(100 * x, digits) + "%";
  else if (kind === "f") shown = fixed(x, digits);
  else if (kind === "e") shown = exponential(x, digits);
  else if (kind === "g" || precision !== undefined) shown = general(x, digits || 1);
  else shown = String(x);
  return comma ? shown.replace(/^-?\d+/, (whole) => Number(whole).toLocaleString("en")) : shown;
}

/** As short as a tile needs it; `numbers.number` has the same rules. */
function brief(x, format = "short") {
  if (x === Infinity) return "∞";
  if (format === "percent") return fixed(100 * x, 0) + "%";
  if (x === 0) return "0";
  if (format === "decimals") return fixed(x, 2);
  if (format === "whole") return fixed(x, 0);
  const size = Math.abs(x);
  if (size >= 0.01 && size < 1000) return size < 100 ? general(x, 2) : fixed(x, 0);
  const [mantissa, exponent] = exponential(x, 0).split("e");
  return mantissa + "e" + Number(exponent);
}

/** A setting's value as a figure shows it; `axes.label` has the same rules. */
const label = (column, v) => (v === null ? NOTHING : typeof v === "number" && column.float ? general(v, 3) : String(v));
