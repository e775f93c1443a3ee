/* What is said of a step: formula, numbers, contributions, the chain rule, the check, the update; and the exercise. */

/* -- in words ---------------------------------------------------------------------------------------------------------- */

const spoken = (array) =>
  !array
    ? ""
    : scalar(array) !== null
      ? number(scalar(array))
      : array.data && array.data.length <= 12
        ? array.data.map((x) => number(x)).join(" ; ")
        : sizes(array.shape);
const textOf = (formula) => (formula ? formula.text[state.lang === "fr" ? 1 : 0] : "");
const definition = (v) =>
  v.formula ? `${v.name} = ${textOf(v.formula)}` : v.kind === "operation" ? `${v.name} = ${sign(v)}` : v.name;

function describedNode(v) {
  const parts = [definition(v)];
  if (v.called) parts.push(v.called);
  if (v.kind !== "operation") parts.push(words(v.kind));
  if (valueKnown(v)) parts.push(words("says value", { value: spoken(v.value) }));
  if (gradientKnown(v)) parts.push(words("says gradient", { value: spoken(v.gradient) }));
  for (const mark of v.marks) parts.push(words(`mark ${mark.kind}`));
  if (verdictOn(v)) parts.push(`${words("checks")} ${TICKS[verdictOn(v)]} ${words(verdictOn(v))}`);
  return parts.join(", ");
}
const describedGraph = () =>
  words("graph described", {
    operations: counted("operations", drawn.filter((v) => v.kind === "operation").length),
    parameters: counted("parameters", drawn.filter((v) => v.kind === "parameter").length),
    loss: data.letter,
  });
function announced() {
  const { phase, v } = here();
  if (!v) return words("start");
  const where = words("step of", { step: state.step, steps: data.steps.length, phase: words(phase) });
  const hidden = blank(phase, v);
  const what = phase === "forward" ? definition(v) : `∂${data.letter}/∂${v.name}`;
  const result = hidden
    ? words("to fill in")
    : spoken(phase === "forward" ? v.value : phase === "backward" ? v.gradient : updated(v).after);
  return `${where}. ${phase === "update" ? v.name : what} : ${result}`;
}

/* -- the panel --------------------------------------------------------------------------------------------------------- */

const card = (title, body, kind = "") => tag("section", { class: `card ${kind}` }, tag("h3", {}, title), body);
const note = (text) => tag("p", { class: "note" }, text);
const wide = (...parts) => tag("math", { displaystyle: "true" }, ...parts);
const glyph = (text) => tag("span", { class: "operator" }, text);
const inLine = (...parts) => tag("div", { class: "line" }, ...parts);
const nameOf = (v) => maths(v.math);
const made = (v) => inline(nameOf(v), equals, v.formula ? maths(v.formula.math) : `<mtext>${escaped(sign(v))}</mtext>`);
const uniform = (array) => (array.data ? array.data.every((x) => x === array.data[0]) : array.min === array.max && !array.odd);
const bareText = (body) => body.replace(/<[^>]*>|[\u2061\u2062]/g, "");

/* name = formula = formula with numbers = value, on one line if there is room; what would be said twice is said once.
   `bare` leaves out the numbers, `open` the value; `product` is said before the formula. */
function equation(left, formula, value, { bare = false, open = false, label = "", product = null, sign = equals } = {}) {
  const answered = !bare && !open && value;
  const only = answered && !value.shape.length ? value.data[0] : null;
  const bodies = [product, maths(formula.math)];
  if (!bare && formula.numbers !== undefined) bodies.push(maths(formula.numbers));
  const result = only === null ? null : mathNumber(only);
  if (result) bodies.push(result);
  const texts = bodies.map((body) => body && bareText(body));
  const parts = bodies
    .filter((body, k) => body && texts.indexOf(texts[k]) === k)
    .map((body) => (result && bareText(body) === bareText(result) ? tag("mrow", { class: "result" }, body) : body))
    .map((body, k) => wide(k ? equals : left + sign, body));
  const written = answered && only === null && !(formula.numbers === undefined && uniform(value));
  if (written) parts.push(tag("span", { class: "line" }, glyph("="), tag("span", { class: "result" }, shown(value, label))));
  const hand = only === null ? undefined : formula.hand?.[state.digits];
  const remark = hand === undefined ? "" : note(say("by hand", { value: number(hand), exact: number(only) }));
  return tag("div", { class: "equation" }, inLine(...parts), remark);
}

