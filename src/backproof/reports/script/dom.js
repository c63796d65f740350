/* ---- elements: text is only ever set as text, so that nothing typed or measured is read as markup ---- */

const $ = (name) => document.getElementById(name);

function make(tag, given, ...inside) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(given || {})) {
    if (key === "text") node.textContent = value;
    else if (key === "style") Object.assign(node.style, value);
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node && key !== "list") node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...inside.filter((part) => part !== null && part !== undefined));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";
function svg(tag, given, ...inside) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(given || {})) if (value !== undefined) node.setAttribute(key, value);
  node.append(...inside.filter((part) => part !== null && part !== undefined));
  return node;
}

/** A drawing of so many pixels, with words for those who cannot see it. */
const framed = (W, H, words, ...inside) =>
  svg("svg", { width: W, height: H, viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": words }, ...inside);

async function unpacked(node) {
  const bytes = Uint8Array.from(atob(node.textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

/** A menu: `options` are values, or pairs of a value and the words for it. */
function menu(label, options, chosen, onchange) {
  const select = make("select", { "aria-label": label, onchange: () => onchange(select.value) });
  for (const option of options) {
    const [value, words] = Array.isArray(option) ? option : [option, option];
    select.append(new Option(words, value, false, value === chosen));
  }
  return select;
}

/** Where a pointer's or a focus's message stands; none without one. */
function tip(message, x, y) {
  const node = $("tip");
  if (node.textContent !== message) node.textContent = message;
  if (!message) return;
  const box = node.getBoundingClientRect();
  node.style.left = Math.max(4, Math.min(x + 14, innerWidth - box.width - 4)) + "px";
  node.style.top = (y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 10) : y + 18) + "px";
}

const pen = document.createElement("canvas").getContext("2d");
/** How many pixels wide words are in a figure. */
function width(words, size = 11) {
  pen.font = size + "px DejaVu Sans, Verdana, sans-serif";
  return pen.measureText(words).width;
}
