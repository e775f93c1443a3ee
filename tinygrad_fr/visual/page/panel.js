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

const card = (title, body, kind = "") => `<section class="card ${kind}"><h3>${title}</h3>${body}</section>`;
const noteOf = (formula, value) => {
  const hand = formula && formula.hand && formula.hand[state.digits];
  return hand === undefined || hand === null || hand === false
    ? ""
    : `<p class="note">${say("by hand", { value: number(hand), exact: number(value) })}</p>`;
};

/* name = formula = formula with numbers = value, on one line if there is room; what would be said twice is said once. */
function equation(left, formula, value, { bare = false, open = false, label = "", product = null, sign = equals } = {}) {
  const only = value && value.data && value.shape.length === 0 ? value.data[0] : null;
  const bodies = product ? [product] : [];
  const add = (body) => {
    if (!bodies.some((known) => said(known) === said(body))) bodies.push(body);
  };
  const final = only !== null && !bare && !open ? mathNumber(only) : null;
  add(maths(formula.math));
  if (!bare && formula.numbers !== undefined) add(maths(formula.numbers));
  if (final !== null) add(final);
  const parts = bodies.map((body, k) =>
    wide(k ? equals : left + sign, said(body) === said(final ?? "") ? `<mrow class="result">${body}</mrow>` : body),
  );
  const same = only === null && value && formula.numbers === undefined && uniform(value);
  const table =
    only === null && !bare && !open && !same
      ? `<span class="line">${operatorText("=")}<span class="result">${shown(value, label)}</span></span>`
      : "";
  return `<div class="equation"><div class="line">${parts.join("")}${table}</div>${final !== null ? noteOf(formula, only) : ""}</div>`;
}
const uniform = (array) => (array.data ? array.data.every((x) => x === array.data[0]) : array.min === array.max && !array.odd);
const wide = (...parts) => `<math displaystyle="true">${parts.join("")}</math>`;
const said = (body) => body.replace(/<[^>]*>|[\u2061\u2062]/g, "");
const operatorText = (text) => `<span class="operator">${text}</span>`;
const nameOf = (v) => maths(v.math);

function renderPanel() {
  const { phase, v } = here();
  const content = { start: startPanel, forward: forwardPanel, backward: backwardPanel, update: updatePanel }[phase](v);
  $("#panel").innerHTML = content;
  $("#panel").scrollTop = 0;
  $("#panel").setAttribute("aria-label", words("explanation"));
  $("#skip").textContent = words("skip");
}

function startPanel() {
  const given = (kind) => drawn.filter((v) => v.kind === kind);
  const brief = given("parameter").length > 16; // too many to be written out
  const entry = (v) =>
    `<li><span>${brief && v.shape.length ? inline(nameOf(v)) : `${inline(nameOf(v), equals)} ${shown(v.value, v.name)}`}</span><small>${[v.called && `<code>${escaped(v.called)}</code>`, escaped(kindOf(v))].filter(Boolean).join(" · ")}</small></li>`;
  const list = (kind) =>
    given(kind).length ? `<h4>${say(`${kind} many`)}</h4><ul class="given">${given(kind).map(entry).join("")}</ul>` : "";
  const states = [...new Set(given("parameter").map((v) => v.state))]
    .map((s) => `<p><code>.grad</code> : ${say(`state ${s}`)}</p>`)
    .join("");
  const keys = ["next", "back", "ends", "play", "jump", "zoom"].map((key) => `<li>${say(`key ${key}`)}</li>`).join("");
  return (
    card(say("given"), list("parameter") + states + list("constant"), "wide") +
    card(say("start"), `<p>${say("start explained", { loss: data.letter })}</p><ul class="keys">${keys}</ul>`)
  );
}