function renderPanel() {
  const { phase, v } = here();
  $("#panel").innerHTML = { start: startPanel, forward: forwardPanel, backward: backwardPanel, update: updatePanel }[phase](v);
  $("#panel").scrollTop = 0;
  $("#panel").setAttribute("aria-label", words("explanation"));
  $("#skip").textContent = words("skip");
}

function startPanel() {
  const given = (kind) => drawn.filter((v) => v.kind === kind);
  const brief = given("parameter").length > 16; // too many to be written out
  const value = (v) => (brief && v.shape.length ? inline(nameOf(v)) : `${inline(nameOf(v), equals)} ${shown(v.value, v.name)}`);
  const facts = (v) => [v.called && tag("code", {}, escaped(v.called)), escaped(kindOf(v))].filter(Boolean).join(" · ");
  const entry = (v) => tag("li", {}, tag("span", {}, value(v)), tag("small", {}, facts(v)));
  const list = (kind) => tag("h4", {}, say(`${kind} many`)) + tag("ul", { class: "given" }, ...given(kind).map(entry));
  const states = [...new Set(given("parameter").map((v) => v.state))].map((s) => stateText(s));
  const lists = ["parameter", "constant"].filter((kind) => given(kind).length).map((kind) => list(kind));
  const keys = ["next", "back", "ends", "play", "jump", "zoom"].map((key) => tag("li", {}, say(`key ${key}`)));
  return (
    card(say("given"), [lists[0], ...states, ...lists.slice(1)].join(""), "wide") +
    card(say("start"), tag("p", {}, say("start explained", { loss: data.letter })) + tag("ul", { class: "keys" }, ...keys))
  );
}

/* The main part of a panel: the phase, what the step is about, the facts of the quantity, then the rest. */
function about(v, phase, what, ...parts) {
  const module = v.module && v.module in data.modules && `${v.module} · ${data.modules[v.module]}`;
  const facts = [v.called && tag("code", {}, escaped(v.called)), escaped(kindOf(v)), module && say("in module", { module })];
  if (v.site) facts.push(escaped(v.site));
  const title = tag("h2", {}, tag("span", { class: `phase ${phase}` }, say(phase)), " ", inline(what));
  return tag("div", { class: "main" }, title, tag("p", { class: "facts" }, facts.filter(Boolean).join(" · ")), ...parts);
}
function banners(v) {
  const means = (mark) => say(`mark ${mark.kind} means`, { share: number(Math.round(mark.share * 100)) });
  const text = (mark) =>
    `${tag("strong", {}, `! ${say(`mark ${mark.kind}`)}`)} ${means(mark)} ${mark.first ? say("mark first") : ""}`;
  return v.marks.map((mark) => tag("p", { class: "banner" }, text(mark))).join("");
}

/* What .grad holds: this gradient, an older one, their sum, nothing yet. */
const stateText = (s, more = "") =>
  tag("p", { class: `state ${s}` }, tag("code", {}, ".grad"), ` : ${say(`state ${s}`)} ${more}`);
function stateOf(v) {
  return v.kind === "parameter" ? stateText(v.state, v.stored && v.state !== "fresh" ? shown(v.stored, ".grad") : "") : "";
}

/* -- forward ----------------------------------------------------------------------------------------------------------- */

