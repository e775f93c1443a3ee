/* The drawing of the graph: boxes, arrows, what is seen of them at a step, and which part of it is in sight. */

const pen = document.createElement("canvas").getContext("2d");
const FONT = "15px system-ui, 'DejaVu Sans', sans-serif";
const LABEL = "13px system-ui, 'DejaVu Sans', sans-serif";
function measured(text, font = FONT) {
  pen.font = font;
  return pen.measureText(text).width;
}
const clipped = (text, longest = 22) =>
  text.length > longest ? `${text.slice(0, longest / 2)}…${text.slice(-longest / 2 + 1)}` : text;

/* × 0.5, ^ 2: an operation with the numbers that it was given. */
function sign(v) {
  const numbers = uses.get(v.id).into.filter((link) => vertices.get(link.source).kind === "number");
  let text = v.symbol ?? v.operation ?? "";
  if (uses.get(v.id).into.length > 2 || v.symbol === v.operation) return text;
  for (const link of numbers) {
    const x = scalar(vertices.get(link.source).value);
    if (x !== null) text = link.position ? `${text} ${number(x)}` : `${number(x)} ${text}`;
  }
  return text;
}
const MINI = 9,
  MOST = 8;
const mini = (array) =>
  Boolean(array && array.data && array.data.length > 1 && rowsOf(array).length <= MOST && array.shape.at(-1) <= MOST);
const modulesOf = (v) => {
  if (!v.module) return [];
  const parts = v.module.split(".");
  return parts.map((_, k) => parts.slice(0, k + 1).join(".")).filter((path) => path in data.modules);
};
const drawn = data.vertices.filter((v) => v.kind !== "number");
const isLarge = drawn.length > LARGE && drawn.some((v) => modulesOf(v).length);

/* Whether a module is drawn as one box: in a large graph all are, but those that the step is in. */
function folded(path) {
  if (path in state.unfolded) return !state.unfolded[path];
  const { v } = here();
  return isLarge && !(v && modulesOf(v).includes(path));
}
const boxOf = (v) => {
  const path = modulesOf(v).find(folded);
  return path === undefined ? `v${v.id}` : `m${path}`;
};

function boxes() {
  const found = new Map();
  for (const v of drawn) {
    const id = boxOf(v);
    if (found.has(id)) {
      found.get(id).members.push(v);
      continue;
    }
    const paths = modulesOf(v);
    if (id[0] === "m") {
      const path = id.slice(1),
        head = `${path} · ${data.modules[path]}`;
      found.set(id, {
        id,
        path,
        head,
        members: [v],
        group: paths.slice(0, paths.indexOf(path)),
        w: measured(head, `bold ${FONT}`) + 26,
        h: 48,
      });
    } else {
      found.set(id, { id, v, members: [v], group: paths, ...sizeOf(v) });
    }
  }
  return [...found.values()];
}
function headOf(v) {
  const name = clipped(v.name);
  return v.kind === "operation" || v.kind === "failed" ? `${name} = ${clipped(sign(v), 16)}` : name;
}
function sizeOf(v) {
  const head = measured(headOf(v), `bold ${FONT}`);
  if (mini(v.value)) {
    const rows = rowsOf(v.value).length,
      columns = v.value.shape.at(-1);
    const pictures = columns * MINI * (v.gradient ? 2 : 1) + (v.gradient ? 10 : 0);
    return { w: Math.max(head, pictures, measured(sizes(v.shape))) + 20, h: 46 + rows * MINI + 8 };
  }
  const values = [v.value, v.gradient, updated(v).after].map((a) => scalar(a)).filter((x) => x !== null);
  const wide = Math.max(head, v.shape.length ? measured(sizes(v.shape)) : 0, ...values.map((x) => measured(`∂ ${number(x)}`)));
  return { w: wide + 22, h: v.gradient || v.kind === "parameter" ? 62 : 46 };
}

