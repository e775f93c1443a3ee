"""Every declared operation keeps the same promises: these tests run over the registry, so a new one is tested at once.

An operation says itself on what it is tested (`domain`, `kinks`, `samples`). Small differences of its formula are the
judge of its gradients; where PyTorch is installed, it is asked as well.
"""

from __future__ import annotations

import copy
import functools
import inspect
import sys
import zlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as tg
from tinygrad_fr.graph import grad
from tinygrad_fr.node import OUTPUT, PLAIN, Array
from tinygrad_fr.operation import REGISTRY, Operation
from tinygrad_fr.recording import record
from tinygrad_fr.tensor import Tensor, wrap
from tinygrad_fr.testing import Draw, cases, gradcheck, gradgradcheck
from tinygrad_fr.values import as_array, promoted

torch: Any
try:
    import torch
except ImportError:  # the oracle is optional
    torch = None

def _promoted(operation: Operation, arrays: list[Array]) -> list[Array]:
    """The arrays as the operation's formula receives them: in one dtype."""
    return promoted(arrays, operation.promoted, operation.floats)


# -- the operations and their cases ------------------------------------------------------------------------------------


def _recorders() -> dict[str, Callable[..., Tensor]]:
    """The function that runs each operation, as its module holds it: with its fast path, where it has one."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "tinygrad_fr" and isinstance(module, ModuleType):
            for value in vars(module).values():
                operation = getattr(value, "operation", None)
                if callable(value) and isinstance(operation, Operation):
                    found[operation.name] = value
    return found


RECORDERS = _recorders()


def _public(name: str) -> Callable[..., Any] | None:
    """The function of that name that users call, if there is one: PyTorch's arguments, checked and completed."""
    for place in (tg, getattr(getattr(tg, "nn", None), "functional", None), tg.Tensor):
        if callable(function := getattr(place, name, None)):
            return function
    return None if RECORDERS[name].__name__.startswith("_") else RECORDERS[name]


def draw_cases(name: str, dtype: Any = np.float64) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    return cases(REGISTRY[name], Draw(zlib.crc32(name.encode()), dtype))


def _keys() -> Iterator[Any]:
    for name in REGISTRY:
        try:
            count = len(draw_cases(name))
        except Exception:  # samples that cannot be drawn fail in the tests, with their own message
            count = 1
        for number in range(count):
            yield pytest.param(name, number, id=f"{name}-{number}")


each_case = pytest.mark.parametrize(("name", "number"), list(_keys()))
each_operation = pytest.mark.parametrize("name", list(REGISTRY))