function forwardPanel(v) {
  if (v.kind === "failed") {
    const stopped = tag("p", { class: "banner" }, tag("strong", {}, `! ${say("failed")}`));
    const sources = uses.get(v.id).into.map((link) => vertices.get(link.source));
    const inputs = sources.map((w) => `${w.name ?? spoken(w.value)}${w.shape.length ? ` ${sizes(w.shape)}` : ""}`).join(", ");
    const refused = tag("p", {}, say("failed inputs", { operation: v.operation, inputs }));
    const message = tag("blockquote", { lang: "en" }, escaped(v.error));
    return about(v, "forward", nameOf(v), stopped, refused, note(say("engine says")), message);
  }
  const question = blank("forward", v);
  const hints = hintsOf("forward", v);
  const body = v.formula
    ? equation(nameOf(v), v.formula, v.value, { bare: question && hints < 2, open: question, label: v.name })
    : inLine(made(v), question ? "" : glyph("=") + shown(v.value, v.name));
  const sources = uses.get(v.id).into.map((link) => vertices.get(link.source));
  const help = question && hints >= 1 ? givenValues(sources) : "";
  const slopes = uses
    .get(v.id)
    .into.filter((link) => link.contribution && !question)
    .map(localOf)
    .filter(Boolean);
  const explained = tag("p", { class: "soft" }, say("local explained"));
  return (
    about(v, "forward", nameOf(v), body, help, exercise("forward", v), question ? "" : banners(v)) +
    (slopes.length ? card(say("local derivatives"), explained + slopes.join(""), "slopes") : "")
  );
}

/* ∂h/∂z = h (1 − h) = 0.2494; for a product of matrices there is only what it makes of the gradient. */
function localOf(link, options = {}) {
  const source = vertices.get(link.source);
  const target = vertices.get(link.target);
  if (link.slope) return equation(maths(link.ratio), link.slope, link.local, { ...options, label: words("local derivative") });
  if (!link.rule) return "";
  const text = tag("p", {}, say("linear", { target: target.name, source: source.name }));
  return tag("div", { class: "equation" }, text, displayed(maths(source.ratio), equals, maths(link.rule.math)));
}

/* -- backward ---------------------------------------------------------------------------------------------------------- */

function backwardPanel(v) {
  const question = blank("backward", v);
  const hints = hintsOf("backward", v);
  const cards = question ? "" : chainCard(v) + checkCard(v);
  const panel = (...parts) => about(v, "backward", gradientName(v), ...parts) + cards;
  if (v.id === data.loss) {
    return panel(
      displayed(gradientName(v), equals, mathNumber(1)),
      tag("p", {}, say("backward starts", { loss: data.letter })),
    );
  }
  const arriving = uses.get(v.id).out.filter((link) => link.contribution);
  arriving.sort((a, b) => b.target - a.target || a.position - b.position);
  if (!arriving.length) {
    const unknown = tag("p", {}, say("unknown way", { name: v.name }));
    return panel(unknown, inLine(wide(gradientName(v), equals), shown(v.gradient, "")));
  }
  const several = arriving.length > 1;
  const target = vertices.get(arriving[0].target).name;
  const intro = several
    ? say("several uses", { name: v.name, count: arriving.length })
    : say(arriving[0].slope ? "one use" : "one linear use", { name: v.name, target });
  const blocks = arriving.map((link, k) => arrival(link, v, several ? k + 1 : 0, question, hints));
  return panel(
    tag("p", { class: "soft" }, intro),
    tag("div", { class: "arrivals" }, ...blocks),
    several && !question ? sumOf(arriving, v) : "",
    exercise("backward", v),
    question ? "" : banners(v) + stateOf(v),
  );
}

/* One use: its local derivative, the gradient that came to its result, and what it adds. `count` is its number, 0 for the
   only one. */
