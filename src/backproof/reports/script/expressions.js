/* ---- expressions over the columns: the language of claims, and the search, which is more lenient ---- */
// As in sweeps/expressions.py and evaluation.py: null propagates, `and` and `or` follow Kleene's logic, text never
// equals a number. A node is a function from a cell's position to number, text, truth value or null.

class Misread extends Error {}

const TOKEN =
  /\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)(?![\w.])|'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|`([^`]*)`|(\*\*|\/\/|==|!=|<=|>=|[-+*\/%<>=()[\],])|([\p{L}_][\p{L}\p{N}_.:]*)|(\S+?)(?=[\s()<>=!]|$))/uy;

function tokens(source) {
  const found = [];
  TOKEN.lastIndex = 0;
  while (source.slice(TOKEN.lastIndex).trim()) {
    const match = TOKEN.exec(source);
    if (!match) throw new Misread("not understood");
    const [, number, single, double, quoted, operator, word, other] = match;
    if (number !== undefined) found.push({ kind: "number", value: Number(number), raw: number });
    else if (single !== undefined || double !== undefined)
      found.push({ kind: "text", value: (single ?? double).replace(/\\(.)/g, "$1") });
    else if (quoted !== undefined) found.push({ kind: "column", value: quoted });
    else if (operator !== undefined) found.push({ kind: "operator", value: operator });
    else found.push({ kind: "word", value: word ?? other });
  }
  return found;
}

const asNumber = (v) =>
  v === null ? null : typeof v === "string" ? misfit("text stands where a number is needed") : Number(v);
const finite = (x) => (Number.isNaN(x) ? null : x);
const misfit = (what) => {
  throw new Misread(what);
};
const kindOf = (v) => (typeof v === "string" ? "text" : typeof v === "number" ? "number" : "truth");

const ARITHMETIC = {
  "+": (x, y) => x + y,
  "-": (x, y) => x - y,
  "*": (x, y) => x * y,
  "/": (x, y) => x / y,
  "//": (x, y) => Math.floor(x / y),
  "%": (x, y) => x - y * Math.floor(x / y),
  "**": (x, y) => x ** y,
};
const ORDERINGS = { "<": (x, y) => x < y, "<=": (x, y) => x <= y, ">": (x, y) => x > y, ">=": (x, y) => x >= y };
const FUNCTIONS = {
  abs: Math.abs,
  sqrt: Math.sqrt,
  log: Math.log,
  log10: Math.log10,
  exp: Math.exp,
  floor: Math.floor,
  ceil: Math.ceil,
  min: (...v) => (v.includes(null) ? null : Math.min(...v)),
  max: (...v) => (v.includes(null) ? null : Math.max(...v)),
};

function equals(x, y) {
  if (x === null || y === null) return null;
  return (
    (typeof x === "string") === (typeof y === "string") && (typeof x === "string" ? x === y : Number(x) === Number(y))
  );
}

function truth(v) {
  if (v !== null && typeof v !== "boolean") misfit("a " + kindOf(v) + " stands where true or false is needed");
  return v;
}

const both = (x, y) => (x === false || y === false ? false : x === null || y === null ? null : true);
const either = (x, y) => (x === true || y === true ? true : x === null || y === null ? null : false);
const not = (x) => (x === null ? null : !x);

/** The nearest of some names, by the fewest letters that differ. */
function nearest(name, known) {
  const distance = (a, b) => {
    let row = Array.from({ length: b.length + 1 }, (_, k) => k);
    for (let i = 1; i <= a.length; i++) {
      const next = [i];
      for (let j = 1; j <= b.length; j++)
        next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] !== b[j - 1]));
      row = next;
    }
    return row[b.length];
  };
  const ranked = known
    .map((k) => [distance(name.toLowerCase(), String(k).toLowerCase()), String(k)])
    .sort((a, b) => a[0] - b[0]);
  return ranked.length && ranked[0][0] <= Math.max(2, name.length / 3) ? "; the nearest is " + ranked[0][1] : "";
}

/**
 * A reader of one expression. `lenient` is the search's: `=` compares, `and` may be left out, a value needs no quotes,
 * and a word that is compared with nothing is looked for in every column.
 */
