/* The page around them: options, controls, the table, the printed sheets; and what its reader does. */

const button = (id, text, label = text) => tag("button", { type: "button", id, "aria-label": label, title: label }, text);

function renderTools() {
  const title = data.title[state.lang] ?? words("title");
  document.documentElement.lang = state.lang;
  document.title = title;
  $("#title").textContent = title;
  $("#tools").setAttribute("aria-label", words("options"));
  const language = (lang) =>
    tag("button", { type: "button", lang, "data-lang": lang, "aria-pressed": String(state.lang === lang) }, lang.toUpperCase());
  const choice = (value, text) => tag("option", { value, selected: state.digits === value }, text);
  const box = (id) => tag("label", {}, tag("input", { type: "checkbox", id, checked: state[id] }), " ", say(id));
  const digits = [...data.choices.map((n) => choice(n, n)), choice(0, say("all"))];
  const languages = { role: "group", "aria-label": words("language"), class: "languages" };
  $("#tools").innerHTML = [
    box("labels"),
    data.checked ? box("checks") : "",
    box("exercise"),
    tag("label", {}, say("digits"), " ", tag("select", { id: "digits" }, ...digits)),
    tag("span", languages, language("fr"), language("en")),
    button("print", words("print")),
  ].join("");
}

function renderControls() {
  const focus = document.activeElement?.id;
  const part = (phase) => {
    const here_ = phase === here().phase ? "true" : undefined;
    const first = data.steps.findIndex(([p]) => p === phase) + 1;
    const style = `flex:${data.steps.filter(([p]) => p === phase).length} 1 auto`;
    const attributes = { type: "button", class: `part ${phase}`, "data-step": first, style, "aria-current": here_ };
    return tag("button", attributes, say(phase));
  };
  const buttons = [
    button("first", "|◀", words("first")),
    button("back", `◀ ${words("back")}`, words("back")),
    button("play", words(state.playing === null ? "play" : "pause")),
    button("next", `${words("next")} ▶`, words("next")),
    button("last", "▶|", words("last")),
  ];
  const range = { type: "range", id: "slider", min: 0, max: data.steps.length, value: state.step };
  const slider = tag("input", { ...range, "aria-label": words("slider"), "aria-valuetext": announced() });
  $("#controls").setAttribute("aria-label", words("controls"));
  $("#controls").innerHTML = [
    tag("div", { class: "buttons" }, ...buttons),
    tag("div", { class: "track" }, slider, tag("div", { class: "parts" }, ...phases.map(part))),
    tag("output", { id: "where" }, `${state.step} / ${data.steps.length}`),
  ].join("");
  $("#first").disabled = $("#back").disabled = state.step === 0;
  $("#last").disabled = $("#next").disabled = state.step === data.steps.length;
  const again = focus && $("#controls").querySelector(`#${focus}`);
  if (again) (again.disabled ? $("#slider") : again).focus();
}

/* The frame of the drawing, with the legend of what is in it. */
function renderFrame() {
  const sample = (kind, text = "") => tag("span", { class: `sample ${kind}` }, text);
  const has = (test) => drawn.some(test);
  const entries = [
    ...["parameter", "constant", "operation"].map((kind) => has((v) => v.kind === kind) && sample(kind) + say(kind)),
    sample("line value") + say("legend value"),
    phases.includes("backward") && sample("line gradient") + say("legend gradient"),
    has((v) => v.shape.length) && sample("cell negative", "−") + sample("cell positive") + say("legend tint"),
    has((v) => v.marks.length) && sample("bang", "!") + say("legend mark"),
  ];
  const legend = entries.filter(Boolean).map((entry) => tag("li", {}, entry));
  if (data.checked) legend.push(tag("li", { id: "ticks", hidden: true }, `✓ ✗ ${say("legend check")}`));
  const zooms = [button("in", "+", words("zoom in")), button("out", "−", words("zoom out")), button("fit", words("fit"))];
  $("#graph").setAttribute("aria-label", words("graph"));
  $("#graph").innerHTML = [
    tag("div", { id: "drawing" }),
    tag("div", { class: "zoom" }, ...zooms),
    tag("ul", { class: "legend", "aria-label": words("legend") }, ...legend),
  ].join("");
  drawnAs = "";
}

/* -- the graph as a table: its text alternative, and what is printed ----------------------------------------------------- */

