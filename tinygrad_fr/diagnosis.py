"""What is wrong with a network, and what helps: gradients that vanish or explode, dead and saturated units, the first NaN (S1).

`diagnose(model, loss)` examines one graph before `backward()` frees it; `watch_training` follows a whole training. Both only
look: no `.grad` is written, no graph is freed, no random number is drawn.
"""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tinygrad_fr.language import language
from tinygrad_fr.nn.module import Module
from tinygrad_fr.optim.optimizer import Optimizer
from tinygrad_fr.tensor import Tensor, wrap
from tinygrad_fr.visual.layers import Layer, layers_of, norm, vertex_of
from tinygrad_fr.visual.marks import KINDS, Mark
from tinygrad_fr.visual.snapshot import Snapshot, Values, Vertex, watch
from tinygrad_fr.visual.terminal import cut, fitting, folded, histogram, number, percent, sparkline, wrapped

# -- from where on something is an illness ---------------------------------------------------------------------------------

MANY = 0.5
"""A layer is dead, or saturated, when so many of its neurons are 0 on every example, or of its activations on a plateau. In
networks that learnt well it is a quarter at most ..."""

FEW, MOST = 8, 0.9
"""... of fewer examples than that nearly all must be, and of fewer values nothing is said: one neuron may rest by chance."""

VANISHING = 1e-3
"""The gradient vanishes when it is so much smaller than next to the loss: that layer learns a thousand times more slowly."""

DEEP = 3
"""So many layers with weights nearer to the loss make a small gradient a matter of depth, however few values a layer has."""

EXPLODING = 1e3
"""The gradient explodes when it is so much larger than next to the loss."""

UPDATE = 1.0
"""An update larger than the weights themselves throws away what they had learnt ..."""

OVERSHOOT = 4.0
"""... and jumps over the minimum when its slope promises more than four times the loss: of a parabola ½κw² the step ηκw lowers
the slope's line by ηκ²w², and gradient descent diverges where η > 2/κ, that is where ηκ²w² > 4 · ½κw²."""

# -- what is found ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Verdict:
    """One illness of one layer.

    Attributes:
        kind: one of `KINDS`.
        layer: the name of the layer.
        how: which of the reasons it is.
        numbers: what was measured.
    """

    kind: str
    layer: str
    how: str
    numbers: dict[str, Any]
    lang: str = "en"

    @property
    def title(self) -> str:
        """The name of the illness."""
        return WORDS[self.lang][self.kind]

    @property
    def reason(self) -> str:
        """Why, with the numbers."""
        said = {
            key: percent(v) if key in ("share", "pulled") else number(v, self.lang) if isinstance(v, float) else v
            for key, v in self.numbers.items()
        }
        return WORDS[self.lang][f"why {self.how}"].format(**said)

    @property
    def remedies(self) -> tuple[str, ...]:
        """What the course advises, the first thing to try first."""
        return REMEDIES[self.lang][self.how if self.how == "output" else self.kind]

    def __str__(self) -> str:
        return f"{self.title} ({self.layer}): {self.reason}"