function titled(v, phase, what) {
  const facts = [
    v.called && `<code>${escaped(v.called)}</code>`,
    escaped(kindOf(v)),
    v.module && v.module in data.modules && say("in module", { module: `${v.module} · ${data.modules[v.module]}` }),
    v.site && escaped(v.site),
  ].filter(Boolean);
  return `<h2><span class="phase ${phase}">${say(phase)}</span> ${what}</h2><p class="facts">${facts.join(" · ")}</p>`;
}
function markBanner(v) {
  return v.marks
    .map(
      (mark) =>
        `<p class="banner"><strong>! ${say(`mark ${mark.kind}`)}</strong> ${say(`mark ${mark.kind} means`, { share: number(Math.round(mark.share * 100)) })}${mark.first ? ` ${say("mark first")}` : ""}</p>`,
    )
    .join("");
}

function forwardPanel(v) {
  const title = titled(v, "forward", inline(nameOf(v)));
  if (v.kind === "failed") {
    return `<div class="main">${title}<p class="banner"><strong>! ${say("failed")}</strong></p><pre lang="en">${escaped(v.error)}</pre></div>`;
  }
  const question = blank("forward", v),
    hints = hintsOf("forward", v);
  const bare = question && hints < 2;
  const body = v.formula
    ? equation(nameOf(v), v.formula, v.value, { bare, open: question, label: v.name })
    : `<div class="equation">${displayed(nameOf(v), equals, `<mtext>${escaped(sign(v))}</mtext>`)}${question ? "" : `<div class="line">${operatorText("=")}${shown(v.value, v.name)}</div>`}</div>`;
  const sources = uses.get(v.id).into.filter((link) => link.contribution);
  const slopes = sources.map((link) => localOf(link, question)).filter(Boolean);
  return (
    `<div class="main">${title}${body}${
      hints >= 1 && question
        ? usedValues(
            uses.get(v.id).into.map((link) => vertices.get(link.source)),
            "value",
          )
        : ""
    }${exercise("forward", v)}${question ? "" : markBanner(v)}</div>` +
    (slopes.length && !question
      ? card(say("local derivatives"), `<p class="soft">${say("local explained")}</p>${slopes.join("")}`, "slopes")
      : "")
  );
}

/* ∂h/∂z = h (1 − h) = 0.2494; for a product of matrices there is only what it makes of the gradient g. */
function localOf(link) {
  const source = vertices.get(link.source),
    target = vertices.get(link.target);
  if (link.slope) return equation(maths(link.ratio), link.slope, link.local, { label: words("local derivative") });
  if (link.label)
    return `<div class="equation"><p>${say("linear", { target: target.name, source: source.name })}</p>${displayed(maths(source.ratio), equals, maths(link.rule.math))}</div>`;
  return link.local
    ? `<div class="equation">${displayed(`<mfrac><mrow><mo>∂</mo>${nameOf(target)}</mrow><mrow><mo>∂</mo>${nameOf(source)}</mrow></mfrac>`, equals, mathNumber(scalar(link.local) ?? "?"))}</div>`
    : "";
}

function backwardPanel(v) {
  const question = blank("backward", v),
    hints = hintsOf("backward", v);
  const title = titled(v, "backward", inline(gradientName(v)));
  if (v.id === data.loss) {
    return `<div class="main">${title}${displayed(gradientName(v), equals, mathNumber(1))}<p>${say("backward starts", { loss: data.letter })}</p></div>${cards(v, question)}`;
  }
  const arriving = uses
    .get(v.id)
    .out.filter((link) => link.contribution)
    .sort((a, b) => b.target - a.target || a.position - b.position);
  if (!arriving.length)
    return `<div class="main">${title}<p>${say("unknown way", { name: v.name })}</p><div class="line">${wide(gradientName(v), equals)}${shown(v.gradient, "")}</div></div>`;
  const several = arriving.length > 1;
  const blocks = arriving.map((link, k) => arrival(link, v, several ? k + 1 : 0, question, hints));
  const total = several && !question ? sumOf(arriving, v) : "";
  return (
    `<div class="main">${title}<p class="soft">${several ? say("several uses", { name: v.name, count: arriving.length }) : say(arriving[0].slope ? "one use" : "one linear use", { name: v.name, target: vertices.get(arriving[0].target).name })}</p>` +
    `<div class="arrivals">${blocks.join("")}</div>${total}${exercise("backward", v)}${question ? "" : markBanner(v)}</div>${cards(v, question)}`
  );
}