/* The svg element as text. `mode` is "screen", or "blank" and "answers" for the printed sheets. */
function drawing(mode) {
  const list = boxes();
  const pairs = new Map();
  for (const link of data.links) {
    const source = vertices.get(link.source);
    if (source.kind === "number") continue;
    const from = boxOf(source),
      to = boxOf(vertices.get(link.target));
    if (from === to) continue;
    const key = from[0] === "m" || to[0] === "m" ? `${from} ${to}` : `${from} ${to} ${link.number}`;
    if (!pairs.has(key)) pairs.set(key, { from, to, links: [] });
    pairs.get(key).links.push(link);
  }
  const edges = [...pairs.values()];
  for (const edge of edges) edge.room = edge.links.length === 1 ? measured(slopeText(edge.links[0]), LABEL) + 12 : 0;
  const placed = layout(list, edges);
  const size = { w: Math.ceil(placed.width), h: Math.ceil(placed.height) };
  const groups = Object.entries(placed.groups).sort((a, b) => a[1].depth - b[1].depth);
  const lines = edges.map((edge, k) => line(edge, placed.edges[k], mode));
  const attributes = {
    class: `drawing ${mode}`,
    viewBox: `0 0 ${size.w} ${size.h}`,
    role: mode === "screen" ? "group" : "img",
    "aria-label": describedGraph(),
  };
  const svg = tag(
    "svg",
    attributes,
    tag("defs", {}, tip("tip-value", mode), tip("tip-gradient", mode)),
    ...groups.map(([path, place]) => moduleFrame(path, place, mode)),
    ...lines.map((l) => l.path),
    ...list.map((box) => (box.path === undefined ? shape : foldedModule)(box, placed.boxes[box.id], mode)),
    ...lines.map((l) => l.label),
  );
  return { size, svg };
}

const rect = (kind, x, y, width, height, rx = 0) => tag("rect", { class: kind, x, y, width, height, rx });
const centred = (kind, x, y, ...children) => tag("text", { class: kind, x, y, "text-anchor": "middle" }, ...children);

