/* The page around them: options, controls, the table, the printed sheets; and what its reader does. */

const button = (id, text, label, more = "") =>
  `<button type="button" id="${id}" aria-label="${label}" title="${label}" ${more}>${text}</button>`;

function renderTools() {
  document.documentElement.lang = state.lang;
  const title = data.title[state.lang] ?? words("title");
  document.title = title;
  $("#title").textContent = title;
  const language = (lang, name) =>
    `<button type="button" lang="${lang}" data-lang="${lang}" aria-pressed="${state.lang === lang}">${name}</button>`;
  const choice = (value, text) => `<option value="${value}" ${state.digits === value ? "selected" : ""}>${text}</option>`;
  const box = (id, key, on) => `<label><input type="checkbox" id="${id}" ${on ? "checked" : ""}> ${say(key)}</label>`;
  $("#tools").setAttribute("aria-label", words("options"));
  $("#tools").innerHTML =
    box("labels", "labels", state.labels) +
    (data.checked ? box("checks", "checks", state.checks) : "") +
    box("exercise", "exercise", state.exercise) +
    `<label>${say("digits")} <select id="digits">${data.choices.map((n) => choice(n, n)).join("")}${choice(0, say("all"))}</select></label>` +
    `<span role="group" aria-label="${say("language")}" class="languages">${language("fr", "FR")}${language("en", "EN")}</span>` +
    button("print", say("print"), say("print"));
}

function renderControls() {
  const { phase } = here(),
    focus = document.activeElement?.id;
  const counts = phases.map((p) => data.steps.filter(([q]) => q === p).length);
  const starts = phases.map((p) => data.steps.findIndex(([q]) => q === p) + 1);
  const parts = phases
    .map(
      (p, k) =>
        `<button type="button" class="part ${p}" data-step="${starts[k]}" style="flex:${counts[k]} 1 auto" ${p === phase ? 'aria-current="true"' : ""}>${say(p)}</button>`,
    )
    .join("");
  $("#controls").setAttribute("aria-label", words("controls"));
  $("#controls").innerHTML =
    `<div class="buttons">${button("first", "|◀", say("first"))}${button("back", `◀ ${say("back")}`, say("back"))}${button("play", state.playing === null ? say("play") : say("pause"), state.playing === null ? say("play") : say("pause"))}${button("next", `${say("next")} ▶`, say("next"))}${button("last", "▶|", say("last"))}</div>` +
    `<div class="track"><input type="range" id="slider" min="0" max="${data.steps.length}" value="${state.step}" aria-label="${say("slider")}" aria-valuetext="${escaped(announced())}"><div class="parts">${parts}</div></div>` +
    `<output id="where">${state.step} / ${data.steps.length}</output>`;
  $("#first").disabled = $("#back").disabled = state.step === 0;
  $("#last").disabled = $("#next").disabled = state.step === data.steps.length;
  if (focus && $(`#controls #${focus}`)) {
    const again = $(`#controls #${focus}`);
    (again.disabled ? $("#slider") : again).focus();
  }
}

function renderFrame() {
  $("#graph").setAttribute("aria-label", words("graph"));
  const entry = (there, sample, key) => (there ? `<li>${sample}${say(key)}</li>` : "");
  const entries =
    ["parameter", "constant", "operation"]
      .map((kind) =>
        entry(
          drawn.some((v) => v.kind === kind),
          `<span class="sample ${kind}"></span>`,
          kind,
        ),
      )
      .join("") +
    entry(true, '<span class="sample line value"></span>', "legend value") +
    entry(phases.includes("backward"), '<span class="sample line gradient"></span>', "legend gradient") +
    entry(
      drawn.some((v) => v.shape.length),
      '<span class="sample cell negative">−</span><span class="sample cell positive"></span>',
      "legend tint",
    ) +
    entry(
      drawn.some((v) => v.marks.length),
      '<span class="sample bang">!</span>',
      "legend mark",
    );
  $("#graph").innerHTML =
    `<div id="drawing"></div><div class="zoom">${button("in", "+", say("zoom in"))}${button("out", "−", say("zoom out"))}${button("fit", say("fit"), say("fit"))}</div>` +
    `<ul class="legend" aria-label="${say("legend")}">${entries}</ul>`;
  drawnAs = "";
}