/* One use: its local derivative, the gradient that came to its result, and what it adds. */
function arrival(link, v, count, question, hints) {
  const target = vertices.get(link.target);
  const head = count
    ? `<h4>${say("use", { count, of: "" })} ${inline(nameOf(target), equals, target.formula ? maths(target.formula.math) : `<mtext>${escaped(sign(target))}</mtext>`)}</h4>`
    : "";
  if (question && hints < 1)
    return `<div class="arrival">${head || `<p>${inline(nameOf(target), equals, target.formula ? maths(target.formula.math) : `<mtext>${escaped(sign(target))}</mtext>`)}</p>`}</div>`;
  const bare = question && hints < 2;
  const slope = link.slope
    ? equation(maths(link.ratio), link.slope, link.local, { bare, label: words("local derivative") })
    : !link.rule
      ? localOf(link)
      : "";
  const [left, sign] = count ? ["", operator("+=")] : [gradientName(v), equals];
  if (!link.rule)
    return `<div class="arrival">${head}${slope}${question ? "" : `<div class="line">${operatorText(count ? "+=" : "=")}${shown(link.contribution, words("contribution"))}</div>`}</div>`;
  const value = link.spread ?? link.contribution;
  const times = operator(target.shape.length && v.shape.length ? "⊙" : "·");
  const product =
    link.slope && link.target !== data.loss && !link.axes ? gradientName(target) + times + maths(link.ratio) : null;
  const flow =
    link.target === data.loss && link.slope && !link.axes && !count
      ? ""
      : equation(left, link.rule, value, { bare, open: question, label: words("contribution"), product, sign });
  const sum = link.axes && !question ? summed(link, v, count) : link.axes ? `<p>${summedWords(link)}</p>` : "";
  return `<div class="arrival">${head}${slope}${flow}${sum}</div>`;
}
const summedWords = (link) =>
  say(link.axes.length === 1 ? "summed axis" : "summed axes", {
    axes: link.axes.join(", "),
    from: link.spread ? sizes(link.spread.shape) : "",
    to: sizes(link.contribution.shape) || "()",
  });
function summed(link, v, count) {
  const axes = link.axes.map((axis) => (axis < 4 ? "ijkl"[axis] : axis)).join("");
  return `<div class="broadcast"><p>${summedWords(link)}</p><div class="line"><math><msub><mo>∑</mo><mi>${axes}</mi></msub></math>${operatorText("=")}${shown(link.contribution, words("contribution"))}</div></div>`;
}

/* The contributions one after another, as they are added: 0 += 12 → 12, += 12 → 24. */
function sumOf(arriving, v) {
  let total = null;
  const rows = arriving.map((link, k) => {
    total = total ? combined(total, link.contribution, (a, b) => a + b) : link.contribution;
    const last = k === arriving.length - 1;
    return `<tr><th scope="row">${operatorText("+=")} <small>${say("from use", { count: k + 1, target: vertices.get(link.target).name })}</small></th><td>${shown(link.contribution, words("contribution"))}</td><td>${operatorText("→")}</td><td class="${last ? "result" : ""}">${shown(last ? v.gradient : total, words("running sum"))}</td></tr>`;
  });
  const numbers = arriving.map((link) => scalar(link.contribution));
  const line =
    numbers.every((x) => x !== null && typeof x === "number") && scalar(v.gradient) !== null
      ? displayed(
          gradientName(v),
          equals,
          numbers.map((x, k) => mathNumber(x, k > 0)).join(operator("+")),
          equals,
          `<mrow class="result">${mathNumber(scalar(v.gradient))}</mrow>`,
        )
      : "";
  return `<div class="sum"><h4>${say("sum of uses")}</h4>${line}<table class="running"><tbody>${rows.join("")}</tbody></table></div>`;
}