function arrival(link, v, count, question, hints) {
  const target = vertices.get(link.target);
  const block = (...parts) => tag("div", { class: "arrival" }, ...parts);
  const head = count ? tag("h4", {}, `${say("use", { count })} ${made(target)}`) : "";
  if (question && hints < 1) return block(head || tag("p", {}, made(target)));
  const bare = question && hints < 2;
  if (!link.rule)
    return block(head, question ? "" : inLine(glyph(count ? "+=" : "="), shown(link.contribution, words("contribution"))));
  const slope = link.slope ? localOf(link, { bare }) : "";
  const [left, sign] = count ? ["", operator("+=")] : [gradientName(v), equals];
  const times = operator(target.shape.length && v.shape.length ? "⊙" : "·");
  const chain = link.slope && link.target !== data.loss && !link.axes;
  const product = chain ? gradientName(target) + times + maths(link.ratio) : null;
  const options = { bare, open: question, label: words("contribution"), product, sign };
  const known = link.target === data.loss && link.slope && !link.axes && !count; // the local derivative has said it
  const flow = known ? "" : equation(left, link.rule, link.spread ?? link.contribution, options);
  return block(head, slope, flow, link.axes ? summed(link, question) : "");
}

/* Broadcasting is undone: the axes that are summed, and the sum. */
function summed(link, question) {
  const sum = words(link.axes.length === 1 ? "summed axis" : "summed axes", {
    axes: link.axes.join(", "),
    from: sizes(link.spread.shape),
    to: sizes(link.contribution.shape) || "()",
  });
  const letters = link.axes.map((axis) => "ijkl"[axis] ?? axis).join("");
  const sigma = inline(`<msub><mo>∑</mo><mi>${letters}</mi></msub>`);
  const result = question ? "" : inLine(sigma, glyph("="), shown(link.contribution, words("contribution")));
  return tag("div", { class: "broadcast" }, tag("p", {}, escaped(sum)), result);
}

/* The contributions one after another, as they are added: += 12 → 12, += 12 → 24. */
function sumOf(arriving, v) {
  let total = null;
  const rows = arriving.map((link, k) => {
    total = total ? combined(total, link.contribution, (a, b) => a + b) : link.contribution;
    const last = k === arriving.length - 1;
    const from = tag("small", {}, say("from use", { count: k + 1, target: vertices.get(link.target).name }));
    return tag(
      "tr",
      {},
      tag("th", { scope: "row" }, glyph("+="), " ", from),
      tag("td", {}, shown(link.contribution, words("contribution"))),
      tag("td", {}, glyph("→")),
      tag("td", { class: last && "result" }, shown(last ? v.gradient : total, words("running sum"))),
    );
  });
  const table = tag("table", { class: "running" }, tag("tbody", {}, ...rows));
  const line = written(
    v,
    arriving.map((link) => scalar(link.contribution)),
  );
  return tag("div", { class: "sum" }, tag("h4", {}, say("sum of uses")), line, table);
}
/* ∂ℒ/∂b = 12 + 12 = 24, if these are numbers. */
function written(v, numbers) {
  if (!numbers.every((x) => typeof x === "number") || scalar(v.gradient) === null) return "";
  const sum = numbers.map((x, k) => mathNumber(x, k > 0)).join(operator("+"));
  return displayed(gradientName(v), equals, sum, equals, tag("mrow", { class: "result" }, mathNumber(scalar(v.gradient))));
}

/* -- the chain rule, path by path --------------------------------------------------------------------------------------- */

/* A long list without its middle. */
function elided(list, dots, longest = 8) {
  return list.length <= longest ? list : [...list.slice(0, longest / 2), dots, ...list.slice(-longest / 2 + 1)];
}
/* A stop on a path; with the number of the argument where a result uses the same thing twice. */
function stop(link) {
  const twice = uses.get(link.target).into.filter((other) => other.source === link.source).length > 1;
  return vertices.get(link.source).name + (twice ? ` (${link.position + 1})` : "");
}

