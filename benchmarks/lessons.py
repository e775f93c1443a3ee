"""The course's programs in ``examples/`` against the document's own listing, as ``tests/`` holds it.

Both learn from the same number of images, in the same dtype; what is in the images makes no difference to the time.
"""

import timeit
from collections.abc import Callable

import numpy as np

from .frameworks import SUBJECT, openblas
from .timing import Sampler, timer_sampler

COUNT = 200  # images a call


def samplers() -> dict[str, dict[str, Sampler]]:
    """For each lesson, the course's listing and the program; seconds a sample."""
    return {"S3: 784-20-10 sigmoid, one image at a time": s3()}


def s3() -> dict[str, Sampler]:
    import tinygrad_fr as torch
    from examples import s3_mnist_one_by_one as lesson
    from tests.handwritten_s3_s4 import s3_listing

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
        s3_listing(images, wanted, by_hand, 0.01, epochs=1)

    def ours() -> None:
        for _ in lesson.train(parameters, tensors, numbers, epochs=1):
            pass

    return {"listing": per_sample(listing), SUBJECT: per_sample(ours)}


def per_sample(run: Callable[[], None]) -> Sampler:
    """A sampler whose seconds are those of one sample."""
    whole = timer_sampler(lambda: timeit.Timer(run))
    return lambda budget: whole(budget) / COUNT