class Case:
    """One operation with one set of arrays and keywords, and the ways to run it."""

    def __init__(self, name: str, number: int = 0, dtype: Any = np.float64) -> None:
        self.arrays, self.params = draw_cases(name, dtype)[number]
        self.operation = REGISTRY[name]
        if any(p.kind.name == "VAR_POSITIONAL" for p in inspect.signature(self.operation.forward).parameters.values()):
            self.operation = self.operation.of(len(self.arrays))  # such as cat, for any number of tensors
        self.differentiable = [
            i
            for i, (a, formula) in enumerate(zip(self.arrays, self.operation.formulas, strict=True))
            if formula is not None and np.asarray(a).dtype.kind == "f" and isinstance(a, np.ndarray)
        ]

    def __call__(self, *inputs: Any) -> Tensor:
        return RECORDERS[self.operation.name](*inputs, **self.params)

    def tensors(self, arrays: Any = None, requires_grad: bool = True) -> list[Any]:
        """The inputs as Tensors, leaves where a gradient exists; numbers and None stay what they are."""
        found: list[Any] = []
        for i, array in enumerate(self.arrays if arrays is None else arrays):
            found.append(wrap(array) if isinstance(array, np.ndarray) else array)
            if requires_grad and i in self.differentiable:
                found[-1].requires_grad = True
        return found

    def formula(self, *arrays: Array) -> Array:
        return self.operation.forward(*_promoted(self.operation, list(arrays)), **self.params)

    def gradient_of(self, y: Array, seed: int = 1) -> Array:
        """A gradient to send back: random, of the output's shape and dtype."""
        return np.asarray(Draw(seed).uniform(y.shape, 0.5, 1.5), y.dtype)

    def kernel(self, *arrays: Array) -> tuple[Array, tuple[Array, ...]]:
        """What the kernel computes, and what it keeps for the gradients' kernels; the formula where there is none."""
        if self.operation.kernel is None:
            return self.operation.forward(*arrays, **self.params), ()
        result = self.operation.kernel(*arrays, **self.params)
        return (result[0], tuple(result[1:])) if self.operation.keeps else (result, ())

    def saved(self, i: int, arrays: Any, y: Array) -> list[Any]:
        """What the gradient formula of input i reads."""
        sources = self.operation.sources[i]
        return [arrays[s] if s >= 0 else y if s == OUTPUT else np.shape(arrays[PLAIN - s]) for s in sources]

    def gradients(self, i: int, arrays: Any) -> Iterator[tuple[Callable[[Array], Array], list[Any]]]:
        """The gradient formula of input i, then its kernel if there is one, and what each of them reads."""
        keywords = {word: self.params[word] for word in self.operation.keywords[i]}
        y, kept = self.kernel(*arrays)
        saved = self.saved(i, arrays, y)
        formula: Any = self.operation.formulas[i]
        kernel = self.operation.kernels[i]
        yield lambda g: formula(g, *saved, **keywords), saved
        if kernel is not None:
            saved = [*saved, *kept]
            yield lambda g: kernel(g, *saved, **keywords), saved

    def run(self, arrays: Any = None) -> tuple[Array, list[Array]]:
        """The value, and the gradients for `gradient_of` it."""
        tensors = self.tensors(arrays)
        y = self(*tensors)
        wanted = [tensors[i] for i in self.differentiable]
        if not wanted or not y.requires_grad:
            return y.detach().numpy(), []
        found = grad(y, wanted, wrap(self.gradient_of(y._array)))
        return y.detach().numpy(), [g.numpy() for g in found if g is not None]


def elementwise(operation: Operation) -> bool:
    """Whether arrays of any shape will do: no samples of its own, or inputs that broadcast."""
    return operation.broadcasts is True or operation.samples is None


def same(actual: Any, expected: Any, ulps: float = 8, what: str = "") -> None:
    """Equal shapes and dtypes, and values equal to a few units in the last place of the largest."""
    a, e = np.asarray(actual), np.asarray(expected)
    assert a.shape == e.shape, f"{what}: shape {a.shape}, expected {e.shape}"
    assert a.dtype == e.dtype, f"{what}: dtype {a.dtype}, expected {e.dtype}"
    tolerance = ulps * float(np.finfo(e.dtype).eps) if e.dtype.kind == "f" else 0.0
    finite = np.abs(e[np.isfinite(e)]).max(initial=0.0)
    np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance * float(finite), err_msg=what)


# -- the declaration ---------------------------------------------------------------------------------------------------


def test_registry_is_not_empty() -> None:
    assert len(REGISTRY) > 20
    assert set(RECORDERS) == set(REGISTRY)


@each_operation
def test_declaration_is_complete(name: str) -> None:
    operation = REGISTRY[name]
    assert operation.symbol
    for word in operation.inputs:
        assert f"{{{word}}}" in operation.latex, f"the LaTeX line of {name} does not show its input {word}"
    recorder = RECORDERS[name]
    assert (recorder.__doc__ or "").strip(), f"{name} has no docstring"
    public = _public(name)
    if public is not None:
        assert ">>>" in (public.__doc__ or ""), f"the docstring of the public function {name} shows no example"


@each_operation
def test_samples_are_arrays_that_fit_the_declaration(name: str) -> None:
    drawn = draw_cases(name)
    assert drawn
    for number, (_, params) in enumerate(drawn):
        case = Case(name, number)
        assert len(case.arrays) == len(case.operation.inputs)
        assert all(isinstance(word, str) for word in params)


@each_operation
def test_every_gradient_formula_is_tested(name: str) -> None:
    """Some case differentiates each input that has a formula, with a gradient that is not empty."""
    operation, count = REGISTRY[name], len(draw_cases(name))
    drawn = [Case(name, number) for number in range(count)]
    tested = {i for case in drawn for i in case.differentiable if case.arrays[i].size}
    missing = [word for i, word in enumerate(operation.inputs) if operation.formulas[i] is not None and i not in tested]
    assert not missing, f"no sample of {name} has floating values for {missing}"