function chainCard(v) {
  const chain = data.chains[v.id];
  if (!chain?.paths.length) return "";
  const several = chain.paths.length > 1;
  const known = chain.paths.every((path) => path.factors.every((f) => typeof f.value === "number"));
  const parts = [];
  if (several) {
    const cut = chain.count > chain.paths.length;
    parts.push(
      tag("p", {}, sayCounted("paths", chain.count), cut ? ` ${say("paths cut", { shown: chain.paths.length })}` : ""),
    );
    if (known && !cut)
      parts.push(
        written(
          v,
          chain.paths.map((path) => scalar(path.value)),
        ),
      );
  } else if (chain.paths[0].factors.length > 1) {
    parts.push(displayed(gradientName(v), equals, ratios(chain.paths[0])));
  }
  parts.push(tag("ol", { class: "paths" }, ...chain.paths.map((path, k) => pathItem(path, several ? k + 1 : 0, known, v))));
  const factors = factorsOf(chain.paths);
  if (factors.length) parts.push(tag("h4", {}, say("factors")), tag("div", { class: "factors" }, ...factors));
  const primes = data.primes.map(([name, formula]) => inline(maths(name), equals, maths(formula)));
  if (factors.length && primes.length) parts.push(note(`${say("with")} ${primes.join(", ")}`));
  return tag("details", { class: "card chain wide", open: state.chain }, tag("summary", {}, say("chain")), ...parts);
}
const ratios = (path) =>
  elided(
    path.factors.map((f) => maths(f.ratio)),
    operator("…"),
  ).join(operator("·"));
const sayCounted = (key, count) => escaped(counted(key, count));

/* ∂ℒ/∂ŷ · ∂ŷ/∂h₁ · ∂h₁/∂w₁ = −0.953 × 0.249 × (−0.0904) = 0.0215; of arrays, what the path brings. */
function pathItem(path, count, known, v) {
  const along = [vertices.get(data.loss).name, ...path.links.map((n) => stop(data.links[n]))].map(escaped);
  const title = count ? `${tag("strong", {}, say("path", { count }))} ` : "";
  const value = path.value ?? v.gradient;
  const single = path.factors.length === 1;
  let line = "";
  if (known && (count || !single)) {
    const numbers = elided(
      path.factors.map((f, k) => mathNumber(f.value, k > 0)),
      operator("…"),
    ).join(operator("×"));
    line = displayed(ratios(path), equals, numbers, single ? "" : equals + mathNumber(scalar(value)));
  } else if (count) {
    line = displayed(ratios(path)) + inLine(glyph("="), shown(value, words("path", { count })));
  }
  const stops = tag("p", { class: "along" }, title, elided(along, "…", 16).join(" → "));
  return tag("li", { class: "path", tabindex: 0, "data-links": path.links.join(" ") }, stops, line);
}
function factorsOf(paths) {
  const found = new Map();
  for (const f of paths.flatMap((path) => path.factors)) {
    if (f.formula)
      found.set(`${f.ratio} ${f.formula.math}`, equation(maths(f.ratio), f.formula, { shape: [], data: [f.value] }));
  }
  return [...found.values()];
}

/* -- finite differences -------------------------------------------------------------------------------------------------- */

const QUOTIENT = (letter) => {
  const at = (sign) => `<mi>${letter}</mi><mo>(</mo><mi>x</mi><mo>${sign}</mo><mi>h</mi><mo>)</mo>`;
  return inline(`<mfrac><mrow>${at("+")}<mo>−</mo>${at("−")}</mrow><mrow><mn>2</mn><mi>h</mi></mrow></mfrac>`);
};

/* What finite differences say of an element, and of all elements together: the worst. */
const verdictOf = (check, [, , , gap, kink]) => (gap <= check.tolerance ? "agrees" : kink ? "kink" : "differs");
function verdictOn(v) {
  const check = state.checks && v.id !== data.loss && gradientKnown(v) && data.checks[v.id];
  const found = check ? check.rows.map((row) => verdictOf(check, row)) : [];
  return ["differs", "kink", "agrees"].find((verdict) => found.includes(verdict));
}
const TICKS = { agrees: "✓", kink: "✗", differs: "✗" };

