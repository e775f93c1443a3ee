"""The contestants: each function turns a case into training steps, as that framework's users write them.

Peers are imported by name at run time; one that is not installed is simply absent. A framework may offer
several variants of a step (number of threads, donation): all are timed, the quickest represents it. A compiled
step is made once and shared by the rounds, each of which puts the initial parameters back first.
"""

import ctypes
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from .steps import Array, Case, Params

SUBJECT = "tinygrad_fr"


@dataclass(frozen=True)
class Run:
    """A training in progress: ``step()`` returns the loss, ``params()`` the weights as (in, out) arrays."""

    step: Callable[[], Any]
    params: Callable[[], Params]


Start = Callable[[], Run]  # makes a fresh training from the initial parameters


@dataclass(frozen=True)
class Framework:
    """A contestant; ``on_numpy`` if its memory is NumPy's, ``variants`` gives its ways to run a case.

    ``slow`` if it compiles for seconds, with LLVM, a C++ compiler or clang: ``--quick`` asks it for one row. A peer that
    is slow may find no such compiler here: its failure leaves it out, with the reason.
    """

    name: str
    version: str
    on_numpy: bool
    variants: Callable[[Case], dict[str, Start]]
    slow: bool = False


class Unavailable(Exception):
    """A contestant that is installed, but cannot run here; the message says why."""


Threads = tuple[int, Callable[[int], object]]  # the default number of threads, and how to set it


@cache
def openblas() -> Threads | None:
    """The thread switch of the OpenBLAS that NumPy brought along, where it can be found."""
    home = Path(np.__file__).parent
    for path in [*home.parent.glob("numpy.libs/*openblas*"), *home.glob(".dylibs/*openblas*")]:
        library = ctypes.CDLL(str(path))
        for name in ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads"):
            if hasattr(library, name.format("set")):
                return getattr(library, name.format("get"))(), getattr(library, name.format("set"))
    return None


def by_threads(start: Callable[[Case], Run], threads: Threads | None) -> Callable[[Case], dict[str, Start]]:
    """Two variants: with the library's default number of threads and with one, which small steps prefer."""
    if threads is None:
        return lambda case: {"": lambda: start(case)}
    default, set_threads = threads

    def start_with(count: int, case: Case) -> Run:
        set_threads(count)
        return start(case)

    return lambda case: {f"{n} thread(s)": partial(start_with, n, case) for n in dict.fromkeys((default, 1))}


def by_hand(case: Case) -> Run:
    """The reference: NumPy and nothing else."""
    params, x, y = case.data()
    return Run(lambda: case.by_hand(params, x, y, case.lr), lambda: params)


def hand_written() -> Framework:
    return Framework("NumPy", np.__version__, True, by_threads(by_hand, openblas()))


def train_step(torch: Any, F: Any, forward: Any, lr: float, params: Any, x: Any, y: Any) -> Any:
    """The step that PyTorch and tinygrad_fr share, word for word.

    ``p -= lr * p.grad`` was tried too for PyTorch: ``sub_``, one kernel in place of two, won on every row.
    """
    loss = forward(torch, F, params, x, y)
    loss.backward()
    with torch.no_grad():
        for p in params:
            p.sub_(p.grad, alpha=lr)
            p.grad = None
    return loss