/* The point of an arrow. */
function tip(name, mode) {
  const size = { markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" };
  const point = tag("path", { class: name, d: "M0 0L10 5L0 10z" });
  return tag("marker", { id: `${name}-${mode}`, viewBox: "0 0 10 10", refX: 9, refY: 5, ...size }, point);
}

function moduleFrame(path, { x, y, w, h }, mode) {
  const folds =
    isLarge && mode === "screen" ? { role: "button", tabindex: 0, "aria-expanded": "true", "aria-label": path } : {};
  const title = tag("text", { x: x + 8, y: y + 15 }, escaped(clipped(`${path} · ${data.modules[path]}`, 30)));
  return tag("g", { class: "module", "data-module": path, ...folds }, rect("", x, y, w, h, 8), title);
}

/* An arrow for the value, one for the gradient, and the place of what is written on them. */
function line(edge, points, mode) {
  const curve = (shift) => {
    const at = points.map(([x, y]) => [x, y + shift]);
    let d = `M${at[0].map(short)}`;
    for (let k = 1; k < at.length; k++) {
      const middle = short((at[k - 1][0] + at[k][0]) / 2);
      const end = at[k].map(short);
      d += k % 2 ? `C${middle},${short(at[k - 1][1])} ${middle},${end[1]} ${end}` : `L${end}`;
    }
    return d;
  };
  const back = edge.links.some((link) => link.contribution);
  const value = tag("path", { class: "value", d: curve(back ? -2.5 : 0), "marker-end": `url(#tip-value-${mode})` });
  const gradient = { class: "gradient", d: curve(2.5), "marker-start": `url(#tip-gradient-${mode})` };
  const numbers = edge.links.map((link) => link.number).join(" ");
  const path = tag("g", { class: "edge", "data-links": numbers }, value, back ? tag("path", gradient) : "");
  if (mode !== "screen" || edge.links.length > 1 || !back) return { path, label: "" };
  const [end, before] = [points.at(-1), points.at(-2)];
  const middle = `translate(${short((end[0] + before[0]) / 2)},${short((end[1] + before[1]) / 2)})`;
  const text = tag("text", { "text-anchor": "middle", y: 4 });
  return { path, label: tag("g", { class: "label", "data-link": numbers, transform: middle }, tag("rect"), text) };
}
const short = (x) => x.toFixed(1);

function foldedModule(box, at) {
  const [x, y] = [at.x - box.w / 2, at.y - box.h / 2];
  const count = counted("quantities", box.members.length);
  const attributes = { class: "node folded", "data-module": box.path, role: "button", tabindex: 0, "aria-expanded": "false" };
  return tag(
    "g",
    { ...attributes, "aria-label": `${box.head}, ${count}` },
    rect("frame outer", x, y, box.w, box.h, 6),
    rect("frame", x + 3, y + 3, box.w - 6, box.h - 6, 4),
    centred("head", at.x, at.y - 3, escaped(box.head)),
    centred("soft", at.x, at.y + 15, escaped(count)),
  );
}

function shape(box, at, mode) {
  const { v } = box;
  const [x, y] = [at.x - box.w / 2, at.y - box.h / 2];
  const [name, ...rest] = headOf(v).split(" = ");
  const round = v.kind === "operation" ? 10 : 0;
  const frame = (grow, kind) => rect(`frame ${kind}`, x - grow, y - grow, box.w + 2 * grow, box.h + 2 * grow, round);
  const named = tag("tspan", { class: v.named ? "name" : "name own" }, escaped(name));
  const bang = rect("", x + box.w - 9, y - 9, 18, 18, 9) + centred("", x + box.w, y + 5, "!");
  const tick = rect("", x + box.w - 9, y + box.h - 9, 18, 18, 4) + centred("", x + box.w, y + box.h + 5);
  const parts = [
    frame(6, "halo"),
    v.kind === "parameter" ? frame(3, "outer") : "",
    frame(0, "inner"),
    centred("head", at.x, y + 19, named, rest.length ? escaped(` = ${rest.join(" = ")}`) : ""),
    mini(v.value) ? pictures(v, x, y, box, mode) : lettered(v, at, y, mode),
    v.marks.length && mode !== "blank" ? tag("g", { class: "mark" }, bang) : "",
    mode === "screen" ? tag("g", { class: "tick" }, tick) : "",
  ];
  const kinds = `node ${v.kind}${v.id === data.loss ? " loss" : ""}`;
  const role = mode === "screen" ? { role: "button", tabindex: 0, "data-id": v.id } : {};
  return tag("g", { class: kinds, ...role }, ...parts);
}

/* Value and gradient as text; what an array is by its shape. */
function lettered(v, at, y, mode) {
  const size = scalar(v.value) === null && v.shape.length ? sizes(v.shape) : "";
  const [value, gradient] = mode === "screen" ? ["", ""] : printed(v, mode);
  const attributes = { class: "value", x: at.x, y: y + 37, "text-anchor": "middle", "data-text": size };
  return tag("text", attributes, size || value) + centred("gradient", at.x, y + 55, gradient);
}
function printed(v, mode) {
  const [value, gradient] = [v.value, v.gradient].map((array) => array && scalar(array));
  const text = (phase, x) => (mode === "blank" && state.exercise && askable(phase, v) ? "………" : number(x));
  return [
    (value ?? null) === null ? "" : text("forward", value),
    (gradient ?? null) === null ? "" : `∂ ${text("backward", gradient)}`,
  ];
}

/* Value and gradient as small pictures, a cell for each element. */
function pictures(v, x, y, box, mode) {
  const columns = v.value.shape.at(-1);
  const rows = rowsOf(v.value).length;
  const two = Boolean(v.gradient?.data);
  const start = x + (box.w - columns * MINI * (two ? 2 : 1) - (two ? 10 : 0)) / 2;
  const picture = (array, kind, left, phase) => {
    const scale = top(array.data);
    const cell = (value, k) => {
      const [cx, cy] = [left + (k % columns) * MINI, y + 46 + Math.floor(k / columns) * MINI];
      const square = { class: tint(value), x: cx, y: cy, width: MINI, height: MINI, style: `--m:${strength(value, scale)}` };
      return tag("rect", square) + (isNegative(value) ? tag("path", { d: `M${cx + 2.5} ${cy + MINI / 2}h${MINI - 5}` }) : "");
    };
    const hidden = mode === "blank" && state.exercise && askable(phase, v);
    const cells = tag("g", { class: "cells" }, ...(hidden ? [] : array.data.map(cell)));
    return tag("g", { class: `mini ${kind}` }, rect("outline", left, y + 46, columns * MINI, rows * MINI), cells);
  };
  return (
    centred("soft", x + box.w / 2, y + 38, sizes(v.shape)) +
    picture(v.value, "value", start, "forward") +
    (two ? picture(v.gradient, "gradient", start + columns * MINI + 10, "backward") : "")
  );
}

let whole = { w: 1, h: 1 }; // the size of the drawing on the screen
let drawnAs = "";

function renderGraph() {
  const key = JSON.stringify([state.lang, state.digits, state.rate, drawn.map(boxOf)]);
  const { id: focus, module: focused } = document.activeElement?.dataset ?? {};
  if (key !== drawnAs) {
    const { svg, size } = drawing("screen");
    drawnAs = key;
    whole = size;
    state.view = null;
    $("main").classList.toggle("beside", size.w < 2.2 * size.h); // a tall graph has the panel beside it
    $("#drawing").innerHTML = svg;
    if (focus) $(`#drawing [data-id="${focus}"]`)?.focus();
    if (focused) [...document.querySelectorAll("#drawing [data-module]")].find((e) => e.dataset.module === focused)?.focus();
  }
  if ($("#ticks")) $("#ticks").hidden = !state.checks;
  const { phase, v } = here();
  const used = new Set(
    v && phase === "forward"
      ? uses.get(v.id).into.map((link) => link.source)
      : v && phase === "backward"
        ? uses.get(v.id).out.map((link) => link.target)
        : [],
  );
  for (const node of document.querySelectorAll("#drawing .node[data-id]")) {
    const w = vertices.get(Number(node.dataset.id));
    const known = valueKnown(w),
      gradient = gradientKnown(w),
      done = reached("update", w.id) && !blank("update", w);
    node.classList.toggle("current", w === v);
    node.classList.toggle("used", used.has(w.id));
    node.classList.toggle("later", !known && !blank("forward", w));
    if (w === v) node.setAttribute("aria-current", "step");
    else node.removeAttribute("aria-current");
    node.setAttribute("aria-label", describedNode(w));
    const value = node.querySelector("text.value"),
      slope = node.querySelector("text.gradient");
    if (value) {
      const only = scalar(w.value),
        after = done && scalar(updated(w).after);
      value.textContent =
        value.dataset.text ||
        (only === null ? "" : !known ? (blank("forward", w) ? "?" : "") : done ? `→ ${number(after)}` : number(only));
      const x = w.gradient ? scalar(w.gradient) : null;
      slope.textContent =
        x === null ? "" : gradient ? `∂ ${number(x)}` : blank("backward", w) && reached("backward", w.id) ? "∂ ?" : "";
    }
    const verdict = verdictOn(w),
      tick = node.querySelector(".tick");
    tick.setAttribute("class", `tick ${verdict ?? ""}`);
    tick.querySelector("text").textContent = verdict ? TICKS[verdict] : "";
    node.querySelector(".mini.value")?.classList.toggle("hidden", !known);
    node.querySelector(".mini.gradient")?.classList.toggle("hidden", !gradient);
  }
  for (const edge of document.querySelectorAll("#drawing .edge")) {
    const links = edge.dataset.links.split(" ").map((k) => data.links[k]);
    const flows = phase === "forward" && links.some((link) => link.target === v.id);
    const back = phase === "backward" && links.some((link) => link.source === v.id && link.contribution);
    edge.classList.toggle("current", flows);
    edge.classList.toggle("back", back);
    edge.classList.toggle(
      "went",
      links.some((link) => link.contribution && reached("backward", link.source)),
    );
    edge.classList.toggle(
      "done",
      links.some((link) => reached("forward", link.target)),
    );
  }
  for (const label of document.querySelectorAll("#drawing .label")) {
    const link = data.links[label.dataset.link];
    const now = phase === "forward" ? link.target === v.id : phase === "backward" && link.source === v.id;
    const hidden =
      state.exercise && (blank("forward", vertices.get(link.target)) || (phase === "backward" && v && blank(phase, v)));
    const text = hidden || !(now || state.labels) ? "" : slopeText(link);
    label.querySelector("text").textContent = text;
    const width = text ? measured(text, LABEL) + 10 : 0;
    const rect = label.querySelector("rect");
    for (const [name, value] of Object.entries({ x: -width / 2, y: -10, width, height: text ? 19 : 0, rx: 4 }))
      rect.setAttribute(name, value);
    label.classList.toggle("now", now);
  }
  place();
}
/* What a local derivative is, in the little room that an edge has: × 0.2494, or its formula. */
function slopeText(link) {
  const only = link.local && link.local.shape.length === 0 ? scalar(link.local) : null;
  if (only !== null) return `× ${only < 0 && state.lang === "fr" ? `(${number(only)})` : number(only)}`;
  if (link.label)
    return clipped(
      (!link.slope ? "" : link.slope.numbers === undefined ? "× " : "⊙ ") + link.label[state.lang === "fr" ? 1 : 0],
      24,
    );
  return "";
}

/* The drawing fits its frame if it can still be read then; else the part around the step is shown, or its beginning.
   What the reader chose to see is kept, and follows the step. */
function place() {
  const svg = $("#drawing svg"),
    frame = $("#drawing").getBoundingClientRect();
  if (!svg || !frame.width) return;
  const scale = Math.min(frame.width / whole.w, frame.height / whole.h);
  const node = svg.querySelector(".node.current .frame.inner"),
    box = node?.getBBox() ?? { x: 0, y: whole.h / 2, width: 0, height: 0 };
  const held = (centre, length, all) =>
    length > all ? (all - length) / 2 : Math.min(Math.max(centre - length / 2, 0), all - length);
  const around = (w, h) => ({ x: held(box.x + box.width / 2, w, whole.w), y: held(box.y + box.height / 2, h, whole.h), w, h });
  const { view } = state,
    k = Math.min(scale, 1.6);
  if (view) {
    const inside =
      box.x >= view.x && box.y >= view.y && box.x + box.width <= view.x + view.w && box.y + box.height <= view.y + view.h;
    if (node && !inside) setView(around(view.w, view.h));
  } else if (scale < 0.62) {
    setView(around(frame.width / 0.85, frame.height / 0.85), false);
  } else {
    setView(
      { x: (whole.w - frame.width / k) / 2, y: (whole.h - frame.height / k) / 2, w: frame.width / k, h: frame.height / k },
      false,
    );
  }
}
function setView(view, kept = true) {
  if (kept) state.view = view;
  const svg = $("#drawing svg");
  svg.setAttribute("viewBox", [view.x, view.y, view.w, view.h].map((x) => x.toFixed(1)).join(" "));
}
const currentView = () => {
  const [x, y, w, h] = $("#drawing svg").getAttribute("viewBox").split(" ").map(Number);
  return { x, y, w, h };
};
function zoom(factor) {
  const { x, y, w, h } = currentView();
  setView({ x: x + (w * (1 - factor)) / 2, y: y + (h * (1 - factor)) / 2, w: w * factor, h: h * factor });
}