function checkCard(v) {
  if (!state.checks || v.id === data.loss) return "";
  const check = data.checks[v.id];
  if (!check) return card(say("check"), tag("p", {}, say("not checked")));
  const rows = check.rows.map((row) => {
    const [index, gradient, quotient, gap] = row;
    const found = verdictOf(check, row);
    const verdict = `${TICKS[found]} ${say(found)}`;
    const place = v.shape.length ? tag("th", { scope: "row" }, `[${index.join(", ")}]`) : "";
    const cells = [number(gradient), number(quotient), number(gap, 2)].map((x) => tag("td", {}, x));
    return tag("tr", {}, place, ...cells, tag("td", { class: found === "agrees" ? "good" : "bad" }, verdict));
  });
  const columns = [...(v.shape.length ? ["element"] : []), "gradient", "quotient", "gap", "verdict"];
  const head = tag("thead", {}, tag("tr", {}, ...columns.map((key) => tag("th", { scope: "col" }, say(key)))));
  const some = say("sample", { count: check.rows.length, size: number(check.size) });
  return card(
    say("check"),
    tag("p", { class: "soft" }, `${say("check explained")} ${QUOTIENT(data.letter)}`) +
      (check.rows.length < check.size ? tag("p", { class: "soft" }, some) : "") +
      tag("table", { class: "list check" }, head, tag("tbody", {}, ...rows)),
    "wide",
  );
}

/* -- the update ---------------------------------------------------------------------------------------------------------- */

/* What the update makes of a parameter: what the optimiser did; else a preview, which only plain gradient descent allows. */
function updated(v) {
  const known = data.update.parameters[v.id];
  const rate = known?.rate ?? state.rate;
  const gradient = known && v.stored ? v.stored : v.gradient;
  const step = known ? known.step : scaled(gradient, -rate);
  const plain = known ? known.plain : !v.after;
  const after = v.after ?? (plain ? combined(v.value, step, (a, b) => a + b) : null);
  return { known, rate, gradient, step, plain, after, change: v.change, made: Boolean(v.after) };
}

function updatePanel(v) {
  const u = updated(v);
  const question = blank("update", v);
  const hints = hintsOf("update", v);
  const descent = [operator("−"), "<mi>η</mi>", gradientName(v)];
  const open = tag("span", { class: "soft" }, say("to fill in"));
  const term = (caption, body) => tag("figure", { class: "term" }, tag("figcaption", {}, caption), body);
  const parts = [whoSteps(u)];
  if (u.plain) parts.push(displayed(nameOf(v), operator("←"), nameOf(v), ...descent));
  const [before, slope, after] = [v.value, u.gradient, u.after].map(scalar);
  if (u.plain && [before, slope, after].every((x) => typeof x === "number") && (!question || hints >= 1)) {
    const product = [mathNumber(u.rate), operator("×"), mathNumber(slope, true)];
    parts.push(displayed(mathNumber(before), operator("−"), ...product, question ? "" : equals + mathNumber(after)));
  }
  if (u.after) {
    const [caption, change] = u.plain ? [inline(...descent), u.step] : [say("change"), u.change];
    const middle = term(caption, question && hints < 2 ? open : shown(change, words("change")));
    const last = term(say("after"), question ? open : tag("span", { class: "result" }, shown(u.after, words("after"))));
    const first = term(say("before"), shown(v.value, words("before")));
    parts.push(tag("div", { class: "line update" }, first, glyph("+"), middle, glyph("="), last));
  }
  if (u.known && !u.plain) parts.push(note(say("not plain", { name: data.update.name })));
  if (u.known ? !(u.plain && u.after) : !u.made && !u.after) {
    parts.push(inLine(inline(...descent), glyph("="), shown(u.step, words("change"))));
  }
  return about(v, "update", nameOf(v), ...parts, exercise("update", v), stateOf(v));
}