def optim_step(torch: Any, F: Any, forward: Any, optimizer: Any, params: Any, x: Any, y: Any) -> Any:
    """The same with ``optim.SGD`` for the update."""
    loss = forward(torch, F, params, x, y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss


Step = Callable[[Any, Any], Any]  # from a batch's inputs and targets to its loss


def compiler(torch: Any, backend: str | None) -> Callable[[Step], Step]:
    """``compile`` with a backend of tinygrad_fr's; None leaves the step eager."""
    if backend is None:
        return lambda step: step
    try:
        torch.compile(backend=backend)
    except (ImportError, ValueError) as error:
        raise Unavailable(str(error)) from error
    importlib.import_module(backend)  # the first call imports Numba, and is timed without that
    return lambda step: torch.compile(step, backend=backend)


def restore(torch: Any, params: Any, arrays: Params) -> None:
    """Put the initial numbers back where the parameters are."""
    with torch.no_grad():
        for p, a in zip(params, arrays, strict=True):
            p.copy_(torch.tensor(a))


def torch_like(name: str, module: str, backend: str | None = None) -> Framework:
    """PyTorch's API on raw tensors: PyTorch and tinygrad_fr, eager or compiled, the update by hand and by ``optim.SGD``."""
    torch, F = importlib.import_module(module), importlib.import_module(module + ".nn.functional")
    compiled = compiler(torch, backend)

    def make(case: Case, by_optimizer: bool) -> tuple[Step, Any, Any, Any]:
        arrays, x_array, y_array = case.data()
        params = [torch.tensor(a, requires_grad=True) for a in arrays]
        optimizer = torch.optim.SGD(params, lr=case.lr)

        forward, lr = case.forward, case.lr

        def step(x: Any, y: Any) -> Any:
            return train_step(torch, F, forward, lr, params, x, y)

        def step_with_optimizer(x: Any, y: Any) -> Any:
            return optim_step(torch, F, forward, optimizer, params, x, y)

        return compiled(step_with_optimizer if by_optimizer else step), params, torch.tensor(x_array), torch.tensor(y_array)

    made = cache(make) if backend is not None else make

    def start(case: Case, by_optimizer: bool) -> Run:
        step, params, x, y = made(case, by_optimizer)
        restore(torch, params, case.data()[0])
        return Run(partial(step, x, y), lambda: [p.detach().numpy() for p in params])

    is_torch = module == "torch"
    threads = (torch.get_num_threads(), torch.set_num_threads) if is_torch else openblas()
    version = metadata.version("numba") if backend == "numba" else str(getattr(torch, "__version__", "?"))
    by_hand_, by_optim = (by_threads(partial(start, by_optimizer=b), threads) for b in (False, True))
    return Framework(
        name,
        version,
        not is_torch and backend is None,  # a program plans its memory when it is made, and holds it
        lambda case: by_hand_(case) | {f"{label}, SGD".lstrip(", "): s for label, s in by_optim(case).items()},
        slow=backend == "numba",
    )


def module_step(model: Any, criterion: Any, optimizer: Any, x: Any, y: Any) -> Any:
    """The step of every PyTorch tutorial."""
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def with_modules(name: str, module: str, backend: str | None = None) -> Framework:
    """The same models as ``nn.Sequential``, with a loss module and ``optim.SGD``; PyTorch and tinygrad_fr."""
    torch = importlib.import_module(module)
    compiled = compiler(torch, backend)

    def make(case: Case) -> tuple[Step, Any, Any, Any]:
        arrays, x_array, y_array = case.data()
        activation, last, loss = case.modules
        layers: list[Any] = []
        for number, w in enumerate(arrays[::2], 1):
            layer = torch.nn.Linear(*w.shape)
            follows = last if 2 * number == len(arrays) else activation
            layers += [layer] if follows == "Identity" else [layer, getattr(torch.nn, follows)()]
        model, criterion = torch.nn.Sequential(*layers), getattr(torch.nn, loss)()
        optimizer = torch.optim.SGD(model.parameters(), lr=case.lr)

        def step(x: Any, y: Any) -> Any:
            return module_step(model, criterion, optimizer, x, y)

        return compiled(step), list(model.parameters()), torch.tensor(x_array), torch.tensor(y_array)

    made = cache(make) if backend is not None else make

    def start(case: Case) -> Run:
        step, params, x, y = made(case)
        restore(torch, params, [np.ascontiguousarray(a.T) for a in case.data()[0]])
        return Run(partial(step, x, y), lambda: [p.detach().numpy().T for p in params])

    is_torch = module == "torch"
    threads = (torch.get_num_threads(), torch.set_num_threads) if is_torch else openblas()
    version, on_numpy = str(getattr(torch, "__version__", "?")), not is_torch and backend is None
    return Framework(name, version, on_numpy, by_threads(start, threads), slow=backend == "numba")


def torch_compile() -> Framework:
    """``torch.compile`` on the whole step, as one graph; inductor's wrapper in Python or in C++, whichever is quicker.

    ``trace_autograd_ops`` lets Dynamo trace ``loss.backward()``, if the loss is returned detached; without it the graph
    breaks there. ``torch.func.grad_and_value``, one graph too, was tried and was slower. With ``optim.SGD`` the graph
    breaks at ``zero_grad``, and the XOR step was slower than eager.
    """
    torch: Any = importlib.import_module("torch")
    F = importlib.import_module("torch.nn.functional")
    dynamo: Any = importlib.import_module("torch._dynamo")
    importlib.import_module("torch._inductor.compile_fx")  # as for Numba
    if hasattr(dynamo.config, "trace_autograd_ops"):
        dynamo.config.trace_autograd_ops = True

    @cache
    def compiled(case: Case, cpp_wrapper: bool) -> Any:
        def step(params: Any, x: Any, y: Any) -> Any:
            return train_step(torch, F, case.forward, case.lr, params, x, y).detach()

        return torch.compile(step, dynamic=False, options={"cpp_wrapper": cpp_wrapper})

    def start(case: Case, cpp_wrapper: bool) -> Run:
        arrays, x_array, y_array = case.data()
        params = [torch.tensor(a, requires_grad=True) for a in arrays]
        arguments = params, torch.tensor(x_array), torch.tensor(y_array)
        return Run(partial(compiled(case, cpp_wrapper), *arguments), lambda: [p.detach().numpy() for p in params])

    threads = torch.get_num_threads(), torch.set_num_threads
    python, cpp = (by_threads(partial(start, cpp_wrapper=wrapper), threads) for wrapper in (False, True))

    def variants(case: Case) -> dict[str, Start]:
        dynamo.reset()  # it keeps at most eight programs of one function
        return python(case) | {f"{label}, C++ wrapper": s for label, s in cpp(case).items()}

    return Framework("torch.compile", str(torch.__version__), False, variants, slow=True)


def pytorch_names(xp: Any, **own: Any) -> SimpleNamespace:
    """A peer's functions under PyTorch's names, to run the same forward text; weights are (in, out)."""

    def mse_loss(out: Any, y: Any) -> Any:
        error = out - y
        return xp.mean(error * error)

    def binary_cross_entropy(p: Any, y: Any) -> Any:
        return -xp.mean(y * xp.log(p) + (1 - y) * xp.log(1 - p))

    common = {"tanh": xp.tanh, "mse_loss": mse_loss, "binary_cross_entropy": binary_cross_entropy}
    return SimpleNamespace(addmm=lambda b, x, w: xp.matmul(x, w) + b, **common, **own)


def one_hot(y: Array, case: Case) -> Array:
    """Class targets as probabilities, for the peers whose users write cross-entropy so."""
    return np.eye(case.sizes[-1], dtype=np.float32)[y] if case.targets == "class" else y


def jax_jit() -> Framework:
    """One jitted function of value_and_grad and update; its parameters donated or not, whichever is quicker.

    Waiting for the loss waits for the step: the outputs of one executable become ready together, and the next
    step needs its parameters anyway.
    """
    jax: Any = importlib.import_module("jax")
    jnp: Any = importlib.import_module("jax.numpy")

    def cross_entropy(z: Any, y: Any) -> Any:
        return -jnp.sum(jax.nn.log_softmax(z) * y) / len(z)

    names = pytorch_names(jnp, sigmoid=jax.nn.sigmoid, relu=jax.nn.relu, cross_entropy=cross_entropy)

    def starter(case: Case, donated: tuple[int, ...]) -> Start:
        def update(params: Any, x: Any, y: Any) -> Any:
            loss, grads = jax.value_and_grad(lambda p: case.forward(names, names, p, x, y))(params)
            return loss, [p - case.lr * g for p, g in zip(params, grads, strict=True)]

        compiled = jax.jit(update, donate_argnums=donated)

        def start() -> Run:
            arrays, x_array, y_array = case.data()
            params = [jnp.array(a) for a in arrays]
            x, y = jnp.array(x_array), jnp.array(one_hot(y_array, case))

            def step() -> Any:
                nonlocal params
                loss, params = compiled(params, x, y)
                return loss.block_until_ready()

            return Run(step, lambda: [np.asarray(p) for p in params])

        return start

    return Framework(
        "JAX",
        jax.__version__,
        False,
        lambda case: {"kept": starter(case, ()), "donated": starter(case, (0,))},
    )


def tinygrad_jit() -> Framework:
    """tinygrad (not tinygrad_fr) on its CPU device: the step under ``TinyJit``, parameters realised in place.

    Its search for quicker kernels is off, as it is when tinygrad is installed: a search takes minutes for the larger
    rows. tinygrad reads BEAM=1 in the environment.
    """
    tinygrad: Any = importlib.import_module("tinygrad")
    make = partial(tinygrad.Tensor, device="CPU")
    own = {name: getattr(tinygrad.Tensor, name) for name in ("sigmoid", "relu", "cross_entropy")}
    names = pytorch_names(tinygrad.Tensor, **own)

    @cache
    def compiled(case: Case) -> tuple[Any, Any, Any, Any]:
        arrays, x_array, y_array = case.data()
        params = [make(a).realize() for a in arrays]

        def update(x: Any, y: Any) -> Any:
            loss = case.forward(names, names, params, x, y)
            for p, g in zip(params, loss.gradient(*params), strict=True):
                p.assign(p - case.lr * g)
            return loss.realize(*params)

        return tinygrad.TinyJit(update), params, make(x_array).realize(), make(one_hot(y_array, case)).realize()

    def start(case: Case) -> Run:
        update, params, x, y = compiled(case)
        for p, a in zip(params, case.data()[0], strict=True):
            p.assign(make(a)).realize()
        device = tinygrad.Device["CPU"]

        def step() -> Any:
            loss = update(x, y)
            device.synchronize()  # the step runs in a thread of the device
            return loss

        return Run(step, lambda: [p.numpy() for p in params])

    return Framework("tinygrad", metadata.version("tinygrad"), False, lambda case: {"": lambda: start(case)}, slow=True)


def mygrad() -> Framework:
    """MyGrad with its own fused layers, and its memory guard off, as its manual advises for speed."""
    mg = importlib.import_module("mygrad")
    activations = importlib.import_module("mygrad.nnet.activations")
    losses = importlib.import_module("mygrad.nnet.losses")
    mg.turn_memory_guarding_off()
    own = {"sigmoid": activations.sigmoid, "relu": activations.relu}
    names = pytorch_names(mg, cross_entropy=losses.softmax_crossentropy, **own)

    def start(case: Case) -> Run:
        arrays, x, y = case.data()
        params = [mg.tensor(a) for a in arrays]

        def step() -> Any:
            loss = case.forward(names, names, params, x, y)
            loss.backward()
            for p in params:
                p.data -= case.lr * p.grad
                p.null_grad()
            return loss

        return Run(step, lambda: [p.data for p in params])

    return Framework("MyGrad", mg.__version__, True, by_threads(start, openblas()))


def hips_autograd() -> Framework:
    """HIPS autograd: ``value_and_grad`` over the list of parameters, which are then updated in place."""
    autograd = importlib.import_module("autograd")
    anp = importlib.import_module("autograd.numpy")
    getval = importlib.import_module("autograd.tracer").getval

    def cross_entropy(z: Any, y: Any) -> Any:
        z = z - getval(z).max(axis=1, keepdims=True)  # a constant shift: no gradient is needed through it
        return anp.sum(anp.log(anp.sum(anp.exp(z), axis=1)) - anp.sum(z * y, axis=1)) / len(y)

    def sigmoid(z: Any) -> Any:
        return 1 / (1 + anp.exp(-z))

    names = pytorch_names(anp, sigmoid=sigmoid, relu=lambda z: z * (z > 0), cross_entropy=cross_entropy)

    def start(case: Case) -> Run:
        params, x, y_array = case.data()
        y = one_hot(y_array, case)
        gradient = autograd.value_and_grad(lambda p: case.forward(names, names, p, x, y))

        def step() -> Any:
            loss, grads = gradient(params)
            for p, g in zip(params, grads, strict=True):
                p -= case.lr * g
            return loss

        return Run(step, lambda: params)

    return Framework("autograd", metadata.version("autograd"), True, by_threads(start, openblas()))


Contestants = dict[str, tuple[str, Callable[[], Framework]]]

CONTESTANTS: Contestants = {
    "NumPy": ("numpy", hand_written),
    SUBJECT: (SUBJECT, lambda: torch_like(SUBJECT, SUBJECT)),
    "PyTorch": ("torch", lambda: torch_like("PyTorch", "torch")),
    "JAX": ("jax", jax_jit),
    "MyGrad": ("mygrad", mygrad),
    "autograd": ("autograd", hips_autograd),
}


COMPILED: Contestants = {
    "compiled": (SUBJECT, lambda: torch_like("compiled", SUBJECT, "numpy")),
    "numba": (SUBJECT, lambda: torch_like("numba", SUBJECT, "numba")),
    "torch.compile": ("torch", torch_compile),
    "tinygrad": ("tinygrad", tinygrad_jit),
}
"""Compilers of whole steps, beside JAX: ``tinygrad_fr.compile`` with its two backends, and peers."""


ORDER = ("NumPy", SUBJECT, "compiled", "numba", "PyTorch", "torch.compile", "JAX", "tinygrad", "MyGrad", "autograd")
STEPS: Contestants = {name: (CONTESTANTS | COMPILED)[name] for name in ORDER}
"""Those that train: everyone."""

MODULES: Contestants = {
    "NumPy": ("numpy", hand_written),
    SUBJECT: (SUBJECT, lambda: with_modules(SUBJECT, SUBJECT)),
    "compiled": (SUBJECT, lambda: with_modules("compiled", SUBJECT, "numpy")),
    "numba": (SUBJECT, lambda: with_modules("numba", SUBJECT, "numba")),
    "PyTorch": ("torch", lambda: with_modules("PyTorch", "torch")),
}
"""Those that offer layers, losses and optimisers as objects."""

SUBJECTS = (SUBJECT, "compiled", "numba")
"""The columns of tinygrad_fr."""


def installed(contestants: Contestants, left_out: dict[str, str]) -> dict[str, Framework]:
    """The contestants that can run here, why others cannot in ``left_out``; one that is present but broken fails loudly."""
    found: dict[str, Framework] = {}
    for name, (module, make) in contestants.items():
        try:
            found[name] = make()
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
        except Unavailable as error:
            left_out[name] = str(error)
    return found


class Disagreement(AssertionError):
    """A contestant computes something else than the hand-written reference."""


def check(case: Case, name: str, start: Start) -> None:
    """First loss, and all parameters after three steps, must be those of hand-written NumPy, in float32.

    Parameters move little in three steps, so the *change* of each is compared too, by its norm: a missing or
    wrong gradient could otherwise hide behind the initial values. Its tolerance, and the absolute one, leave
    room for a relu whose input is zero but for rounding, on which two correct programs may differ.
    """
    reference, run = by_hand(case), start()
    losses = [(float(run.step().item()), float(reference.step())) for _ in range(3)]
    where = f"{name}, {case.name}"
    if not np.allclose(*losses[0], rtol=1e-4, atol=1e-7):
        raise Disagreement(f"{where}: first loss {losses[0][0]}, by hand {losses[0][1]}")
    for i, (got, want, before) in enumerate(
        zip(run.params(), reference.params(), case.data()[0], strict=True)
    ):
        if got.dtype != np.float32 or got.shape != want.shape:
            raise Disagreement(f"{where}: parameter {i} is {got.dtype}{got.shape}, not float32{want.shape}")
        change = np.linalg.norm(got - want) / np.linalg.norm(want - before)
        if not (np.allclose(got, want, rtol=1e-4, atol=1e-5) and change <= 1e-2):
            worst = np.abs(got - want).max()
            raise Disagreement(
                f"{where}: parameter {i} after 3 steps: off by {worst:.2g}, its change by {change:.2%}"
            )