const cards = (v, question) => (question ? "" : chainCard(v) + checkCard(v));
/* What .grad holds: this gradient, an older one, their sum, nothing yet. */
const stateOf = (v) =>
  v.kind !== "parameter"
    ? ""
    : `<p class="state ${v.state}"><code>.grad</code> : ${say(`state ${v.state}`)}${v.stored && v.state !== "fresh" ? ` ${shown(v.stored, ".grad")}` : ""}</p>`;

/* A long list without its middle. */
const elided = (list, dots, longest = 8) =>
  list.length <= longest ? list : [...list.slice(0, longest / 2), dots, ...list.slice(-longest / 2 + 1)];
/* A stop on a path; with the number of the argument where a result uses the same thing twice. */
function stop(link) {
  const twice = uses.get(link.target).into.filter((other) => other.source === link.source).length > 1;
  return vertices.get(link.source).name + (twice ? ` (${link.position + 1})` : "");
}
function chainCard(v) {
  const chain = data.chains[v.id];
  if (!chain || !chain.paths.length) return "";
  const several = chain.paths.length > 1;
  const product = (factors) =>
    elided(
      factors.map((f) => maths(f.ratio)),
      operator("…"),
    ).join(operator("·"));
  const numbersKnown = chain.paths.every((path) => path.factors.every((f) => typeof f.value === "number"));
  const paths = chain.paths.map((path, k) => {
    const along = [vertices.get(data.loss).name, ...path.links.map((n) => stop(data.links[n]))].map(escaped);
    const value = path.value ?? v.gradient;
    const product_ = numbersKnown
      ? elided(
          path.factors.map((f, n) => mathNumber(f.value, n > 0)),
          operator("…"),
        ).join(operator("×"))
      : "";
    const line =
      numbersKnown && (path.factors.length > 1 || several)
        ? displayed(product(path.factors), equals, product_, path.factors.length > 1 ? equals + mathNumber(scalar(value)) : "")
        : (several ? displayed(product(path.factors)) : "") +
          (several ? `<div class="line">${operatorText("=")}${shown(value, words("path", { count: k + 1 }))}</div>` : "");
    return `<li class="path" tabindex="0" data-links="${path.links.join(" ")}"><p class="along">${several ? `<strong>${say("path", { count: k + 1 })}</strong> ` : ""}${elided(along, "…", 16).join(" → ")}</p>${line}</li>`;
  });
  const factors = [],
    known = new Set();
  for (const path of chain.paths) {
    for (const f of path.factors) {
      const key = `${f.ratio} ${f.formula ? f.formula.math : ""}`;
      if (!f.formula || known.has(key)) continue;
      known.add(key);
      factors.push(equation(maths(f.ratio), f.formula, { shape: [], data: [f.value] }));
    }
  }
  const sum = several
    ? `<p>${escaped(counted("paths", chain.count))}${chain.count > chain.paths.length ? ` ${say("paths cut", { shown: chain.paths.length })}` : ""}</p>` +
      (numbersKnown && chain.count === chain.paths.length
        ? displayed(
            gradientName(v),
            equals,
            chain.paths.map((p, k) => mathNumber(scalar(p.value), k > 0)).join(operator("+")),
            equals,
            mathNumber(scalar(v.gradient)),
          )
        : "")
    : "";
  const whole = several ? "" : displayed(gradientName(v), equals, product(chain.paths[0].factors));
  const primes =
    data.primes.length && factors.length
      ? `<p class="note">${say("with")} ${data.primes.map(([name, formula]) => inline(maths(name), equals, maths(formula))).join(", ")}</p>`
      : "";
  return `<details class="card chain wide" ${state.chain ? "open" : ""}><summary>${say("chain")}</summary>${sum}${several || chain.paths[0].factors.length < 2 ? "" : whole}<ol class="paths">${paths.join("")}</ol>${factors.length ? `<h4>${say("factors")}</h4><div class="factors">${factors.join("")}</div>` : ""}${primes}</details>`;
}