@each_operation
def test_numpy_functions_record_the_operation(name: str) -> None:
    case = Case(name)
    for function in REGISTRY[name].numpy:
        if case.params:
            continue
        tensors = case.tensors()
        y = function(*tensors)
        assert isinstance(y, Tensor), f"{function} on a Tensor gave {type(y)}"
        same(y.detach().numpy(), case(*tensors).detach().numpy(), 0)
        assert y.requires_grad == case(*tensors).requires_grad


# -- values ------------------------------------------------------------------------------------------------------------


@each_case
def test_value_is_the_formula(name: str, number: int) -> None:
    case = Case(name, number)
    expected = case.formula(*case.arrays)
    for requires_grad in (True, False):
        same(case(*case.tensors(requires_grad=requires_grad)).detach().numpy(), expected)
    complete = record(case.operation, tuple(case.tensors()), case.params)  # beside the fast path
    same(complete.detach().numpy(), expected)
    assert complete.requires_grad == bool(case.differentiable)


@each_case
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_kernels_equal_their_formulas(name: str, number: int, dtype: Any) -> None:
    case = Case(name, number, dtype)
    y = case.formula(*case.arrays)
    same(case.kernel(*_promoted(case.operation, list(case.arrays)))[0], y, 4, "kernel")
    g = case.gradient_of(y)
    for i in case.differentiable:
        expected, *kernels = [program(g) for program, _ in case.gradients(i, case.arrays)]
        for found in kernels:
            same(found, expected, 4, case.operation.inputs[i])


@each_operation
def test_kernels_equal_their_formulas_at_limits(name: str) -> None:
    case = Case(name)
    operation = case.operation
    if not elementwise(operation) or not (operation.kernel or any(operation.kernels)):
        return
    values = [0.0, -0.0, 1.0, -1.0, 1e-300, 1e300, -1e300, np.inf, -np.inf, np.nan, *operation.kinks]
    arrays = np.meshgrid(*(values for _ in case.arrays))
    with np.errstate(all="ignore"):
        y = case.formula(*arrays)
        np.testing.assert_allclose(case.kernel(*arrays)[0], y, rtol=1e-15, err_msg="kernel")
        g = case.gradient_of(y)
        for i in case.differentiable:
            expected, *kernels = [program(g) for program, _ in case.gradients(i, arrays)]
            for found in kernels:
                np.testing.assert_allclose(found, expected, rtol=1e-15, atol=1e-15, err_msg=operation.inputs[i])


# -- gradients ---------------------------------------------------------------------------------------------------------


@each_case
def test_first_derivative(name: str, number: int) -> None:
    case = Case(name, number)
    if case.differentiable:
        assert gradcheck(case, case.tensors(), atol=1e-6, rtol=1e-5)


@each_operation
def test_a_wrong_formula_would_be_noticed(name: str) -> None:
    """Every formula in turn made 1 % wrong: the samples must be telling enough for the checker to reject it."""
    drawn = [Case(name, number) for number in range(len(draw_cases(name)))]
    for i in {i for case in drawn for i in case.differentiable}:
        verdicts = []
        for case in drawn:
            if i in case.differentiable:
                wrong, formula = copy.copy(case.operation), case.operation.formulas[i]
                spoiled = lambda *args, f=formula, **words: 1.01 * f(*args, **words) + 0.001
                wrong.formulas = tuple(spoiled if n == i else f for n, f in enumerate(wrong.formulas))
                wrong.kernels = (None,) * len(wrong.inputs)
                run = functools.partial(_record, wrong, case.params)
                verdicts.append(gradcheck(run, case.tensors(), atol=1e-6, rtol=1e-5, raise_exception=False))
        assert not all(verdicts), f"the samples of {name} do not notice a wrong gradient of its input {i}"


def _record(operation: Operation, params: dict[str, Any], *inputs: Any) -> Tensor:
    return record(operation, inputs, params)