class Reader {
  constructor(source, lenient) {
    this.tokens = tokens(source);
    this.lenient = lenient;
    this.at = 0;
  }

  peek(...values) {
    const token = this.tokens[this.at];
    return token && (token.kind === "operator" || token.kind === "word") && values.includes(token.value)
      ? token.value
      : null;
  }

  take(...values) {
    const found = this.peek(...values);
    if (found) this.at++;
    return found;
  }

  need(value) {
    if (!this.take(value))
      throw new Misread(
        this.at < this.tokens.length
          ? value + " is missing before " + this.tokens[this.at].value
          : "something is missing at the end",
      );
  }

  whole() {
    const node = this.or();
    if (this.at < this.tokens.length) throw new Misread("not understood from " + this.tokens[this.at].value + " on");
    return node;
  }

  or() {
    let left = this.and();
    while (this.take("or")) {
      const [a, b] = [left, this.and()];
      left = (i) => either(truth(a(i)), truth(b(i)));
    }
    return left;
  }

  and() {
    let left = this.negation();
    for (;;) {
      const more = this.at < this.tokens.length && !this.peek("or", ")", "]", ",");
      if (!this.take("and") && !(this.lenient && more)) return left;
      const [a, b] = [left, this.negation()];
      left = (i) => both(truth(a(i)), truth(b(i)));
    }
  }

  negation() {
    if (!this.take("not")) return this.comparison();
    const inner = this.negation();
    return (i) => not(truth(inner(i)));
  }

  comparison() {
    const start = this.at;
    let left = this.sum(),
      found = null;
    for (;;) {
      const operator =
        this.take("==", "!=", "<", "<=", ">", ">=", "=", "in") ||
        (this.peek("not") && this.tokens[this.at + 1]?.value === "in" ? ((this.at += 2), "not in") : null);
      if (!operator) break;
      if (operator === "=" && !this.lenient) throw new Misread("== compares, = does not");
      let part;
      const a = this.resolved(left);
      if (operator.endsWith("in")) {
        const values = this.list();
        part = (i) => {
          const x = a(i),
            y = values.reduce((known, v) => either(known, equals(x, v(i))), false);
          return operator === "in" ? y : not(y);
        };
      } else {
        const right = this.sum(),
          b = this.value(right, a);
        if (operator in ORDERINGS) part = this.ordering(ORDERINGS[operator], a, b);
        else if (operator === "!=") part = (i) => not(equals(a(i), b(i)));
        else part = (i) => equals(a(i), b(i));
        left = right;
      }
      const before = found;
      found = before ? (i) => both(before(i), part(i)) : part;
    }
    if (found) return found;
    if (!this.lenient) return this.resolved(left);
    const only = this.at === start + 1 ? this.tokens[start] : null; // a word by itself
    return only && only.kind !== "operator" ? holds(String(only.raw ?? only.value)) : this.resolved(left);
  }

  ordering(compare, a, b) {
    return (i) => {
      const x = a(i),
        y = b(i);
      if (x === null || y === null) return null;
      if ((typeof x === "string") !== (typeof y === "string"))
        misfit("a " + kindOf(x) + " is compared with a " + kindOf(y));
      return typeof x === "string" ? compare(x, y) : compare(Number(x), Number(y));
    };
  }

  list() {
    const end = this.take("[")
      ? "]"
      : this.take("(")
        ? ")"
        : misfit("`in` takes a list of values, as in loss in ['a', 'b']");
    const values = [];
    do {
      const node = this.sum();
      values.push(node.word !== undefined && this.lenient ? () => node.word : this.resolved(node));
    } while (this.take(",") && !this.peek(end));
    this.need(end);
    return values;
  }

  sum() {
    let left = this.product();
    for (let operator; (operator = this.take("+", "-"));) left = this.arithmetic(operator, left, this.product());
    return left;
  }

  product() {
    let left = this.sign();
    for (let operator; (operator = this.take("*", "/", "//", "%"));)
      left = this.arithmetic(operator, left, this.sign());
    return left;
  }