function checkCard(v) {
  if (!state.checks) return "";
  const check = data.checks[v.id];
  if (v.id === data.loss) return "";
  if (!check) return card(say("check"), `<p>${say("not checked")}</p>`);
  const rows = check.rows.map(([index, gradient, quotient, gap, kink]) => {
    const good = gap <= check.tolerance;
    return `<tr>${v.shape.length ? `<th scope="row">[${index.join(", ")}]</th>` : ""}<td>${number(gradient)}</td><td>${number(quotient)}</td><td>${number(gap, 2)}</td><td class="${good ? "good" : "bad"}">${good ? "✓" : "✗"} ${say(good ? "agrees" : kink ? "kink" : "differs")}</td></tr>`;
  });
  const columns = [...(v.shape.length ? ["element"] : []), "gradient", "quotient", "gap", "verdict"];
  const some =
    check.rows.length < check.size
      ? `<p class="soft">${say("sample", { count: check.rows.length, size: thousands(check.size) })}</p>`
      : "";
  const tiny = `<math><mfrac><mrow><mi>${data.letter}</mi><mo>(</mo><mi>x</mi><mo>+</mo><mi>h</mi><mo>)</mo><mo>−</mo><mi>${data.letter}</mi><mo>(</mo><mi>x</mi><mo>−</mo><mi>h</mi><mo>)</mo></mrow><mrow><mn>2</mn><mi>h</mi></mrow></mfrac></math>`;
  return card(
    say("check"),
    `<p class="soft">${say("check explained")} ${tiny}</p>${some}<table class="list check"><thead><tr>${columns.map((key) => `<th scope="col">${say(key)}</th>`).join("")}</tr></thead><tbody>${rows.join("")}</tbody></table>`,
    "wide",
  );
}

/* What the update makes of a parameter: what the optimiser did; else a preview, which only plain gradient descent allows. */
function updated(v) {
  const known = data.update.parameters[v.id],
    rate = known?.rate ?? state.rate;
  const gradient = known && v.stored ? v.stored : v.gradient,
    step = known ? known.step : scaled(gradient, -rate);
  const plain = known ? known.plain : !v.after;
  const after = v.after ?? (plain ? combined(v.value, step, (a, b) => a + b) : null);
  return { known, rate, gradient, step, plain, after, change: v.change, made: Boolean(v.after) };
}

function updatePanel(v) {
  const u = updated(v),
    question = blank("update", v),
    hints = hintsOf("update", v);
  const eta = inline("<mi>η</mi>", equals, mathNumber(u.rate)),
    name = nameOf(v),
    slope = [operator("−"), "<mi>η</mi>", gradientName(v)];
  const title = titled(v, "update", inline(name));
  const options = Object.entries(u.known?.options ?? {})
    .map(
      ([key, x]) =>
        `${key} = ${[x]
          .flat()
          .map((y) => (y === true ? "✓" : number(y)))
          .join(" ; ")}`,
    )
    .join(", ");
  const who = u.known
    ? `<p>${say(u.made ? "step made" : u.after ? "step preview" : "step unknown", { name: data.update.name })} ${eta}${options ? ` <small>(${escaped(options)})</small>` : ""}</p>`
    : u.made
      ? `<p>${say("step of nobody")}</p>`
      : `<p><strong>${say("preview")}</strong> <label>η = <input id="rate" type="text" inputmode="decimal" size="6" value="${full(state.rate)}" aria-label="${say("rate")}"></label></p>`;
  const rule = u.plain ? displayed(name, operator("←"), name, ...slope) : "";
  const numbers = [v.value, u.gradient, u.after].map(scalar);
  const line =
    u.plain && numbers.every((x) => typeof x === "number") && (!question || hints >= 1)
      ? displayed(
          mathNumber(numbers[0]),
          operator("−"),
          mathNumber(u.rate),
          operator("×"),
          mathNumber(numbers[1], true),
          question ? "" : equals + mathNumber(numbers[2]),
        )
      : "";
  const open = `<span class="soft">${say("to fill in")}</span>`;
  const term = (caption, body) => `<figure class="term"><figcaption>${caption}</figcaption>${body}</figure>`;
  const [caption, middle] = u.plain ? [inline(...slope), u.step] : [say("change"), u.change];
  const sum = u.after
    ? `<div class="line update">${term(say("before"), shown(v.value, words("before")))}${operatorText("+")}${term(caption, question && hints < 2 ? open : shown(middle, words("change")))}${operatorText("=")}${term(say("after"), question ? open : `<span class="result">${shown(u.after, words("after"))}</span>`)}</div>`
    : "";
  const other =
    (u.plain && u.after) || !u.step || (!u.known && u.made)
      ? ""
      : u.plain
        ? `<div class="line">${inline(...slope)}${operatorText("=")}${shown(u.step, words("change"))}</div>`
        : `<p class="note">${say("not plain", { name: data.update.name })}</p><div class="line">${inline(...slope)}${operatorText("=")}${shown(u.step, words("change"))}</div>`;
  return `<div class="main">${title}${who}${rule}${line}${sum}${other}${exercise("update", v)}${stateOf(v)}</div>`;
}