@each_case
def test_second_derivative(name: str, number: int) -> None:
    case = Case(name, number)
    if not case.differentiable:
        return
    if case.operation.once:
        tensors = case.tensors()
        y = case(*tensors)
        with pytest.raises(RuntimeError, match="cannot be differentiated again"):
            grad(y, tensors[case.differentiable[0]], wrap(case.gradient_of(y._array)), create_graph=True)
        return
    assert gradgradcheck(case, case.tensors(), atol=1e-6, rtol=1e-5)
    tensors = case.tensors()
    y = case(*tensors)
    wanted, seed = [tensors[i] for i in case.differentiable], wrap(case.gradient_of(y._array))
    plain, recorded = (grad(y, wanted, seed, retain_graph=True, create_graph=create) for create in (False, True))
    for a, b in zip(plain, recorded, strict=True):  # the formula on Tensors computes what it computes on arrays
        assert a is not None
        assert b is not None
        same(b.detach().numpy(), a.numpy(), 16)


@each_case
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_dtype_is_kept(name: str, number: int, dtype: Any) -> None:
    case = Case(name, number, dtype)
    if not case.differentiable:
        return
    tensors = case.tensors()
    y = case(*tensors)
    converts = case.params.get("dtype") is not None  # an operation whose meaning is to change the dtype
    assert converts or y.dtype == dtype
    wanted = [tensors[i] for i in case.differentiable]
    seed = wrap(case.gradient_of(y._array))
    for create_graph in (False, True):
        if create_graph and case.operation.once:
            continue
        for x, g in zip(wanted, grad(y, wanted, seed, retain_graph=True, create_graph=create_graph), strict=True):
            assert g is not None
            assert g.dtype == dtype, f"create_graph={create_graph}: the gradient is {g.dtype}"
            assert g.shape == x.shape
    if converts:
        return
    for i, x in zip(case.differentiable, wanted, strict=True):  # also before the engine casts what it receives
        for program, _ in case.gradients(i, _promoted(case.operation, list(case.arrays))):
            raw = program(seed._array)
            assert raw.dtype == dtype, f"the formula for {case.operation.inputs[i]} promotes {x.dtype} to {raw.dtype}"


@each_case
def test_low_precision_agrees_with_float64(name: str, number: int) -> None:
    case, coarse = Case(name, number), Case(name, number, np.float32)
    y, gradients = case.run([a.astype(b.dtype) for a, b in zip(coarse.arrays, case.arrays, strict=True)])
    y32, gradients32 = coarse.run()
    for fine, low in zip([y, *gradients], [y32, *gradients32], strict=True):
        scale = np.abs(fine[np.isfinite(fine)]).max(initial=0.0) if fine.dtype.kind == "f" else 0.0
        np.testing.assert_allclose(low, fine, rtol=1e-4, atol=1e-5 * max(float(scale), 1.0))


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "transposed": lambda a: np.array(a.T, order="C").T,
    "reversed": lambda a: np.flip(np.array(np.flip(a))) if a.ndim else a,
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a,
    "every axis strided": lambda a: (
        np.kron(a, np.ones((2,) * a.ndim, a.dtype))[(slice(None, None, 2),) * a.ndim] if a.ndim else a
    ),
}


@each_case
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_does_not_matter(name: str, number: int, layout: str) -> None:
    case = Case(name, number)
    expected, gradients = case.run()
    laid = [LAYOUTS[layout](a) if isinstance(a, np.ndarray) else a for a in case.arrays]
    y, found = case.run(laid)
    same(y, expected, 16)
    for a, b in zip(found, gradients, strict=True):
        same(a, b, 16)


@each_case
def test_nothing_is_written_into(name: str, number: int) -> None:
    case = Case(name, number)
    for array in case.arrays:
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    y = case(*case.tensors())._array
    g = case.gradient_of(y)
    g.flags.writeable = False
    case.run()
    for i in case.differentiable:
        for program, saved in case.gradients(i, _promoted(case.operation, list(case.arrays))):
            for array in saved:
                if isinstance(array, np.ndarray):
                    array.flags.writeable = False
            program(g)


@each_case
def test_a_formula_returns_no_saved_array(name: str, number: int) -> None:
    case = Case(name, number)
    operation, operands = case.operation, _promoted(case.operation, list(case.arrays))
    for y in (operation.forward(*operands, **case.params), case.kernel(*operands)[0]):
        for i, array in enumerate(case.arrays):
            if isinstance(array, np.ndarray) and not (operation.view and i == 0):
                assert not np.shares_memory(y, array), (
                    f"the result shares memory with {operation.inputs[i]}: view=True?"
                )
    for i in case.differentiable:
        for program, saved in case.gradients(i, operands):
            result = program(case.gradient_of(y))
            for array in saved:
                assert not isinstance(array, np.ndarray) or not np.shares_memory(result, array)