/* The graph as a table: its text alternative, and what is printed. */
function quantities(mode) {
  const rows = drawn.map((v) => {
    const open = (phase) => mode === "blank" && state.exercise && askable(phase, v);
    const hole = (array) =>
      rowsOf(array)
        .map((row) => row.map(() => `<span class="hole"></span>`).join(" "))
        .join("<br>");
    const value =
      mode === "screen"
        ? valueKnown(v)
          ? shown(v.value, v.name)
          : "…"
        : open("forward")
          ? hole(v.value)
          : shown(v.value, v.name);
    const gradient = !v.gradient
      ? ""
      : mode === "screen"
        ? gradientKnown(v)
          ? shown(v.gradient, v.name)
          : "…"
        : open("backward")
          ? hole(v.gradient)
          : shown(v.gradient, v.name);
    const after =
      v.kind !== "parameter" || !v.gradient
        ? ""
        : mode === "screen"
          ? reached("update", v.id) && !blank("update", v)
            ? shown(updated(v).after, v.name)
            : "…"
          : open("update")
            ? hole(v.value)
            : shown(updated(v).after, v.name);
    const marks =
      v.marks.length && mode !== "blank" ? ` <strong>! ${v.marks.map((m) => say(`mark ${m.kind}`)).join(", ")}</strong>` : "";
    return `<tr><th scope="row">${v.formula ? inline(nameOf(v), equals, maths(v.formula.math)) : v.kind === "operation" ? `${inline(nameOf(v))} = ${escaped(sign(v))}` : inline(nameOf(v))}${v.called ? ` <small>${escaped(v.called)}</small>` : ""}${marks}</th><td>${value}</td><td>${gradient}</td><td>${after}</td></tr>`;
  });
  const head = `<thead><tr><th scope="col">${say("quantity")}</th><th scope="col">${say("value")}</th><th scope="col">${say("gradient")}</th><th scope="col">${say("after")}</th></tr></thead>`;
  return { head, rows };
}
function renderTable() {
  const open = $("#table details")?.open;
  const { head, rows } = open ? quantities("screen") : { head: "", rows: [] }; // it is written when somebody wants to read it
  $("#table").innerHTML =
    `<details ${open ? "open" : ""}><summary>${say("as text")}</summary><p>${escaped(describedGraph())}</p><table class="list"><caption class="unseen">${say("as text")}</caption>${head}<tbody>${rows.join("")}</tbody></table></details>`;
}

/* The sheets that are printed: the exercise with its blanks, then the answers; or all the numbers. */
function renderSheets() {
  const sheet = (mode, title) => {
    const { head, rows } = quantities(mode);
    const heights = drawn.map((v) => 1 + (v.value?.data && v.shape.length ? Math.min(rowsOf(v.value).length, 16) : 0));
    const total = heights.reduce((a, b) => a + b, 0),
      columns = total > 45 ? 3 : total > 12 ? 2 : 1;
    let above = 0;
    const places = heights.map((h) => {
      above += h;
      return Math.min(columns - 1, Math.floor(((above - h / 2) * columns) / total));
    });
    const tables = Array.from(
      { length: columns },
      (_, k) => `<table class="list">${head}<tbody>${rows.filter((_, n) => places[n] === k).join("")}</tbody></table>`,
    ).join("");
    const rate = Object.values(data.update.parameters)[0]?.rate ?? state.rate;
    return (
      `<article class="sheet ${mode}"><h1>${escaped(data.title[state.lang] ?? words("title"))} <small>${title}</small></h1>` +
      (mode === "blank"
        ? `<p class="student">${say("student")}</p><p>${say("sheet task")} ${inline("<mi>η</mi>", equals, mathNumber(rate))}</p>`
        : `<p>${inline("<mi>η</mi>", equals, mathNumber(rate))}</p>`) +
      `<div class="figure">${drawing(mode).svg}</div><div class="columns" style="--columns:${columns}">${tables}</div></article>`
    );
  };
  $("#sheets").innerHTML = state.exercise
    ? sheet("blank", say("sheet exercise")) + sheet("answers", say("sheet answers"))
    : sheet("answers", "");
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
