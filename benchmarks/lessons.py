"""The course's programs in ``examples/``, and the same steps compiled, against the documents' own listings.

All learn from the same samples, in the same dtype and from the same initial parameters. S3's listing is the one that
``tests/`` holds; S4's is here. The whole trainings of S3 and S4 are timed from end to end.
"""

import time
import timeit
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, repeat
from typing import Any

import numpy as np

from .frameworks import SUBJECT, SUBJECTS, Disagreement, Unavailable, compiler, openblas, restore
from .steps import Array, Params
from .timing import Sampler, timer_sampler

COUNT = 200  # images a call


def samplers() -> dict[str, dict[str, Sampler]]:
    """For each lesson, the course's listing and the program; seconds a sample."""
    return {"S3: 784-20-10 sigmoid, one image at a time": s3()}


def s3() -> dict[str, Sampler]:
    random = np.random.default_rng(0)
    images, labels = random.random((COUNT, 784), dtype=np.float32), random.integers(0, 10, COUNT)
    one_thread()
    found = s3_trainings(images, labels, epochs=1, left_out={})
    return {name: per_sample(found[name].run) for name in ("listing", SUBJECT)}


def per_sample(run: Callable[[], object]) -> Sampler:
    """A sampler whose seconds are those of one sample."""
    whole = timer_sampler(lambda: timeit.Timer(run))
    return lambda budget: whole(budget) / COUNT


def one_thread() -> None:
    """Matrices this small gain nothing from a second thread."""
    threads = openblas()
    if threads is not None:
        threads[1](1)


# Whole trainings


@dataclass(frozen=True)
class Training:
    """A whole training: ``first()`` makes the programs, ``reset()`` puts the initial parameters back, ``run()`` trains."""

    run: Callable[[], object]
    reset: Callable[[], object]
    params: Callable[[], Params]
    first: Callable[[], object] = lambda: None

    def sample(self, budget: float) -> float:
        """Seconds of one whole training, whatever the budget; a sampler for ``race``."""
        self.reset()
        before = time.perf_counter()
        self.run()
        return time.perf_counter() - before


Trainings = dict[str, Training]  # "listing", and the columns of tinygrad_fr


def listing(params: Params, run: Callable[[Params], object]) -> Training:
    """A document's own listing, which updates its parameters in place."""
    initial = [p.copy() for p in params]

    def reset() -> None:
        for p, a in zip(params, initial, strict=True):
            p[...] = a

    return Training(lambda: run(params), reset, lambda: params)


Batches = Iterable[Sequence[Any]]


def through(
    name: str,
    params: Any,
    eager: Callable[[], object],
    step: Callable[..., Any],
    batches: Callable[[], Batches],
    stacks: Callable[[], Batches],
) -> Training:
    """tinygrad_fr's column: the lesson's program, or its step compiled.

    ``batches()`` are the arguments of the calls; ``stacks()`` the same along a first axis, for Numba's ``loop``.
    """
    import tinygrad_fr as torch

    initial = [p.detach().numpy().copy() for p in params]

    def reset() -> None:
        restore(torch, params, initial)

    def trained() -> Params:
        return [p.detach().numpy() for p in params]

    if name == SUBJECT:
        return Training(eager, reset, trained)
    compiled: Any = compiler(torch, "numpy" if name == "compiled" else name)(step)

    def call(samples: Batches) -> None:
        for sample in samples:
            compiled(*sample)

    def loop(stacks: Batches) -> None:
        for stack in stacks:
            compiled.loop(*stack)

    def first() -> None:
        """The first four calls of each of the first two stacks: all shapes, and the loop."""
        few = [[t[:4] for t in stack] for stack in islice(stacks(), 2)]
        if name == "numba":
            loop(few)
        else:
            call(sample for stack in few for sample in zip(*stack, strict=True))

    return Training((lambda: loop(stacks())) if name == "numba" else (lambda: call(batches())), reset, trained, first)


def each(make: Callable[[str], Training], left_out: dict[str, str]) -> Trainings:
    """tinygrad_fr's columns that can run here."""
    found = {}
    for name in SUBJECTS:
        try:
            found[name] = make(name)
        except Unavailable as error:
            left_out[name] = str(error)
    return found


def s3_trainings(images: Array, labels: Array, epochs: int, left_out: dict[str, str]) -> Trainings:
    """S3, lines 12 to 32: one image at a time, and how many were read right on the way."""
    import tinygrad_fr as torch
    from examples import s3_mnist_one_by_one as lesson
    from tests.handwritten_s3_s4 import s3_listing
    from tinygrad_fr.nn import functional as F

    wanted = np.eye(10, dtype=np.float32)[labels]
    tensors, targets, numbers = torch.from_numpy(images), torch.from_numpy(wanted), labels.tolist()

    def column(name: str) -> Training:
        params = lesson.network(images.shape[1], 20)
        optimizer = torch.optim.SGD(params, lr=0.01)
        correct = torch.tensor([0])

        def step(img: Any, l: Any) -> Any:  # noqa: E741 - the course's name
            o_pre = lesson.forward(params, img)
            F.binary_cross_entropy_with_logits(o_pre, l, reduction="sum").backward()
            optimizer.step()
            optimizer.zero_grad()
            correct.add_(o_pre.detach().argmax(dim=1) == l.argmax(dim=1))

        def batches() -> Batches:
            examples = list(zip(tensors.unsqueeze(1), targets.unsqueeze(1), strict=True))
            return (example for _ in range(epochs) for example in examples)

        def stacks() -> Batches:
            return repeat((tensors.unsqueeze(1), targets.unsqueeze(1)), epochs)

        return through(name, params, lambda: list(lesson.train(params, tensors, numbers, epochs)), step, batches, stacks)

    w_i_h, b_i_h, w_h_o, b_h_o = (p.detach().numpy().copy() for p in lesson.network(images.shape[1], 20))
    by_hand = listing(
        [w_i_h, b_i_h[:, None], w_h_o, b_h_o[:, None]], lambda params: s3_listing(images, wanted, params, 0.01, epochs)
    )
    return {"listing": by_hand, **each(column, left_out)}


