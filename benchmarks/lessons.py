"""The course's programs in ``examples/`` against the document's own listing, line by line.

Both learn from the same number of images, in the same dtype; what is in the images makes no difference to the time.
"""

import timeit
from collections.abc import Callable

import numpy as np

from .frameworks import SUBJECT, openblas
from .steps import Array
from .timing import Sampler, timer_sampler

COUNT = 200  # images a call


def samplers() -> dict[str, dict[str, Sampler]]:
    """For each lesson, the course's listing and the program; seconds a sample."""
    return {"S3: 784-20-10 sigmoid, one image at a time": s3()}


def s3_listing(images: Array, labels: Array, parameters: list[Array], learn_rate: float) -> int:
    """One epoch of S3 as the document writes it, lines 13 to 32."""
    w_i_h, b_i_h, w_h_o, b_h_o = parameters
    nr_correct = 0
    for img, l in zip(images, labels, strict=True):  # noqa: E741 - the document's name
        img.shape += (1,)
        l.shape += (1,)
        h_pre = b_i_h + w_i_h @ img
        h = 1 / (1 + np.exp(-h_pre))
        o_pre = b_h_o + w_h_o @ h
        o = 1 / (1 + np.exp(-o_pre))
        e = 1 / len(o) * np.sum((o - l) ** 2, axis=0)  # noqa: F841 - computed there, and not read
        nr_correct += int(np.argmax(o) == np.argmax(l))
        delta_o = o - l
        w_h_o += -learn_rate * delta_o @ np.transpose(h)
        b_h_o += -learn_rate * delta_o
        delta_h = np.transpose(w_h_o) @ delta_o * (h * (1 - h))
        w_i_h += -learn_rate * delta_h @ np.transpose(img)
        b_i_h += -learn_rate * delta_h
    return nr_correct


def s3() -> dict[str, Sampler]:
    import tinygrad_fr as torch
    from examples import s3_mnist_one_by_one as lesson

    random = np.random.default_rng(0)
    images = random.random((COUNT, 784), dtype=np.float32)
    labels = random.integers(0, 10, COUNT)
    wanted = np.eye(10, dtype=np.float32)[labels]
    parameters = lesson.network(784, 20)
    start = [p.detach().numpy().copy() for p in parameters]
    by_hand = [start[0], start[1][:, None], start[2], start[3][:, None]]
    threads = openblas()
    if threads is not None:
        threads[1](1)  # matrices this small gain nothing from a second thread
    tensors, numbers = torch.from_numpy(images), labels.tolist()

    def listing() -> None:
        s3_listing(images, wanted, by_hand, 0.01)

    def ours() -> None:
        for _ in lesson.train(parameters, tensors, numbers, epochs=1):
            pass

    return {"listing": per_sample(listing), SUBJECT: per_sample(ours)}


def per_sample(run: Callable[[], None]) -> Sampler:
    """A sampler whose seconds are those of one sample."""
    whole = timer_sampler(lambda: timeit.Timer(run))
    return lambda budget: whole(budget) / COUNT