@each_case
def test_gradients_own_their_memory(name: str, number: int) -> None:
    case = Case(name, number)
    if not case.differentiable:
        return
    tensors = case.tensors()
    y = case(*tensors)
    seed = wrap(case.gradient_of(y._array))
    others = [t._array for t in tensors if isinstance(t, Tensor)] + [y._array, seed._array]
    for function in ("backward", "grad"):
        if function == "backward":
            y.backward(seed, retain_graph=True)
            found = [tensors[i].grad for i in case.differentiable]
        else:
            found = list(grad(y, [tensors[i] for i in case.differentiable], seed))
        arrays = [g._array for g in found if g is not None]
        assert len(arrays) == len(case.differentiable)
        for n, a in enumerate(arrays):
            assert isinstance(a, np.ndarray)
            assert a.flags.owndata
            assert a.flags.writeable
            for b in others + arrays[:n]:
                assert not np.shares_memory(a, b)


@each_operation
def test_one_tensor_for_two_inputs(name: str) -> None:
    case = Case(name)
    shapes = {case.arrays[i].shape for i in case.differentiable}
    if len(case.differentiable) < 2 or len(shapes) != 1:
        return
    arrays = [case.arrays[case.differentiable[0]] if i in case.differentiable else a for i, a in enumerate(case.arrays)]
    try:
        _, gradients = case.run(arrays)
    except RuntimeError:  # shapes that only fit together as they were drawn
        return
    x = wrap(arrays[case.differentiable[0]])
    x.requires_grad = True
    y = case(*(x if i in case.differentiable else t for i, t in enumerate(case.tensors(arrays))))
    (total,) = grad(y, x, wrap(case.gradient_of(y._array)))
    assert total is not None
    same(total.numpy(), sum(gradients[1:], gradients[0]), 16)


# -- shapes ------------------------------------------------------------------------------------------------------------

BROADCASTING = [
    name for name, operation in REGISTRY.items() if operation.broadcasts is True and len(operation.inputs) > 1
]


def _resampled(case: Case, shapes: Any) -> list[Array]:
    """The case's values again, in other shapes: each input keeps to the values it was drawn with."""
    random = np.random.default_rng(2)
    return [np.asarray(random.choice(a.ravel(), s), a.dtype) for a, s in zip(case.arrays, shapes, strict=True)]


def _summed(g: Array, shape: tuple[int, ...]) -> Array:
    """The adjoint of broadcasting, written naively: one axis at a time."""
    while g.ndim > len(shape):
        g = g.sum(0)
    for axis, length in enumerate(shape):
        if g.shape[axis] != length:
            g = g.sum(axis, keepdims=True)
    return g


@pytest.mark.parametrize("name", BROADCASTING)
@given(data=st.data())
def test_broadcasting(name: str, data: st.DataObject) -> None:
    case = Case(name)
    drawn = data.draw(
        hnp.mutually_broadcastable_shapes(num_shapes=len(case.arrays), max_dims=3, min_side=0, max_side=3)
    )
    small = _resampled(case, drawn.input_shapes)
    large = [np.array(np.broadcast_to(a, drawn.result_shape)) for a in small]
    y, gradients = case.run(small)
    expected, expanded = case.run(large)
    assert y.shape == drawn.result_shape
    same(y, expected)
    for i, a, b in zip(case.differentiable, gradients, expanded, strict=True):
        same(a, _summed(b, small[i].shape), 64)


@pytest.mark.parametrize("name", BROADCASTING)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_python_numbers_keep_the_dtype(name: str, dtype: Any) -> None:
    case = Case(name, 0, dtype)
    if len(case.differentiable) < 2:
        return
    for number in case.differentiable:
        value = case.arrays[number].ravel()[0]
        arrays = [np.asarray(value) if i == number else a for i, a in enumerate(case.arrays)]
        expected, gradients = case.run(arrays)
        tensors = case.tensors()
        tensors[number] = value.item()
        y = case(*tensors)
        same(y.detach().numpy(), expected, 4, f"{case.operation.inputs[number]} as a Python number")
        wanted = [i for i in case.differentiable if i != number]
        found = grad(y, [tensors[i] for i in wanted], wrap(case.gradient_of(y._array)))
        for i, g in zip(wanted, found, strict=True):
            assert g is not None
            same(g.numpy(), gradients[case.differentiable.index(i)], 4)