  sign() {
    if (this.take("-")) {
      const inner = this.resolved(this.sign());
      return (i) => {
        const x = asNumber(inner(i));
        return x === null ? null : -x;
      };
    }
    if (this.take("+")) return this.sign();
    const base = this.operand();
    return this.take("**") ? this.arithmetic("**", base, this.sign()) : base;
  }

  arithmetic(operator, left, right) {
    const [a, b] = [this.resolved(left), this.resolved(right)];
    return (i) => {
      const x = asNumber(a(i)),
        y = asNumber(b(i));
      return x === null || y === null ? null : finite(ARITHMETIC[operator](x, y));
    };
  }

  operand() {
    const token = this.tokens[this.at++];
    if (!token) throw new Misread("something is missing at the end");
    if (token.kind === "number" || token.kind === "text") return () => token.value;
    if (token.kind === "column") return this.column(token.value);
    if (token.value === "(") {
      const inner = this.or();
      this.need(")");
      return inner;
    }
    if (token.kind === "operator") throw new Misread("not understood at " + token.value);
    if (token.value === "True" || token.value === "False") return () => token.value === "True";
    if (this.peek("(") && (token.value in FUNCTIONS || ["isnull", "notnull"].includes(token.value)))
      return this.call(token.value);
    // A column; or where it is none, a word, which may still be a value.
    const known = !this.lenient || byName.has(token.value) || constants.has(token.value);
    const node = known
      ? this.column(token.value)
      : () => misfit("no column is called " + token.value + nearest(token.value, [...byName.keys()]));
    node.word = token.value;
    node.known = known;
    return node;
  }

  call(name) {
    this.need("(");
    const given = [];
    do given.push(this.resolved(this.or()));
    while (this.take(","));
    this.need(")");
    if (name === "isnull") return (i) => given[0](i) === null;
    if (name === "notnull") return (i) => given[0](i) !== null;
    return (i) => {
      const values = given.map((g) => asNumber(g(i)));
      return values.includes(null) ? null : finite(FUNCTIONS[name](...values));
    };
  }

  column(name) {
    const column = byName.get(name);
    if (column) {
      const node = (i) => column.at(i);
      return Object.assign(node, { of: column });
    }
    if (!column && !constants.has(name) && !this.lenient) return () => null; // a setting that no cell has
    if (constants.has(name)) {
      const read = constants.get(name),
        known = read !== "" && !Number.isNaN(Number(read)) ? Number(read) : read;
      return () => known;
    }
    throw new Misread("no column is called " + name + nearest(name, [...byName.keys()]));
  }

  /** A node that must be a column or a value. */
  resolved(node) {
    if (node.word !== undefined && !node.known) node();
    return node;
  }

  /** The right side of a comparison: a word that is no column is a value of the left side's. */
  value(node, left) {
    if (!this.lenient || node.word === undefined || (node.known && !left.of)) return this.resolved(node);
    const values = left.of ? left.of.distinct : [],
      word = node.word;
    if (!values.includes(word)) {
      if (node.known) return node;
      if (left.of && !left.of.isNumber && values.length < 1000)
        throw new Misread(left.of.name + " has no value " + word + nearest(word, values));
    }
    return () => word;
  }
}

let haystack = null;
/** Whether a word is in any column of a cell; the text is built at the first search, so that a large table opens without it. */
function holds(word) {
  const searched = columns.filter((c) => !data.unsearched.includes(c.name));
  haystack ||= Array.from({ length: size }, (_, i) =>
    searched
      .map((c) => (c.at(i) === null ? "" : c.name + "=" + c.words(i)))
      .join(" ")
      .toLowerCase(),
  );
  const wanted = word.toLowerCase();
  return (i) => haystack[i].includes(wanted);
}

/** A test of cells by what was typed: words, or comparisons as in `accuracy > 0.8 and output = relu`. */
function searched(typed) {
  if (!typed.trim()) return () => true;
  const test = new Reader(typed, true).whole();
  return (i) => truth(test(i)) === true;
}

/** An expression of a claim or a caption. */
const expression = (source) => new Reader(source, false).whole();