/* -- the exercise ------------------------------------------------------------------------------------------------------ */

const hintsOf = (phase, v) => state.hints[`${phase} ${v.id}`] ?? 0;
function usedValues(list, kind) {
  const seen = [...new Set(list)].filter((w) => w.kind !== "number");
  return `<ul class="used">${seen.map((w) => `<li>${inline(nameOf(w), equals)} ${shown(kind === "value" ? w.value : w.gradient, w.name)}</li>`).join("")}</ul>`;
}
function exercise(phase, v) {
  if (!state.exercise || !askable(phase, v)) return "";
  const key = `${phase} ${v.id}`;
  const count = [...stepOf.keys()].filter((k) => {
    const [p, id] = k.split(" ");
    return askable(p, vertices.get(Number(id)));
  }).length;
  const score = `<p class="score">${say("score", { solved: state.solved.size, count })}</p>`;
  if (state.solved.has(key)) return `<p class="good" role="status">✓ ${say("solved")}</p>${score}`;
  const answer = answerOf(phase, v),
    rows = rowsOf(answer);
  const what = phase === "backward" ? inline(gradientName(v)) : inline(nameOf(v));
  const inputs = rows
    .map(
      (row, i) =>
        `<div class="row">${row.map((_, j) => `<input type="text" inputmode="decimal" size="8" autocomplete="off" data-cell="${i * row.length + j}" aria-label="${escaped(`${phase === "backward" ? `∂${data.letter}/∂${v.name}` : v.name}${answer.data.length > 1 ? ` [${i + 1}, ${j + 1}]` : ""}`)}">`).join("")}</div>`,
    )
    .join("");
  return (
    `<form class="exercise" data-key="${key}"><div class="question">${what}${operatorText("=")}<div class="cells">${inputs}</div></div>` +
    `<div class="buttons"><button type="submit">${say("check answer")}</button><button type="button" data-do="hint" ${hintsOf(phase, v) >= 2 ? "disabled" : ""}>${say("hint", { count: Math.min(hintsOf(phase, v) + 1, 2) })}</button><button type="button" data-do="reveal">${say("reveal")}</button></div>` +
    `<p class="feedback" role="status"></p>${score}</form>`
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
  const key = form.dataset.key,
    [phase, id] = key.split(" ");
  const answer = answerOf(phase, vertices.get(Number(id)));
  let wrong = 0;
  for (const input of form.querySelectorAll("input")) {
    const good = close(typed(input.value), answer.data[input.dataset.cell]);
    input.setAttribute("aria-invalid", String(!good));
    wrong += !good;
  }
  if (!wrong) return solve(key);
  form.querySelector(".feedback").textContent =
    `✗ ${answer.data.length === 1 ? words("wrong") : words("wrong of", { count: wrong, of: answer.data.length })}`;
}
function solve(key) {
  state.solved.add(key);
  render();
  $("#next").focus();
}