/* One cell: what is known on the screen, a hole on the sheet to be filled in, else the array. */
function cellOf(mode, phase, v, array) {
  if (phase !== "forward" && !stepOf.has(`${phase} ${v.id}`)) return "";
  const known = { forward: valueKnown(v), backward: gradientKnown(v), update: reached("update", v.id) && !blank("update", v) };
  if (mode === "screen") return known[phase] ? shown(array, v.name) : "…";
  const hole = mode === "blank" && state.exercise && askable(phase, v);
  if (!hole) return shown(array, v.name);
  return rowsOf(array)
    .map((row) => row.map(() => tag("span", { class: "hole" })).join(" "))
    .join("<br>");
}
function quantities(mode) {
  return drawn.map((v) => {
    const called = v.called ? ` ${tag("small", {}, escaped(v.called))}` : "";
    const marks =
      v.marks.length && mode !== "blank" ? ` <strong>! ${v.marks.map((m) => say(`mark ${m.kind}`)).join(", ")}</strong>` : "";
    const cells = [cellOf(mode, "forward", v, v.value), cellOf(mode, "backward", v, v.gradient)];
    cells.push(v.kind === "parameter" ? cellOf(mode, "update", v, v.gradient && updated(v).after) : "");
    const name = v.kind === "operation" ? made(v) : inline(nameOf(v));
    return tag("tr", {}, tag("th", { scope: "row" }, name, called, marks), ...cells.map((cell) => tag("td", {}, cell)));
  });
}
function tableOf(rows, caption = "") {
  const head = ["quantity", "value", "gradient", "after"].map((key) => tag("th", { scope: "col" }, say(key)));
  return tag("table", { class: "list" }, caption, tag("thead", {}, tag("tr", {}, ...head)), tag("tbody", {}, ...rows));
}
function renderTable() {
  const open = Boolean($("#table details")?.open);
  const caption = tag("caption", { class: "unseen" }, say("as text"));
  const table = tableOf(open ? quantities("screen") : [], caption); // it is written when somebody wants to read it
  const text = tag("p", {}, escaped(describedGraph()));
  $("#table").innerHTML = tag("details", { open }, tag("summary", {}, say("as text")), text, table);
}

/* The sheets that are printed: the exercise with its blanks, then the answers; or all the numbers. */
function sheet(mode, name) {
  const heights = drawn.map((v) => 1 + (v.value?.data && v.shape.length ? Math.min(rowsOf(v.value).length, 16) : 0));
  const total = heights.reduce((a, b) => a + b, 0);
  const columns = total > 45 ? 3 : total > 12 ? 2 : 1;
  let above = 0;
  const places = heights.map((h) => Math.min(columns - 1, Math.floor((((above += h) - h / 2) * columns) / total)));
  const rows = quantities(mode);
  const tables = Array.from({ length: columns }, (_, k) => tableOf(rows.filter((_, n) => places[n] === k)));
  const rate = inline("<mi>η</mi>", equals, mathNumber(Object.values(data.update.parameters)[0]?.rate ?? state.rate));
  const title = escaped(data.title[state.lang] ?? words("title"));
  return tag(
    "article",
    { class: `sheet ${mode}` },
    tag("h1", {}, title, " ", tag("small", {}, name)),
    mode === "blank" ? tag("p", { class: "student" }, say("student")) : "",
    tag("p", {}, mode === "blank" ? `${say("sheet task")} ` : "", rate),
    tag("div", { class: "figure" }, drawing(mode).svg),
    tag("div", { class: "columns", style: `--columns:${columns}` }, ...tables),
  );
}
function renderSheets() {
  const both = () => sheet("blank", say("sheet exercise")) + sheet("answers", say("sheet answers"));
  $("#sheets").innerHTML = state.exercise ? both() : sheet("answers", "");
}
let sheetsAs = "";
function sheetsReady() {
  const key = JSON.stringify([state.lang, state.digits, state.exercise, state.rate]);
  if (key !== sheetsAs) renderSheets();
  sheetsAs = key;
}

function render() {
  const reading = $("#panel").contains(document.activeElement);
  renderControls();
  if (!$("#drawing") || $("#graph").dataset.lang !== state.lang) {
    renderFrame();
    $("#graph").dataset.lang = state.lang;
  }
  renderGraph();
  renderPanel();
  if (reading) $("#panel").focus();
  renderTable();
  const said = announced();
  if ($("#live").textContent !== said) $("#live").textContent = said;
}

/* -- what the reader does ------------------------------------------------------------------------------------------------ */

