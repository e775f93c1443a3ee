"use strict";

/* What Python wrote down, and where its reader is. */

const data = JSON.parse(document.getElementById("data").textContent);
const state = {
  step: 0, // 0 is the beginning; then data.steps
  lang: data.lang,
  digits: data.digits, // 0 for all
  exercise: data.exercise,
  checks: false,
  labels: false, // local derivatives on all edges
  chain: true, // the chain rule is unfolded
  rate: 0.1, // η of the preview
  solved: new Set(), // blanks that were filled in, such as "forward 16"
  hints: {}, // how many were asked for, for each blank
  playing: null,
  view: null, // the part of the drawing that is shown: {x, y, w, h}; null for what fits
  unfolded: {}, // what the reader opened and closed: module -> true, false
};
const LARGE = 60; // a graph of more boxes has its modules folded
const $ = (selector) => document.querySelector(selector);
const vertices = new Map(data.vertices.map((v) => [v.id, v]));
const uses = new Map(data.vertices.map((v) => [v.id, { into: [], out: [] }]));
data.links.forEach((link, k) => {
  link.number = k;
  uses.get(link.target).into.push(link);
  uses.get(link.source).out.push(link);
});
const stepOf = new Map(data.steps.map(([phase, id], k) => [`${phase} ${id}`, k + 1]));
const phases = ["forward", "backward", "update"].filter((phase) => data.steps.some(([p]) => p === phase));

const here = () =>
  state.step
    ? { phase: data.steps[state.step - 1][0], v: vertices.get(data.steps[state.step - 1][1]) }
    : { phase: "start", v: null };
const reached = (phase, id) => stepOf.has(`${phase} ${id}`) && state.step >= stepOf.get(`${phase} ${id}`);
const blank = (phase, v) => state.exercise && askable(phase, v) && !state.solved.has(`${phase} ${v.id}`);
function answerOf(phase, v) {
  return { forward: v.value, backward: v.gradient, update: phase === "update" ? updated(v).after : null }[phase];
}
function askable(phase, v) {
  if (phase === "backward" && v.id === data.loss) return false;
  const answer = stepOf.has(`${phase} ${v.id}`) && answerOf(phase, v);
  return Boolean(answer && answer.data && answer.data.length <= 12 && answer.data.every((x) => typeof x === "number"));
}
const valueKnown = (v) => (v.kind !== "operation" || reached("forward", v.id)) && !blank("forward", v);
const gradientKnown = (v) => reached("backward", v.id) && !blank("backward", v);

function go(step) {
  state.step = Math.min(Math.max(0, step), data.steps.length);
  if (state.step === data.steps.length) pause();
  render();
}
function jump(id) {
  const { phase } = here();
  const wanted = [phase, "forward", "backward", "update"].map((p) => stepOf.get(`${p} ${id}`)).find(Boolean);
  go(wanted ?? 0);
}
function play() {
  if (state.step === data.steps.length) go(0);
  state.playing = setInterval(() => go(state.step + 1), 1800);
  renderControls();
}
function pause() {
  if (state.playing === null) return;
  clearInterval(state.playing);
  state.playing = null;
  renderControls();
}