/* Which optimiser made the step, or would make it; without one, the reader chooses η. */
function whoSteps(u) {
  const eta = inline("<mi>η</mi>", equals, mathNumber(u.rate));
  if (u.known) {
    const option = ([key, x]) =>
      `${key} = ${[x]
        .flat()
        .map((y) => (y === true ? "✓" : number(y)))
        .join(" ; ")}`;
    const options = Object.entries(u.known.options).map(option).join(", ");
    const text = say(u.made ? "step made" : u.after ? "step preview" : "step unknown", { name: data.update.name });
    return tag("p", {}, `${text} ${eta} `, options && tag("small", {}, escaped(`(${options})`)));
  }
  if (u.made) return tag("p", {}, say("step of nobody"));
  const field = {
    id: "rate",
    type: "text",
    inputmode: "decimal",
    size: 6,
    value: full(state.rate),
    "aria-label": words("rate"),
  };
  return tag("p", {}, tag("strong", {}, say("preview")), " ", tag("label", {}, "η = ", tag("input", field)));
}

/* -- the exercise -------------------------------------------------------------------------------------------------------- */

const hintsOf = (phase, v) => state.hints[`${phase} ${v.id}`] ?? 0;
const blanks = data.steps.filter(([phase, id]) => askable(phase, vertices.get(id))).length;

function givenValues(list) {
  const entry = (w) => tag("li", {}, `${inline(nameOf(w), equals)} ${shown(w.value, w.name)}`);
  return tag("ul", { class: "used" }, ...[...new Set(list)].filter((w) => w.kind !== "number").map(entry));
}

function exercise(phase, v) {
  if (!state.exercise || !askable(phase, v)) return "";
  const key = `${phase} ${v.id}`;
  const score = tag("p", { class: "score" }, say("score", { solved: state.solved.size, count: blanks }));
  if (state.solved.has(key)) return tag("p", { class: "good", role: "status" }, `✓ ${say("solved")}`) + score;
  const answer = answerOf(phase, v);
  const spokenName = phase === "backward" ? `∂${data.letter}/∂${v.name}` : v.name;
  const field = (i, j, width) => {
    const label = answer.data.length > 1 ? `${spokenName} [${i + 1}, ${j + 1}]` : spokenName;
    const shape = { type: "text", inputmode: "decimal", size: 8, autocomplete: "off" };
    return tag("input", { ...shape, "data-cell": i * width + j, "aria-label": label });
  };
  const rows = rowsOf(answer).map((row, i) => tag("div", { class: "row" }, ...row.map((_, j) => field(i, j, row.length))));
  const what = inline(phase === "backward" ? gradientName(v) : nameOf(v));
  const hints = hintsOf(phase, v);
  const button = (attributes, text) => tag("button", { type: "button", ...attributes }, text);
  return tag(
    "form",
    { class: "exercise", "data-key": key },
    tag("div", { class: "question" }, what, glyph("="), tag("div", { class: "cells" }, ...rows)),
    tag(
      "div",
      { class: "buttons" },
      button({ type: "submit" }, say("check answer")),
      button({ "data-do": "hint", disabled: hints >= 2 }, say("hint", { count: Math.min(hints + 1, 2) })),
      button({ "data-do": "reveal" }, say("reveal")),
    ),
    tag("p", { class: "feedback", role: "status" }),
    score,
  );
}

/* What a reader types: a decimal point or comma, any minus sign, a power of ten. */
function typed(text) {
  const plain = text
    .trim()
    .replace(/[−–]/g, "-")
    .replace(",", ".")
    .replace(/\s*[·×x*]\s*10\^?\s*/, "e");
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
}
const close = (x, answer) => Math.abs(x - answer) <= 0.02 * Math.abs(answer) + 1e-9;

function submitted(form) {
  const [phase, id] = form.dataset.key.split(" ");
  const answer = answerOf(phase, vertices.get(Number(id)));
  let wrong = 0;
  for (const input of form.querySelectorAll("input")) {
    const good = close(typed(input.value), answer.data[input.dataset.cell]);
    input.setAttribute("aria-invalid", String(!good));
    wrong += !good;
  }
  if (!wrong) return solve(form.dataset.key);
  const text = answer.data.length === 1 ? words("wrong") : words("wrong of", { count: wrong, of: answer.data.length });
  form.querySelector(".feedback").textContent = `✗ ${text}`;
}
function solve(key) {
  state.solved.add(key);
  render();
  $("#next").focus();
}
