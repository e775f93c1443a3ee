/* How words, numbers, formulas and arrays are written, in the reader's language. */

/* An element as text. Attributes that are false or undefined are left out, those that are true stand without a value. */
function tag(name, attributes = {}, ...children) {
  const given = Object.entries(attributes).filter(([, value]) => value !== false && value !== undefined);
  const written = given.map(([key, value]) => (value === true ? ` ${key}` : ` ${key}="${escaped(value)}"`)).join("");
  return `<${name}${written}>${name === "input" ? "" : `${children.join("")}</${name}>`}`;
}
const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text) => String(text).replace(/[&<>"]/g, (character) => ENTITIES[character]);
function words(key, parts = {}) {
  const text = data.words[state.lang][key];
  return text.replace(/\{(\w+)\}/g, (_, name) => parts[name]);
}
const say = (key, parts) => escaped(words(key, parts));
const counted = (key, count) => words(count === 1 ? `${key} one` : key, { count: number(count) });

/* A number as text, with as many significant digits as the reader chose: 0.5237, 1.2·10⁻⁷. */
function number(x, digits = state.digits) {
  if (typeof x === "string") return { nan: "NaN", inf: "∞", "-inf": "−∞" }[x] ?? x;
  const [mantissa, power] = decimal(Math.abs(x), digits);
  const raise = (character) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(character)];
  const raised = power === null ? "" : `·10${String(power).replace(/[-\d]/g, raise)}`;
  return (x < 0 ? "−" : "") + local(mantissa) + raised;
}
const local = (digits) => (state.lang === "fr" ? digits.replace(".", ",") : digits);
const full = (x) => (typeof x === "string" ? number(x) : local(String(x).replace("-", "−")));
const thousands = (x) => number(x, 0);

function decimal(x, digits) {
  if (Number.isInteger(x) && x < 1e6) return [String(x), null];
  const [mantissa, e] = x.toExponential(digits ? digits - 1 : undefined).split("e");
  const power = Number(e);
  const bare = (text) => (text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text);
  if (power <= -5 || power >= 6) return [bare(mantissa), power];
  const places = Math.max(0, (digits || mantissa.replace(".", "").length) - 1 - power);
  return [bare(Number(`${mantissa}e${power}`).toFixed(Math.min(places, 100))), null];
}

/* -- formulas --------------------------------------------------------------------------------------------------------- */

const operator = (sign) => `<mo>${sign}</mo>`;
const displayed = (...parts) => `<math display="block">${parts.join("")}</math>`;
const inline = (...parts) => `<math>${parts.join("")}</math>`;
const equals = operator("=");

/* A formula that Python wrote, its numbers rounded as the reader wishes. Its matrices get brackets of CSS: not every
   machine has a font whose parentheses grow. */
function maths(index) {
  const forms = data.math[index];
  const body = state.lang === "fr" ? forms.at(-1) : forms[0];
  const bracketed = body.replace(
    /<mo form="prefix">\(<\/mo><mtable>(.*?)<\/mtable><mo form="postfix">\)<\/mo>/g,
    '<mtable class="matrix">$1</mtable>',
  );
  return bracketed.replace(
    /<mn>(\d+)[.,](\d+)<\/mn>/g,
    (_, whole, rest) => `<mn>${local(decimal(Number(`${whole}.${rest}`), state.digits)[0])}</mn>`,
  );
}

/* A number inside a formula; negative ones in parentheses where another factor stands before them. */
function mathNumber(x, factor = false) {
  if (typeof x === "string") return `<mtext>${number(x)}</mtext>`;
  const [mantissa, power] = decimal(Math.abs(x), state.digits);
  const ten = power === null ? "" : `<mo>·</mo><msup><mn>10</mn><mn>${String(power).replace("-", "−")}</mn></msup>`;
  const body = `<mrow><mn>${local(mantissa)}</mn>${ten}</mrow>`;
  if (x >= 0) return body;
  return factor
    ? `<mrow><mo>(</mo><mo form="prefix">−</mo>${body}<mo>)</mo></mrow>`
    : `<mrow><mo form="prefix">−</mo>${body}</mrow>`;
}
const gradientName = (v) => maths(v.ratio);

/* -- arrays ----------------------------------------------------------------------------------------------------------- */

const scalar = (array) => (array && array.data && array.data.length === 1 ? array.data[0] : null);
const sizes = (shape) => (shape.length === 1 ? `(${shape[0]})` : shape.join("×"));
const kindOf = (v) => (v.shape.length ? `${sizes(v.shape)} ` : "") + v.dtype;
const isNegative = (x) => (typeof x === "number" ? x < 0 : x === "-inf");
const top = (values) => Math.max(...values.filter((x) => typeof x === "number").map(Math.abs), 0) || 1;
const rowsOf = (array) => {
  const width = array.shape.length ? array.shape.at(-1) : 1;
  return Array.from({ length: array.data.length / (width || 1) }, (_, k) => array.data.slice(k * width, (k + 1) * width));
};

/* An array as a person would write it down: a number, a table tinted by magnitude, or a map with its extremes. */
function shown(array, label) {
  if (!array) return tag("span", { class: "soft" }, say("not kept"));
  if (array.data && !array.data.length) return tag("span", { class: "soft" }, say("empty"));
  const only = scalar(array);
  if (only !== null) return tag("span", { class: "number", tabindex: 0, "data-full": full(only) }, number(only));
  const rows = array.data && rowsOf(array);
  if (!rows || rows.length > 16 || rows[0].length > 12) return mapped(array, rows, label);
  const scale = top(array.data);
  const cell = (x) => tag("td", { class: tint(x), style: `--m:${strength(x, scale)}`, title: full(x) }, number(x));
  const lines = rows.map((row) => tag("tr", {}, ...row.map(cell)));
  const exact = rows.map((row) => row.map(full).join("  ")).join("\n");
  const name = `${label}, ${sizes(array.shape)}`;
  return tag("table", { class: "array", tabindex: 0, "aria-label": name, "data-full": exact }, tag("tbody", {}, ...lines));
}
const tint = (x) => (isNegative(x) ? "negative" : "positive");
const strength = (x, scale) => (typeof x === "number" ? Math.round((70 * Math.abs(x)) / scale) : 0);

function mapped(array, rows, label) {
  const facts = rows ? factsOf(array.data) : array;
  const cell = (x) => tag("td", { class: tint(x), style: `--m:${8 * Math.abs(x ?? 0)}` }, x === null ? "!" : x < 0 ? "−" : "");
  const lines = (array.map ?? leveled(rows)).map((row) => tag("tr", {}, ...row.map(cell)));
  const [min, max, mean] = [facts.min, facts.max, facts.mean].map((x) => (x === undefined ? "nan" : number(x)));
  const odd = facts.odd ? ` ${words("not finite", { count: facts.odd })}` : "";
  const text = words("statistics", { shape: sizes(array.shape), min, max, mean }) + odd;
  const table = tag(
    "table",
    { class: "array coarse", role: "img", "aria-label": `${label}, ${text}` },
    tag("tbody", {}, ...lines),
  );
  return tag("figure", { class: "map" }, table, tag("figcaption", {}, escaped(text)));
}
function factsOf(data) {
  const known = data.filter((x) => typeof x === "number");
  const mean = known.reduce((sum, x) => sum + x, 0) / known.length;
  return known.length
    ? { min: Math.min(...known), max: Math.max(...known), mean, odd: data.length - known.length }
    : { odd: data.length };
}
function leveled(rows) {
  const scale = top(rows.flat());
  return rows
    .slice(0, 28)
    .map((row) => row.slice(0, 32).map((x) => (typeof x === "number" ? Math.round((9 * x) / scale) : null)));
}
const combined = (array, other, f) =>
  array?.data &&
  other?.data && {
    shape: array.shape,
    data: array.data.map((x, k) => (typeof x === "number" && typeof other.data[k] === "number" ? f(x, other.data[k]) : "nan")),
  };
function scaled(array, factor) {
  const times = (x) => (typeof x === "number" ? factor * x : x);
  if (!array || array.data) return array && { shape: array.shape, data: array.data.map(times) };
  const map = array.map.map((row) => row.map((x) => (x === null ? x : x * Math.sign(factor))));
  const [min, max] = [times(array.min), times(array.max)].sort((a, b) => a - b);
  return { ...array, map, min, max, mean: times(array.mean) };
}