class Diagnosis:
    """The report of `diagnose`: it prints, and its numbers can be used.

    Attributes:
        layers: a `Layer` each, in the order of the computation; what has no part in the graph comes last.
        verdicts: a `Verdict` for each illness of each layer, the gravest first.
        notes: what else a reader should know: one example only, frozen layers, layers that are not used.
        snapshot: the graph that was examined.
        loss: its value.
    """

    snapshot: Snapshot | None

    def __init__(self, snapshot: Snapshot, lang: str) -> None:
        self.snapshot, self.lang = snapshot, lang
        self.loss = math.nan if snapshot.loss.value is None else float(np.sum(snapshot.loss.value))
        self.layers = layers_of(snapshot)
        self.verdicts: list[Verdict] = []
        if not self._not_finite(snapshot):
            self._by_depth(snapshot, {layer.vertices[-1] for layer in self.layers if self._blocks(layer)})
        self.notes = self._noted()

    @property
    def healthy(self) -> bool:
        """Whether no layer is ill."""
        return not self.verdicts

    @property
    def marks(self) -> dict[int | str, list[Mark]]:
        """The illnesses, the gravest first, of vertices of the snapshot (by id) and of modules (by path)."""
        found: dict[int | str, list[Mark]] = {}
        for verdict in self.verdicts:
            mark = Mark(verdict.kind, verdict.numbers.get("share", 1.0), first=verdict.how == "nan")
            keys: list[int | str | None] = [verdict.numbers.get("vertex")]
            for layer in self.layers:
                if layer.name == verdict.layer and layer.used:
                    keys += [layer.module, *([] if keys[0] else layer.vertices[-1:])]
                    keys += layer.parameters if verdict.kind in ("vanishing", "exploding") else []
            for key in keys:
                if key is not None and mark not in found.setdefault(key, []):
                    found[key].append(mark)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values; what is not finite as text, since JSON has no NaN."""
        verdicts = [
            {"kind": v.kind, "layer": v.layer, "numbers": v.numbers, "reason": v.reason, "remedies": list(v.remedies)}
            for v in self.verdicts
        ]
        layers = [asdict(layer) for layer in self.layers]
        found = {"healthy": self.healthy, "loss": self.loss, "layers": layers, "verdicts": verdicts, "notes": self.notes}
        return _plain(found)  # type: ignore[no-any-return]  # a dict stays one

    # -- the verdicts ----------------------------------------------------------------------------------------------

    def _add(self, kind: str, layer: str, how: str, **numbers: Any) -> None:
        self.verdicts.append(Verdict(kind, layer, how, numbers, self.lang))
        places = {layer.name: place for place, layer in enumerate(self.layers)}
        self.verdicts.sort(key=lambda verdict: (KINDS.index(verdict.kind), places.get(verdict.layer, 0)))

    def _not_finite(self, snapshot: Snapshot) -> bool:
        """Name the first NaN, or the first infinity where the loss or a gradient is not finite. The rest means nothing then."""
        back = sorted(snapshot, key=lambda v: v.order or 0)
        found = [("value", v, v.value) for v in snapshot] + [("gradient", v, v.gradient) for v in back]
        arrays = [(what, v, a) for what, v, a in found if a is not None and a.dtype.kind == "f"]
        broken = not math.isfinite(self.loss) or not all(np.isfinite(a).all() for what, _, a in arrays if what == "gradient")
        for kind, how, test in (("nan", "nan", np.isnan), ("exploding", "infinite", np.isinf)):
            for what, v, array in arrays if broken else ():
                if test(array).any() and (kind == "nan" or v.kind in ("operation", "parameter")):
                    owners = [layer.name for layer in self.layers if v.id in layer.vertices or v.id in layer.parameters]
                    name = v.name or v.symbol
                    said = WORDS[self.lang][f"the {what}"].format(name=name)
                    self._add(kind, owners[0] if owners else name, how, what=said, vertex=v.id)
                    return True
        return False

    def _blocks(self, layer: Layer) -> bool:
        """Judge an activation, dead or saturated; whether it is so ill that it hides how the gradient fares before it."""
        if layer.saturated is None:
            return False
        needed, told = (MANY if layer.examples >= FEW else MOST), layer.size >= FEW
        if layer.dead is not None and layer.dead >= needed:
            if told and not layer.alike:
                self._add("dead", layer.name, "dead", share=layer.dead, units=layer.units, examples=layer.examples)
            return True
        if layer.gate or not layer.last:
            if told and not layer.gate and layer.saturated >= needed:
                self._add("saturated", layer.name, "saturated", share=layer.saturated)
            return layer.saturated >= needed
        if told and layer.pulled is not None and layer.pulled >= needed:  # it may well be 0 or 1, if the loss wants no other
            self._add("saturated", layer.name, "output", share=layer.saturated, pulled=layer.pulled)
        return False

    def _by_depth(self, snapshot: Snapshot, blocked: set[int]) -> None:
        """Compare each gradient with the one next to the loss, on its way back through the graph.

        Layers with weights are compared, ∂C/∂Z[l] in the course's terms; where there are none, whatever there is. Behind an
        activation that blocks the gradient the comparison begins again: the activation is the cause.
        """
        layers = [layer for layer in self.layers if layer.gradient is not None]
        layers = [layer for layer in layers if layer.parameters] or layers
        by_result = {layer.vertices[-1]: place for place, layer in enumerate(layers)}
        arrived: dict[int, tuple[float, int]] = {}  # the gradient next to the loss, and how many layers lie in between
        for v in reversed(snapshot.vertices):
            uses = [use.target for use in snapshot.uses_of(v.id) if use.target not in blocked]
            reference, nearer = max((arrived[target] for target in uses if target in arrived), default=(0.0, 0))
            if v.id in by_result:
                layer = layers[by_result[v.id]]
                gradient = layer.gradient or 0.0
                if reference and (nearer >= DEEP or layer.size >= FEW):
                    self._compare(layer, gradient, reference, any(before.gradient for before in layers[: by_result[v.id]]))
                reference, nearer = reference or gradient, nearer + 1
            if reference:
                arrived[v.id] = reference, nearer

    def _compare(self, layer: Layer, gradient: float, reference: float, others: bool) -> None:
        """Judge a gradient by the one next to the loss; `others` tells whether layers before this one receive any."""
        if gradient == 0:
            if not others:  # else it is a factor of something that is 0, and hides nothing
                self._add("vanishing", layer.name, "nothing", gradient=gradient, reference=reference, times=math.inf)
        elif gradient < VANISHING * reference:
            self._add("vanishing", layer.name, "vanishing", gradient=gradient, reference=reference, times=reference / gradient)
        elif gradient > EXPLODING * reference:
            self._add("exploding", layer.name, "exploding", gradient=gradient, reference=reference, times=gradient / reference)

    def judge_step(self, changes: dict[int, Values]) -> None:
        """Compare a step of the optimiser, the change of each parameter by its vertex, with the weights and with the loss."""
        assert self.snapshot is not None, "the graph is gone"
        if any(verdict.how in ("nan", "infinite") for verdict in self.verdicts):
            return
        moves = {id: (change.astype(np.float64), self.snapshot[id].gradient) for id, change in changes.items()}
        with np.errstate(all="ignore"):
            fall = -sum(float(np.sum(change * g)) for change, g in moves.values() if g is not None)
        promised = fall / abs(self.loss) if self.loss else math.copysign(math.inf, fall) if fall else 0.0
        for layer in self.layers:
            own = [moves[id][0] for id in layer.parameters if id in moves]
            if own and layer.weight:
                layer.update = norm(own) / layer.weight
                if layer.update > UPDATE and promised > OVERSHOOT:
                    self._add("exploding", layer.name, "step", update=layer.update, promised=promised)

    def _noted(self) -> list[str]:
        """What else the reader should know."""
        words, used = WORDS[self.lang], [layer for layer in self.layers if layer.used]
        found = [] if used else [words["no layer"]]
        if any(layer.dead is not None and layer.examples == 1 for layer in used):
            found.append(words["one example"])
        if used and not any(layer.gradient for layer in used):
            found.append(words["no gradient"])
        for state in ("frozen", "unused"):
            names = [layer.name for layer in self.layers if layer.state == state]
            if names:
                found.append(words[f"note {state}"].format(layers=_listed(names)))
        return found

    # -- as text ---------------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        """The report, with signs that the terminal can show."""
        return fitting(self.text(), sys.stdout)

    __repr__ = __str__

    def text(self) -> str:
        """The report in Unicode, at most 100 columns wide: a table of the layers, then the verdicts and what helps."""
        words = WORDS[self.lang]
        lines = [words["title"].format(layers=len(self.layers), loss=number(self.loss, self.lang))]
        if self.layers:
            lines += ["", words["header"], *folded([self._row(layer) for layer in self.layers], words["more layers"])]
        norms = [layer.gradient for layer in self.layers if layer.gradient is not None]
        if len(norms) > 1:
            known = [g for g in norms if 0 < g < math.inf] or [0.0]
            low, high = (number(f(known), self.lang) for f in (min, max))
            lines += ["", words["depth"].format(low=low, high=high), f"  {sparkline(norms, 98)}"]
        well = wrapped(words["healthy"]) if any(layer.used for layer in self.layers) else []
        lines += ["", *(_told(self.verdicts) or well)]
        lines += [line for note in self.notes for line in wrapped(note)]
        return "\n".join(line.rstrip() for line in lines)

    def _row(self, layer: Layer) -> str:
        ill = "!" if any(v.layer == layer.name for v in self.verdicts) else " "
        name = f"{cut(layer.name, 12):<12}{ill}{cut(layer.kind, 9):<9}"
        if not layer.used:
            return f"{name} {WORDS[self.lang][layer.state]}"
        measures = [number(n, self.lang) for n in (layer.min, layer.mean, layer.std, layer.max)]
        shares = [percent(share) for share in (layer.zeros, layer.saturated, layer.dead)]
        return _columns(name, histogram(layer.histogram), *measures, *shares,
                        number(layer.gradient, self.lang), number(layer.update, self.lang))  # fmt: skip


def _columns(name: str, *cells: str) -> str:
    """A row of the table of layers: what begins it, then its columns at their places."""
    widths = (-8, 7, 7, 7, 7, 5, 5, 5, 8, 9)
    return " ".join([name, *(f"{cell:{'<' if w < 0 else '>'}{abs(w)}}" for cell, w in zip(cells, widths, strict=True))])


def _told(verdicts: Sequence[Verdict]) -> list[str]:
    """The verdicts in words: those of one kind together, with the reason of the layer that has it worst, and what helps."""
    lines = []
    for kind, remedies in dict.fromkeys((v.kind, v.remedies) for v in verdicts):
        same = [v for v in verdicts if (v.kind, v.remedies) == (kind, remedies)]
        worst = max(same, key=lambda v: max((v.numbers[n] for n in ("times", "update", "share") if n in v.numbers), default=0))
        colon = " : " if worst.lang == "fr" else ": "
        lines += wrapped(f"{worst.title[0].upper()}{worst.title[1:]}{colon}{_listed([v.layer for v in same])}")
        lines += wrapped(f"{worst.layer}{colon}{worst.reason}" if len(same) > 1 else worst.reason, "  ")
        lines += [line for remedy in remedies for line in wrapped(f"- {remedy}", "    ")]
    return lines


def _listed(names: Sequence[str]) -> str:
    names = list(dict.fromkeys(names))
    comma = "; " if any("," in name for name in names) else ", "
    shown = names if len(names) <= 8 else [names[0], names[1], "…", names[-1]]
    return comma.join(shown) + f" ({len(names)})" * (len(names) > 8)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


# -- one look --------------------------------------------------------------------------------------------------------------


def diagnose(
    model: Module | None, loss: Tensor | Snapshot, *, optimizer: Optimizer | None = None, lang: str | None = None
) -> Diagnosis:
    """Examine the graph of a loss: statistics of each layer, what is wrong with it and why, and what helps against that.

    Call it before `backward()`, which frees the graph. Activation functions are examined whether they are modules or functions:
    how much gradient each lets through, f′, comes from its declaration's own gradient formula. To have every module under its
    path, whatever the model's forward does, compute the loss inside `with visual.watch() as watched:` and give
    `watched.snapshot(loss, model=model)`.

    Args:
        model: gives the layers their names; None for a network of plain tensors.
        loss: the tensor whose graph is alive, or a snapshot of it.
        optimizer: to know how large its step is beside the weights. The step is tried on a copy, from this loss alone.
        lang: "en" or "fr"; the user's own if left out.

    Raises:
        TypeError: for arguments in another order.
        ValueError: for another language.
        RuntimeError: when no graph leads to the loss, or it was freed.

    >>> import tinygrad_fr as torch
    >>> from tinygrad_fr.diagnosis import diagnose
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> _ = torch.nn.init.constant_(net[0].bias, -10.0)
    >>> found = diagnose(net, net(torch.rand(20, 4)).mean(), lang="en")
    >>> found.healthy, found.layers[1].dead
    (False, 1.0)
    >>> print(found.verdicts[0].title, "in layer", found.verdicts[0].layer)
    dead neurons in layer 1
    """
    if not (model is None or isinstance(model, Module)) or not isinstance(loss, (Tensor, Snapshot)):
        raise TypeError(
            f"diagnose(model, loss) takes a Module or None, then the loss, a Tensor; it got {type(model).__name__} and "
            f"{type(loss).__name__}."
        )
    lang = _checked(lang)
    found = Diagnosis(loss if isinstance(loss, Snapshot) else _snapshot(loss, model, (), sys._getframe(1)), lang)
    if optimizer is not None:
        assert found.snapshot is not None
        changes = _tried(found.snapshot, optimizer)
        if changes is None:
            found.notes.append(WORDS[lang]["no step"].format(optimizer=type(optimizer).__name__))
        else:
            found.judge_step(changes)
    return found


def _checked(lang: str | None) -> str:
    lang = lang or language()
    if lang not in WORDS:
        raise ValueError(f"lang is {' or '.join(map(repr, WORDS))}, not {lang!r}")
    return lang


def _snapshot(loss: Tensor, model: Module | None, calls: Sequence[Any], frame: Any) -> Snapshot:
    with np.errstate(all="ignore"):  # what overflows here is what is looked for
        return Snapshot(loss, model=model, calls=calls, _frame=frame)


def _tried(snapshot: Snapshot, optimizer: Optimizer) -> dict[int, Values] | None:
    """What a step of the optimiser would add to each parameter, by its vertex, tried on a copy of all that it would touch.

    None for an optimiser that needs more than gradients, such as a closure.
    """
    twin = copy.deepcopy(optimizer)
    tried: list[tuple[Vertex, Tensor, Values]] = []
    for mine, its in zip(optimizer.param_groups, twin.param_groups, strict=True):
        for p, q in zip(mine["params"], its["params"], strict=True):
            vertex = vertex_of(snapshot, p)
            q.grad = None
            if vertex is not None and vertex.gradient is not None:
                q.grad = wrap(vertex.gradient.copy())
                tried.append((vertex, q, np.array(q._array)))
    try:
        with np.errstate(all="ignore"):
            twin.step()
    except TypeError:
        return None
    return {vertex.id: np.asarray(q._array) - before for vertex, q, before in tried}


# -- a whole training ------------------------------------------------------------------------------------------------------


class watch_training:
    """Follow a training: a diagnosis every so many steps, the history of each layer, and when something went wrong.

    A context manager. Inside it, call `update(loss)` at each step, before `backward()` frees the graph. Modules are followed by
    their calls, so each is known by its path.

    Args:
        model: as for `diagnose`.
        optimizer: if it is given, what each examined step really changes is measured, momentum and clipping included.
        every: how many steps from one diagnosis to the next. The first is examined, and where the loss turns infinite or NaN.
        lang: "en" or "fr"; the user's own if left out.

    Attributes:
        steps: how many there were.
        losses: the loss at each step.
        history: (step, Diagnosis) of each examined step; their graphs are let go of.

    >>> import tinygrad_fr as torch
    >>> from tinygrad_fr.diagnosis import watch_training
    >>> net = torch.nn.Linear(1, 1)
    >>> x = torch.linspace(-1, 1, 9).reshape(9, 1)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=100.0)
    >>> with watch_training(net, optimizer, every=1, lang="en") as training:
    ...     for step in range(3):
    ...         loss = torch.nn.functional.mse_loss(net(x), 3 * x)
    ...         _ = training.update(loss)
    ...         optimizer.zero_grad()
    ...         loss.backward()
    ...         optimizer.step()
    >>> training.since
    {'exploding': (1, 3)}
    """

    def __init__(
        self, model: Module | None, optimizer: Optimizer | None = None, *, every: int = 10, lang: str | None = None
    ) -> None:
        if every < 1:
            raise ValueError(f"every is a number of steps, 1 or more, not {every}")
        self.model, self.optimizer, self.every, self.lang = model, optimizer, every, _checked(lang)
        self.steps = 0
        self.losses: list[float] = []
        self.history: list[tuple[int, Diagnosis]] = []
        self._watched = watch()
        self._handles: list[Any] = []
        self._open: Diagnosis | None = None  # examined, and its step not yet made
        self._before: dict[int, tuple[Tensor, Values]] = {}

    def __enter__(self) -> watch_training:
        self._watched.__enter__()
        if self.optimizer is not None:
            self._handles.append(self.optimizer.register_step_pre_hook(self._before_step))
            self._handles.append(self.optimizer.register_step_post_hook(self._after_step))
        return self

    def __exit__(self, *exc: object) -> None:
        self._watched.__exit__(*exc)
        while self._handles:
            self._handles.pop().remove()
        self._close()

    def update(self, loss: Tensor) -> Diagnosis | None:
        """Note the loss of a step, and examine its graph if its turn has come; the diagnosis is then returned."""
        calls, self._watched.calls = self._watched.calls, []
        self._close()
        self.losses.append(float(loss.item()))
        self.steps += 1
        broke = not math.isfinite(self.losses[-1]) and str(self.losses[-1]) not in map(str, self.losses[-2:-1])
        if (self.steps - 1) % self.every and not broke:
            return None
        self._open = Diagnosis(_snapshot(loss, self.model, calls, sys._getframe(1)), self.lang)
        self.history.append((self.steps, self._open))
        return self._open

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if self._open is not None and self._open.snapshot is not None:
            found = [(vertex_of(self._open.snapshot, p), p) for group in optimizer.param_groups for p in group["params"]]
            self._before = {v.id: (p, np.array(p._array)) for v, p in found if v is not None}

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if self._open is not None:
            with np.errstate(all="ignore"):
                changes = {id: np.asarray(p._array) - before for id, (p, before) in self._before.items()}
            self._open.judge_step(changes)
        self._close()

    def _close(self) -> None:
        """Let go of the graph: the history keeps numbers only."""
        if self._open is not None:
            self._open.snapshot = None
        self._open, self._before = None, {}

    # -- reading it ------------------------------------------------------------------------------------------------

    @property
    def since(self) -> dict[str, tuple[int, int]]:
        """For each illness, the first examined step and the last at which some layer had it, in the order of their onset."""
        found: dict[str, tuple[int, int]] = {}
        for step, diagnosis in self.history:
            for verdict in diagnosis.verdicts:
                found[verdict.kind] = (found.get(verdict.kind, (step,))[0], step)
        return found

    @property
    def healthy(self) -> bool:
        """Whether nothing was wrong at any examined step."""
        return not self.since

    def of(self, layer: str) -> list[tuple[int, Layer]]:
        """The history of one layer: (step, what was measured), for each examined step at which it had a part in the loss.

        Raises:
            KeyError: when no layer has that name.
        """
        found = [(step, one) for step, d in self.history for one in d.layers if one.name == layer and one.used]
        if not found:
            raise KeyError(f"no layer is called {layer!r}; there are {self._names()}")
        return found

    def _names(self) -> list[str]:
        return list(dict.fromkeys(layer.name for _, d in self.history for layer in d.layers if layer.used))

    def __str__(self) -> str:
        """The summary, with signs that the terminal can show."""
        return fitting(self.text(), sys.stdout)

    __repr__ = __str__

    def text(self) -> str:
        """The summary in Unicode: the layers over time, then from which step on something was wrong, why, and what helps."""
        words = WORDS[self.lang]
        if not self.history:
            return words["no step yet"]
        first, last = (number(self.losses[i], self.lang) for i in (0, -1))
        lines = [words["training"].format(steps=self.steps, examined=len(self.history), first=first, last=last), ""]
        lines += [words["history header"], *folded([self._row(name) for name in self._names()], words["more layers"])]
        for kind, (start, end) in self.since.items():
            span = "at" if start == end else "to the end" if end == self.history[-1][0] else "from to"
            verdicts = [v for step, d in self.history if step == start for v in d.verdicts if v.kind == kind]
            lines += ["", words[span].format(start=start, end=end), *_told(verdicts)]
        lines += ["", *wrapped(words["healthy"])] if self.healthy else []
        return "\n".join(line.rstrip() for line in lines)

    def _row(self, name: str) -> str:
        layers = [layer for _, layer in self.of(name)]
        norms = [layer.gradient for layer in layers if layer.gradient is not None]
        ends = [number(norms[i], self.lang) if norms else "–" for i in (0, -1)]
        flat, dead, update = (
            max((value for value in values if value is not None), default=None)
            for values in zip(*((layer.saturated, layer.dead, layer.update) for layer in layers), strict=True)
        )
        return _history_columns(cut(name, 14), cut(layers[0].kind, 9), sparkline(norms, 30), *ends,
                                percent(flat), percent(dead), number(update, self.lang))  # fmt: skip


def _history_columns(*cells: str) -> str:
    widths = (-14, -9, -30, 8, 8, 6, 6, 9)
    return " ".join(f"{cell:{'<' if w < 0 else '>'}{abs(w)}}" for cell, w in zip(cells, widths, strict=True))


# -- in both languages -----------------------------------------------------------------------------------------------------

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Diagnosis (layers: {layers}, loss: {loss})",
        "header": _columns(
            "layer        kind     ", "values", "min", "mean", "std", "max", "zero", "flat", "dead", "gradient", "‖Δw‖/‖w‖"
        ),
        "depth": "Gradient, from the first layer to the last (from {low} to {high}, logarithmic scale):",
        "more layers": "… {count} more layers: `.layers` has them all …",
        "training": "Training (steps: {steps}, examined: {examined}, loss: {first} → {last})",
        "history header": _history_columns(
            "layer", "kind", "gradient over time", "first", "last", "flat", "dead", "‖Δw‖/‖w‖"
        ),
        "at": "At step {start}",
        "from to": "From step {start} to step {end}",
        "to the end": "From step {start} to the end",
        "no step yet": "No step yet: call update(loss) at each one, before backward().",
        "healthy": "Healthy: nothing vanishes, explodes, dies or saturates.",
        "nan": "NaN",
        "exploding": "exploding gradient",
        "dead": "dead neurons",
        "saturated": "saturated neurons",
        "vanishing": "vanishing gradient",
        "why nan": "{what} is the first that is NaN.",
        "why infinite": "{what} is infinite.",
        "why exploding": "the gradient is {gradient} here and {reference} next to the loss: {times} times larger.",
        "why step": "one step changes its weights by {update} times their size, and its slope promises to lower the loss by "
        "{promised} times its value: it jumps over the minimum.",
        "why dead": "{share} of its {units} neurons answer 0 to each of the {examples} examples; the slope is 0 there, so they "
        "learn nothing any more.",
        "why saturated": "{share} of its activations lie on a plateau, where the slope is below 1 % of its largest.",
        "why output": "{share} of its answers lie on a plateau, where the slope is below 1 % of its largest, and the loss "
        "wants {pulled} of them elsewhere: almost no gradient takes them there.",
        "why vanishing": "the gradient is {gradient} here and {reference} next to the loss: {times} times smaller.",
        "why nothing": "the gradient is {reference} next to the loss, and nothing of it arrives here: it is 0.",
        "the value": "the value of {name}",
        "the gradient": "the gradient of {name}",
        "frozen": "frozen",
        "unused": "not used in this loss",
        "note frozen": "Frozen, no gradient is asked for: {layers}.",
        "note unused": "Not used in this loss: {layers}.",
        "no layer": "No layer computes anything in this graph.",
        "one example": "There is one example only: whether a neuron is dead cannot be told from it.",
        "no gradient": "The gradient is 0 everywhere: the loss asks for no change.",
        "no step": "{optimizer} needs more than gradients to make a step: its update was not measured.",
    },
    "fr": {
        "title": "Diagnostic (couches : {layers}, perte : {loss})",
        "header": _columns(
            "couche       genre    ", "valeurs", "min", "moy.", "é.-type", "max", "zéro", "plat", "mort", "gradient", "‖Δw‖/‖w‖"
        ),
        "depth": "Gradient, de la première couche à la dernière (de {low} à {high}, échelle logarithmique) :",
        "more layers": "… {count} autres couches : `.layers` les contient toutes …",
        "training": "Entraînement (pas : {steps}, examinés : {examined}, perte : {first} → {last})",
        "history header": _history_columns(
            "couche", "genre", "gradient au fil du temps", "début", "fin", "plat", "mort", "‖Δw‖/‖w‖"
        ),
        "at": "Au pas {start}",
        "from to": "Du pas {start} au pas {end}",
        "to the end": "Du pas {start} à la fin",
        "no step yet": "Aucun pas encore : appelez update(loss) à chaque pas, avant backward().",
        "healthy": "Réseau sain : rien ne disparaît, n'explose, ne meurt ni ne sature.",
        "nan": "NaN",
        "exploding": "explosion du gradient",
        "dead": "neurones morts",
        "saturated": "neurones saturés",
        "vanishing": "disparition du gradient",
        "why nan": "{what} est la première à valoir NaN.",
        "why infinite": "{what} est infinie.",
        "why exploding": "le gradient vaut {gradient} ici et {reference} près de la perte : il est {times} fois plus grand.",
        "why step": "un seul pas change ses poids de {update} fois leur taille, et sa pente promet de diminuer la perte de "
        "{promised} fois sa valeur : il saute par-dessus le minimum.",
        "why dead": "{share} de ses {units} neurones répondent 0 à chacun des {examples} exemples ; la pente y est nulle, ils "
        "n'apprennent donc plus rien.",
        "why saturated": "{share} de ses activations sont sur un plateau, où la pente est inférieure à 1 % de son maximum.",
        "why output": "{share} de ses réponses sont sur un plateau, où la pente est inférieure à 1 % de son maximum, et la "
        "perte en voudrait {pulled} ailleurs : presque aucun gradient ne les y mène.",
        "why vanishing": "le gradient vaut {gradient} ici et {reference} près de la perte : il est {times} fois plus petit.",
        "why nothing": "le gradient vaut {reference} près de la perte, et rien n'en arrive ici : il est nul.",
        "the value": "la valeur de {name}",
        "the gradient": "la dérivée par rapport à {name}",
        "frozen": "gelée",
        "unused": "n'intervient pas dans cette perte",
        "note frozen": "Couches gelées, dont on ne demande pas le gradient : {layers}.",
        "note unused": "Couches qui n'interviennent pas dans cette perte : {layers}.",
        "no layer": "Aucune couche ne calcule quoi que ce soit dans ce graphe.",
        "one example": "Il n'y a qu'un exemple : il ne permet pas de dire si un neurone est mort.",
        "no gradient": "Le gradient est nul partout : la perte ne demande aucun changement.",
        "no step": "{optimizer} a besoin de plus que des gradients pour faire un pas : sa mise à jour n'a pas été mesurée.",
    },
}

REMEDIES: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "nan": (
            "start again from weights saved before it: what is NaN stays NaN",
            "a smaller learning rate; gradients clipped, nn.utils.clip_grad_norm_(model.parameters(), 1.0) before step()",
            "autograd.detect_anomaly() names the line that computed the first one",
            "a cross-entropy in one piece, nn.CrossEntropyLoss or nn.BCEWithLogitsLoss, not the logarithm of a probability",
        ),
        "exploding": (
            "a smaller learning rate",
            "gradients clipped: nn.utils.clip_grad_norm_(model.parameters(), 1.0) before step()",
            "inputs scaled to mean 0 and variance 1, smaller weights to begin with (nn.init.kaiming_normal_)",
            "mini-batches rather than one example at a time, fewer layers",
        ),
        "dead": (
            "Leaky ReLU instead of ReLU: its slope is never 0",
            "biases that start from 0, weights from nn.init.kaiming_normal_, inputs scaled to mean 0 and variance 1",
            "a smaller learning rate: one step too long can push a neuron below 0 for good",
        ),
        "saturated": (
            "smaller weights to begin with (nn.init.xavier_normal_)",
            "inputs scaled to mean 0 and variance 1",
            "ReLU or Leaky ReLU instead of sigmoid and tanh",
        ),
        "output": (
            "the cross-entropy computed from z, without the last activation (nn.BCEWithLogitsLoss): its gradient is a − y",
            "smaller weights to begin with (nn.init.xavier_normal_), inputs scaled to mean 0 and variance 1",
        ),
        "vanishing": (
            "ReLU or Leaky ReLU instead of sigmoid and tanh",
            "weights of the right scale to begin with: nn.init.kaiming_normal_ for ReLU, nn.init.xavier_normal_ for tanh",
            "inputs scaled to mean 0 and variance 1",
            "fewer layers",
        ),
    },
    "fr": {
        "nan": (
            "repartir de poids enregistrés auparavant : ce qui vaut NaN le reste",
            "un taux d'apprentissage plus petit ; borner la norme du gradient, "
            "nn.utils.clip_grad_norm_(model.parameters(), 1.0) avant step()",
            "autograd.detect_anomaly() indique la ligne qui a calculé le premier NaN",
            "une entropie croisée d'un seul tenant, nn.CrossEntropyLoss ou nn.BCEWithLogitsLoss, plutôt que le logarithme "
            "d'une probabilité",
        ),
        "exploding": (
            "un taux d'apprentissage plus petit",
            "borner la norme du gradient : nn.utils.clip_grad_norm_(model.parameters(), 1.0) avant step()",
            "des entrées normalisées (moyenne 0, variance 1), des poids initiaux plus petits (nn.init.kaiming_normal_)",
            "des mini-batches plutôt qu'un exemple à la fois, moins de couches",
        ),
        "dead": (
            "Leaky ReLU à la place de ReLU : sa pente n'est jamais nulle",
            "des biais initiaux nuls, des poids tirés par nn.init.kaiming_normal_, des entrées normalisées "
            "(moyenne 0, variance 1)",
            "un taux d'apprentissage plus petit : un pas trop long peut pousser un neurone sous 0 pour toujours",
        ),
        "saturated": (
            "des poids initiaux plus petits (nn.init.xavier_normal_)",
            "des entrées normalisées (moyenne 0, variance 1)",
            "ReLU ou Leaky ReLU à la place de la sigmoïde et de tanh",
        ),
        "output": (
            "l'entropie croisée calculée à partir de z, sans la dernière activation (nn.BCEWithLogitsLoss) : sa dérivée "
            "est a − y",
            "des poids initiaux plus petits (nn.init.xavier_normal_), des entrées normalisées (moyenne 0, variance 1)",
        ),
        "vanishing": (
            "ReLU ou Leaky ReLU à la place de la sigmoïde et de tanh",
            "des poids initiaux à la bonne échelle : nn.init.kaiming_normal_ pour ReLU, nn.init.xavier_normal_ pour tanh",
            "des entrées normalisées (moyenne 0, variance 1)",
            "moins de couches",
        ),
    },
}
"""What the course advises (S1), and what belongs to it in this package."""