@each_operation
def test_zero_axes(name: str) -> None:
    if not elementwise(REGISTRY[name]):
        return
    for dtype in (np.float64, np.float32):
        case = Case(name, 0, dtype)
        flat = [a.ravel()[:1] for a in case.arrays]
        expected, gradients = case.run(flat)
        y, found = case.run([a.reshape(()) for a in flat])
        assert y.shape == ()
        same(y, expected.reshape(()))
        for a, b in zip(found, gradients, strict=True):
            same(a, b.reshape(()))


@each_operation
def test_no_elements(name: str) -> None:
    if not elementwise(REGISTRY[name]):
        return
    case = Case(name)
    y, found = case.run([a[:0] for a in case.arrays])
    assert y.shape[0] == 0
    for i, g in zip(case.differentiable, found, strict=True):
        assert g.shape == (0, *case.arrays[i].shape[1:])
        assert g.dtype == case.arrays[i].dtype


# -- PyTorch as the judge ----------------------------------------------------------------------------------------------

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")


def _of_torch(name: str) -> Any:
    for place in (torch.nn.functional, torch, torch.special, torch.linalg, torch.Tensor):
        if callable(getattr(place, name, None)):
            return getattr(place, name)
    return pytest.skip(f"PyTorch has no function {name}")


def _to_torch(value: Any, requires_grad: bool = False) -> Any:
    if isinstance(value, np.ndarray):
        return torch.tensor(value, requires_grad=requires_grad)
    return value


def _arguments(case: Case, inputs: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    """A case as PyTorch's public functions take it, and therefore ours: several tensors in a list, no empty keyword."""
    variadic = case.operation is not REGISTRY[case.operation.name]
    given = {k: v for k, v in case.params.items() if v is not None}
    if "dim" in case.params and "dim" not in given:
        given.pop("keepdim", None)  # there is no keepdim=True without a dim
    return [inputs] if variadic else inputs, given


def _run_torch(name: str, case: Case, inputs: list[Any]) -> Any:
    function = _of_torch(name)
    positional, given = _arguments(case, inputs)
    try:
        result = function(*positional, **given)
    except (TypeError, IndexError, ValueError) as error:
        return pytest.skip(f"PyTorch's {name} takes other arguments: {str(error).splitlines()[0]}")
    return result if isinstance(result, torch.Tensor) else pytest.skip(f"PyTorch's {name} does not return one tensor")


def _run_public(name: str, case: Case, inputs: list[Any]) -> Tensor:
    """The public function with PyTorch's own arguments: what users rely on when they change only the import."""
    function = _public(name)
    if function is None:
        return case(*inputs)
    positional, given = _arguments(case, inputs)
    return function(*positional, **given)


@needs_torch
@each_case
def test_agrees_with_pytorch(name: str, number: int) -> None:
    case = Case(name, number)
    theirs = [_to_torch(a, i in case.differentiable) for i, a in enumerate(case.arrays)]
    expected = _run_torch(name, case, theirs)
    ours = case.tensors()
    y = _run_public(name, case, ours)
    same(y.detach().numpy(), expected.numpy(force=True), 64, "value")
    if not case.differentiable:
        return
    seed = case.gradient_of(y._array)
    x, tx = [ours[i] for i in case.differentiable], [theirs[i] for i in case.differentiable]
    again = not case.operation.once
    first = grad(y, x, wrap(seed), create_graph=again)
    tfirst = torch.autograd.grad(expected, tx, torch.tensor(seed), create_graph=again)
    for i, (a, b) in enumerate(zip(first, tfirst, strict=True)):
        assert a is not None
        same(a.detach().numpy(), b.numpy(force=True), 256, f"gradient of input {i}")
    found = [(a, b) for a, b in zip(first, tfirst, strict=True) if a is not None and b.requires_grad and again]
    if not found:
        return
    seeds = [Draw(2).uniform(tuple(b.shape), 0.5, 1.5) for _, b in found]
    pairs = [(a, wrap(s)) for (a, _), s in zip(found, seeds, strict=True) if a.requires_grad]  # others are constant
    second: Any = [wrap(np.zeros_like(t._array)) for t in x]
    if pairs:
        second = grad([a for a, _ in pairs], x, [s for _, s in pairs], materialize_grads=True)
    tsecond = torch.autograd.grad([b for _, b in found], tx, [torch.tensor(s) for s in seeds], allow_unused=True)
    for i, (a, b) in enumerate(zip(second, tsecond, strict=True)):
        assert a is not None
        expected = np.zeros(a.shape) if b is None else b.numpy(force=True)
        np.testing.assert_allclose(a.numpy(), expected, rtol=1e-8, atol=1e-9, err_msg=f"second gradient of input {i}")


def _grid(case: Case, values: list[float]) -> list[Array]:
    """Every combination of the values, one array for each input."""
    found = np.meshgrid(*(values for _ in case.arrays), indexing="ij")
    return [a if b.dtype.kind == "f" else a > 0 for a, b in zip(found, case.arrays, strict=True)]


@needs_torch
@each_operation
def test_kinks_ties_and_limits_follow_pytorch(name: str) -> None:
    """Values also at infinities and NaN; gradients also at 0, at kinks and at ties, where a convention decides."""
    case = Case(name)
    if not elementwise(case.operation) or not case.differentiable:
        return
    usual = [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, *case.operation.kinks]
    with np.errstate(all="ignore"):
        every = _grid(case, [*usual, np.inf, -np.inf, np.nan])
        expected = _run_torch(name, case, [_to_torch(a) for a in every])
        y = _run_public(name, case, [wrap(a) for a in every])
        np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-9, atol=1e-12, err_msg="values")
        finite = _grid(case, usual)
        ours, theirs = case.tensors(finite), [_to_torch(a, i in case.differentiable) for i, a in enumerate(finite)]
        y, expected = _run_public(name, case, ours), _run_torch(name, case, theirs)
        found = grad(y, [ours[i] for i in case.differentiable], wrap(np.ones(y.shape)))
        wanted = torch.autograd.grad(expected, [theirs[i] for i in case.differentiable], torch.ones_like(expected))
    for i, a, b in zip(case.differentiable, found, wanted, strict=True):
        assert a is not None
        np.testing.assert_allclose(
            a.numpy(), b.numpy(force=True), rtol=1e-9, atol=1e-12, err_msg=f"gradient of {case.operation.inputs[i]}"
        )