/* Render, and leave the focus where it was. */
function change(f) {
  const id = document.activeElement?.id,
    lang = document.activeElement?.dataset?.lang;
  f();
  renderTools();
  render();
  if (id) document.getElementById(id)?.focus();
  else if (lang) $(`[data-lang="${lang}"]`).focus();
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("button, .node, .module, summary");
  if (!target) return;
  if (target.matches("summary") && target.closest(".chain")) {
    state.chain = !target.parentElement.open;
    return;
  }
  if (target.dataset.lang)
    return change(() => {
      state.lang = target.dataset.lang;
    });
  if (target.dataset.step) return go(Number(target.dataset.step));
  if (target.dataset.module !== undefined) {
    const path = target.dataset.module;
    return change(() => {
      state.unfolded[path] = folded(path);
    });
  }
  if (target.dataset.id) return moved ? undefined : jump(Number(target.dataset.id));
  const form = target.closest("form.exercise");
  if (form && target.dataset.do === "reveal") return solve(form.dataset.key);
  if (form && target.dataset.do === "hint") {
    state.hints[form.dataset.key] = (state.hints[form.dataset.key] ?? 0) + 1;
    renderPanel();
    return $("form.exercise input").focus();
  }
  const act = {
    first: () => go(0),
    back: () => go(state.step - 1),
    next: () => go(state.step + 1),
    last: () => go(data.steps.length),
    play: () => (state.playing === null ? play() : pause()),
    print: () => {
      sheetsReady();
      window.print();
    },
    in: () => zoom(0.8),
    out: () => zoom(1.25),
    fit: () => setView({ x: 0, y: 0, w: whole.w, h: whole.h }),
  }[target.id];
  if (act) act();
});
document.addEventListener(
  "toggle",
  (event) => {
    if (event.target.closest("#table") && event.target.open && !$("#table tbody").children.length) {
      renderTable();
      $("#table summary").focus();
    }
  },
  true,
);
document.addEventListener("input", (event) => {
  if (event.target.id === "slider") go(Number(event.target.value));
});
document.addEventListener("change", (event) => {
  const { id, checked, value } = event.target;
  if (id === "digits")
    change(() => {
      state.digits = Number(value);
    });
  if (id === "labels" || id === "checks" || id === "exercise")
    change(() => {
      state[id] = checked;
    });
  if (id === "rate") {
    const rate = typed(value);
    change(() => {
      if (Number.isFinite(rate)) state.rate = rate;
    });
  }
});
document.addEventListener("submit", (event) => {
  event.preventDefault();
  submitted(event.target);
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const target = event.target;
  if (target.matches(".node, .module") && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    return target.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  }
  if (target.matches("input, select, textarea") && target.type !== "checkbox" && target.id !== "slider") return;
  if (target.matches("button, summary, input") && event.key === " ") return;
  const act = {
    ArrowRight: () => go(state.step + 1),
    PageDown: () => go(state.step + 1),
    ArrowLeft: () => go(state.step - 1),
    PageUp: () => go(state.step - 1),
    Home: () => go(0),
    End: () => go(data.steps.length),
    " ": () => (state.playing === null ? play() : pause()),
    "+": () => zoom(0.8),
    "-": () => zoom(1.25),
    0: () => setView({ x: 0, y: 0, w: whole.w, h: whole.h }),
  }[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

/* The path that the pointer or the focus is on is drawn thick. */
for (const [name, on] of [
  ["mouseover", true],
  ["focusin", true],
  ["mouseout", false],
  ["focusout", false],
]) {
  document.addEventListener(name, (event) => {
    const path = event.target.closest?.(".path");
    if (!path) return;
    const links = new Set(path.dataset.links.split(" "));
    for (const edge of document.querySelectorAll("#drawing .edge"))
      edge.classList.toggle("on-path", on && edge.dataset.links.split(" ").some((k) => links.has(k)));
  });
}

/* The drawing is moved with the mouse, and zoomed with Ctrl and the wheel. */
let grip = null,
  moved = false;
document.addEventListener("pointerdown", (event) => {
  moved = false;
  if (event.target.closest("#drawing")) grip = { x: event.clientX, y: event.clientY, view: currentView() };
});
document.addEventListener("pointermove", (event) => {
  if (!grip) return;
  const dx = event.clientX - grip.x,
    dy = event.clientY - grip.y;
  if (Math.abs(dx) + Math.abs(dy) < 5) return;
  moved = true;
  const k = grip.view.w / $("#drawing").getBoundingClientRect().width;
  setView({ ...grip.view, x: grip.view.x - dx * k, y: grip.view.y - dy * k });
});
document.addEventListener("pointerup", () => {
  grip = null;
});
document.addEventListener(
  "wheel",
  (event) => {
    if (!event.ctrlKey || !event.target.closest("#drawing")) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 0.9 : 1.1);
  },
  { passive: false },
);
window.addEventListener("resize", () => place());
window.addEventListener("beforeprint", sheetsReady);

renderTools();
render();