def s4_trainings(
    X: Array, Y: Array, layers: tuple[int, int], iterations: int, batch_size: int, left_out: dict[str, str]
) -> Trainings:
    """S4's two layers; a column of X is a sample, and the batches follow one another through the columns, η = 1."""
    import tinygrad_fr as torch
    from examples import s4_two_layers as lesson
    from tests.handwritten_s3_s4 import s4_listing
    from tinygrad_fr.nn import functional as F

    x, y = torch.from_numpy(X), torch.from_numpy(Y)

    def column(name: str) -> Training:
        params = lesson.initial(x, *layers)
        optimizer = torch.optim.SGD(params, lr=1)

        def step(Xbatch: Any, Ybatch: Any) -> Any:
            Z2 = lesson.forward(params, Xbatch)
            J = F.binary_cross_entropy_with_logits(Z2, Ybatch, reduction="sum") / Xbatch.shape[1]
            J.backward()
            optimizer.step()
            optimizer.zero_grad()
            return J

        def batches() -> Batches:
            places = [slice(start, start + batch_size) for start in range(0, X.shape[1], batch_size)]
            return islice(cycle([(x[:, place], y[:, place]) for place in places]), iterations)

        def stacks() -> Batches:
            whole = X.shape[1] - X.shape[1] % batch_size  # the last batch may be smaller
            full = [t[:, :whole].reshape(len(t), -1, batch_size).transpose(0, 1) for t in (x, y)]
            if X.shape[1] == batch_size:
                full = [t.repeat(iterations, 1, 1) for t in full]
            last = [t[:, whole:].unsqueeze(0) for t in (x, y)]
            left = iterations
            for stack in cycle([full, last] if whole < X.shape[1] else [full]):
                if not left:
                    return
                stack = [t[:left] for t in stack]
                left -= len(stack[0])
                yield stack

        def program() -> list[float]:
            return list(lesson.train(params, x, y, 1, iterations, batch_size))

        return through(name, params, program, step, batches, stacks)

    initial = [p.detach().numpy().copy() for p in lesson.initial(x, *layers)]

    @np.errstate(over="ignore")  # e⁻ˣ is infinite for a very negative x, and then σ(x) is 0, as it should be
    def learn(params: Params) -> list[float]:
        return list(s4_listing(X, Y, params, 1, iterations, batch_size))

    by_hand = listing(initial, learn)
    return {"listing": by_hand, **each(column, left_out)}


def end_to_end(quick: bool, left_out: dict[str, str]) -> dict[str, Trainings]:
    """The documents' whole trainings, checked on their beginnings; MNIST, or the digits shipped with tinygrad_fr."""
    from tests.handwritten_s3_s4 import flat, s3_training
    from tinygrad_fr import datasets

    try:
        (images, labels), _ = datasets.mnist(download=False)
    except FileNotFoundError:
        left_out["MNIST"] = "its files are not here; the 8×8 digits that ship with tinygrad_fr take their place"
        (images, labels), _ = datasets.digits()
    if quick:
        images, labels = images[:400], labels[:400]
    one_thread()
    pixels = images.astype(np.float64)  # as in the document: in float32 an A2 is soon 1, and its listing divides by 1 - A2
    X = ((pixels - pixels.mean(axis=0)) / (1e-9 + pixels.std(axis=0))).T
    Y = (labels == np.arange(10)[:, None]).astype(X.dtype)
    x, y = np.array([[0.0, 0, 1, 1], [0, 1, 0, 1]]), np.array([[0.0, 1, 1, 0]])
    iterations = 500 if quick else 20_000

    few = s3_trainings(images[:20], labels[:20], 1, left_out)
    *_, (_, wanted) = s3_training(images[:20], np.eye(10)[labels[:20]], few["listing"].params(), 0.01, listing=False)
    agree("S3", few, wanted, 1e-3)  # all gradients first, then all updates, as in the lesson and not in the listing
    for title, few, tolerance in (
        ("S4, XOR", s4_trainings(x, y, (2, 1), 50, 4, left_out), 1e-9),
        ("S4", s4_trainings(X[:, :100], Y[:, :100], (50, 10), 4, 64, left_out), 1e-3),
    ):
        few["listing"].run()
        agree(title, few, flat(few["listing"].params()), tolerance)
    inputs = len(X)
    return {
        f"S3: {inputs}-20-10, 3 epochs of {len(images)} images": s3_trainings(images, labels, 3, left_out),
        f"S4: XOR 2-2-1, {iterations} steps": s4_trainings(x, y, (2, 1), iterations, 4, left_out),
        f"S4: {inputs}-50-10, {iterations} batches of 64": s4_trainings(X, Y, (50, 10), iterations, 64, left_out),
    }


def agree(title: str, trainings: Trainings, wanted: Array, tolerance: float) -> None:
    """Our columns move the parameters to those wanted: the difference is compared with the way that they went."""
    from tests.handwritten_s3_s4 import flat

    for name in SUBJECTS:
        if name in trainings:
            training = trainings[name]
            before = flat(training.params())
            training.first()
            training.reset()
            training.run()
            off = np.linalg.norm(flat(training.params()) - wanted) / np.linalg.norm(wanted - before)
            if not off <= tolerance:
                raise Disagreement(f"{title}, {name}: the change of the parameters is off by {off:.2%} from the one by hand")