@needs_torch
@each_case
@pytest.mark.parametrize("dtype", [np.int64, np.bool_])
def test_integers_and_booleans_follow_pytorch(name: str, number: int, dtype: Any) -> None:
    case, draw = Case(name, number), Draw(5)
    arrays = [
        (draw.integers(a.shape, 1, 4) if dtype is np.int64 else draw.booleans(a.shape))
        if isinstance(a, np.ndarray) and a.dtype.kind == "f"
        else a
        for a in case.arrays
    ]
    try:
        expected = _run_torch(name, case, [_to_torch(a) for a in arrays])
    except RuntimeError:
        return  # what PyTorch refuses is left open
    y = _run_public(name, case, [wrap(as_array(a)) for a in arrays]).numpy()
    assert y.dtype == expected.numpy().dtype
    np.testing.assert_allclose(y, expected.numpy(), rtol=1e-6, atol=1e-6)


@needs_torch
@pytest.mark.parametrize("name", BROADCASTING)
def test_mixed_dtypes_follow_pytorch(name: str) -> None:
    case = Case(name)
    if len(case.arrays) != 2 or case.params:
        return
    kinds = [(np.float32, np.int64), (np.int64, np.float32), (np.float16, np.float32), (np.float32, np.float64)]
    for dtypes in kinds:
        arrays = [np.abs(a).astype(d) + d(1) for a, d in zip(case.arrays, dtypes, strict=True)]
        for number in (None, 0, 1):  # one of them without axes: it then weighs less
            pair = [np.asarray(a.ravel()[0]) if i == number else a for i, a in enumerate(arrays)]
            try:
                expected = _run_torch(name, case, [_to_torch(a) for a in pair])
            except RuntimeError:
                continue
            y = _run_public(name, case, [wrap(a) for a in pair])
            assert y.dtype == expected.numpy().dtype, f"{[(a.dtype, a.ndim) for a in pair]}"
