"""Who checks the checker? `gradcheck` must reject wrong formulas, at both orders, and `compare` must say what is wrong.

The wrong operations are declared here, and taken out of the registry again so that no other test meets them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_fr import Tensor, tensor
from tinygrad_fr.graph import grad
from tinygrad_fr.modes import no_grad
from tinygrad_fr.operation import NUMPY, REGISTRY, operation
from tinygrad_fr.tensor import wrap
from tinygrad_fr.testing import (
    Comparison,
    Draw,
    GradcheckError,
    assert_close,
    cases,
    central_difference,
    compare,
    gradcheck,
    gradgradcheck,
)


def declare(forward: Callable[..., Any], **options: Any) -> Callable[..., Tensor]:
    """An operation that lives as long as its test."""
    known, numpy_table = dict(REGISTRY), dict(NUMPY)
    try:
        return operation("?", "?", name="test_only", **options)(forward)
    finally:
        REGISTRY.clear()
        REGISTRY.update(known)
        NUMPY.clear()
        NUMPY.update(numpy_table)


def points(*shapes: tuple[int, ...], low: float = 0.3, high: float = 2.0) -> tuple[Tensor, ...]:
    draw = Draw(11)
    found = tuple(wrap(draw.uniform(s, low, high)) for s in shapes)
    for x in found:
        x.requires_grad = True
    return found


# -- right formulas pass -----------------------------------------------------------------------------------------------


def test_right_gradients_pass() -> None:
    product = declare(lambda a, b: a * b, broadcasts=True, da=lambda g, b: g * b, db=lambda g, a: g * a)
    assert gradcheck(product, points((2, 3), (3,)))
    assert gradgradcheck(product, points((2, 3), (3,)))
    assert gradcheck(product, points((), ()))
    assert gradcheck(product, points((0, 3), (3,)))


def test_every_output_and_every_kind_of_result() -> None:
    (x,) = points((3,))
    assert gradcheck(lambda x: (x * x, x + 1, "not a tensor", x > 0), x)
    assert gradcheck(lambda x: x, x)
    assert gradcheck(lambda x: x.detach() * 0, x)  # a constant: both derivatives are 0


def test_other_arguments_are_passed_on() -> None:
    (x,) = points((3,))
    assert gradcheck(lambda n, x, y: x * n + y, (3, x, tensor([1.0, 2.0, 3.0], dtype="float64")))


def test_a_closure_over_the_input_is_seen() -> None:
    """As in PyTorch: `gradcheck(lambda *p: loss(model(x)), tuple(model.parameters()))` moves the model's weights."""
    (w,) = points((3,))
    assert gradcheck(lambda _: w * w, w)


def test_inputs_are_left_as_they_were() -> None:
    (x,) = points((3,))
    array, before = x._array, x._array.copy()
    array.flags.writeable = False
    assert gradcheck(lambda x: x * x, x)
    with pytest.raises(ZeroDivisionError):
        gradcheck(lambda x: 1 // 0, x)
    assert x._array is array
    np.testing.assert_array_equal(array, before)
    assert x.grad is None


# -- wrong formulas are rejected, at first order -----------------------------------------------------------------------

WRONG_FIRST: dict[str, tuple[Callable[..., Any], dict[str, Any], tuple[tuple[int, ...], ...]]] = {
    "wrong sign": (lambda x: 1 / x, {"dx": lambda g, y: g * y * y}, ((3,),)),
    "missing factor": (lambda x: x**3, {"dx": lambda g, x: g * x * x}, ((3,),)),
    "missing term": (lambda x: x * np.exp(x), {"dx": lambda g, x: g * np.exp(x)}, ((3,),)),
    "swapped inputs": (lambda a, b: a * b, {"da": lambda g, a: g * a, "db": lambda g, b: g * b}, ((3,), (3,))),
    "one wrong input of two": (lambda a, b: a - b, {"da": lambda g: g, "db": lambda g: g}, ((3,), (3,))),
    "missing transpose": (
        lambda a, b: a @ b, {"da": lambda g, b: g @ b.mT, "db": lambda g, a: a @ g}, ((2, 2), (2, 2)),
    ),
    "forgets g": (lambda x: x * x, {"dx": lambda g, x: 2 * x}, ((3,),)),
    "one wrong entry": (lambda x: x * 1.0, {"dx": lambda g: g * (np.arange(3) != 1)}, ((3,),)),
    "wrong axis": (lambda x: x.sum(0), {"dx": lambda g, x: np.broadcast_to(g, (3, 3)).T * 1.0}, ((3, 3),)),
    "nan": (lambda x: x * 1.0, {"dx": lambda g: g * np.nan}, ((3,),)),
    "infinite": (lambda x: x * 1.0, {"dx": lambda g: g + np.inf}, ((3,),)),
    "a little wrong": (lambda x: x * x, {"dx": lambda g, x: 2.02 * g * x}, ((3,),)),
    "always zero": (lambda x: x * x, {"dx": lambda g: g * 0}, ((3,),)),
}  # fmt: skip


@pytest.mark.parametrize("slip", WRONG_FIRST)
def test_rejects_a_wrong_gradient(slip: str) -> None:
    forward, gradients, shapes = WRONG_FIRST[slip]
    wrong = declare(forward, **gradients)
    with pytest.raises(GradcheckError, match="numerical"):
        gradcheck(wrong, points(*shapes))
    assert gradcheck(wrong, points(*shapes), raise_exception=False) is False


def test_rejects_a_wrong_shape_and_a_wrong_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine casts and sums what formulas return; the checker does not rely on it."""
    (x,) = points((2, 3))
    for spoil in (lambda a: a[:1], lambda a: a.T, lambda a: a.astype(np.float32)):

        def spoiled(*args: Any, spoil: Any = spoil, **kwargs: Any) -> Any:
            return tuple(wrap(spoil(g.numpy())) for g in grad(*args, **kwargs) if g is not None)

        monkeypatch.setattr("tinygrad_fr.testing.grad", spoiled)
        with pytest.raises(GradcheckError, match=r"has shape .* and dtype"):
            gradcheck(lambda x: x * x, x)


def test_rejects_a_backward_that_changes_its_mind() -> None:
    calls = iter(range(10_000))
    moody = declare(lambda x: x * 1.0, dx=lambda g: g + 1e-9 * next(calls))
    with pytest.raises(GradcheckError, match="not reentrant"):
        gradcheck(moody, points((3,)))
    assert gradcheck(moody, points((3,)), nondet_tol=1e-6, atol=1e-3)

    def spoils_what_it_reads(g: Any, x: Any) -> Any:
        x *= 2
        return g * x

    with pytest.raises(GradcheckError):
        gradcheck(declare(lambda x: x * x, dx=spoils_what_it_reads), points((3,)))


def test_rejects_a_cut_graph() -> None:
    (x,) = points((3,))
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: (x * x).detach(), x)
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: x * x.detach(), x)
    with pytest.raises(GradcheckError), no_grad():
        gradcheck(lambda x: x * x, x)


def test_the_message_names_input_entry_and_values() -> None:
    wrong = declare(lambda a, b: a * b, da=lambda g, b: g * b, db=lambda g, a: g * a * (np.arange(3) != 2))
    a, b = points((3,), (3,))
    with pytest.raises(GradcheckError) as caught:
        gradcheck(wrong, (a, b))
    text = str(caught.value)
    assert "output 0 with respect to input 1 is wrong in 1 of its 9 entries" in text
    assert f"∂output[2]/∂input[2]: numerical {a._array[2]:.7g}, analytical 0" in text


def test_needs_float64_and_something_to_check() -> None:
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(lambda x: x, tensor([1.0], dtype="float64"))
    with pytest.warns(UserWarning, match="Input #0 requires gradient and is not a double precision"):
        gradcheck(lambda x: x * 0, tensor([1.0], dtype="float32", requires_grad=True))


# -- and at second order -----------------------------------------------------------------------------------------------


def _detached(x: Any) -> Any:
    return x.detach() if isinstance(x, Tensor) else x


WRONG_SECOND: dict[str, dict[str, Any]] = {
    "the factor is cut from the graph": {"dx": lambda g, x: 2 * g * _detached(x)},
    "the gradient is cut from the graph": {"dx": lambda g, x: 2 * _detached(g) * x},
    "all is cut from the graph": {"dx": lambda g, x: _detached(2 * g * x)},
    "a value without its derivative": {"dx": lambda g, x: 2 * g * x + g * (x * x - _detached(x * x))},
}


@pytest.mark.parametrize("slip", WRONG_SECOND)
def test_rejects_a_wrong_second_derivative(slip: str) -> None:
    wrong = declare(lambda x: x * x, **WRONG_SECOND[slip])
    assert gradcheck(wrong, points((3,))), "the first order is right"
    with pytest.raises(GradcheckError, match="numerical"):
        gradgradcheck(wrong, points((3,)))
    assert gradgradcheck(wrong, points((3,)), raise_exception=False) is False


@pytest.mark.parametrize("slip", ["wrong sign", "missing factor", "swapped inputs"])
def test_second_order_of_a_wrong_operation_in_the_gradient(slip: str) -> None:
    """The gradient of a right operation goes through a wrong one: right at first order, wrong at second."""
    forward, gradients, shapes = WRONG_FIRST[slip]
    inner = declare(forward, **gradients)
    if len(shapes) == 1:
        integral = {"wrong sign": lambda x: np.log(x), "missing factor": lambda x: x**4 / 4}[slip]
        right = declare(integral, dx=lambda g, x: g * (inner(x) if isinstance(x, Tensor) else forward(x)))
    else:
        right = declare(lambda x: x**4 / 4, dx=lambda g, x: g * (inner(x, x * x) if isinstance(x, Tensor) else x**3))
    assert gradcheck(right, points((3,)))
    with pytest.raises(GradcheckError):
        gradgradcheck(right, points((3,)))


def test_second_order_with_given_output_gradients() -> None:
    (x,) = points((3,))
    g = tensor([1.0, -2.0, 0.5], dtype="float64")
    assert gradgradcheck(lambda x: x * x * x, x, g)
    assert gradgradcheck(lambda x: (x * x, x * 3), x, (g, g))
    assert not g.requires_grad


# -- central differences and drawings ----------------------------------------------------------------------------------


def test_central_difference_is_the_jacobian() -> None:
    a, b = Draw(3).uniform((2, 3)), Draw(4).uniform((3, 2))
    jacobian = central_difference(lambda a, b: a @ b, [a, b], 1)
    assert jacobian.shape == (2, 2, 3, 2)
    np.testing.assert_allclose(jacobian, np.einsum("ik,jl->ijkl", a, np.eye(2)), atol=1e-9)
    assert central_difference(lambda x: x.sum(), [np.zeros((0, 2))], 0).shape == (0, 2)
    assert central_difference(np.square, [np.float64(3)], 0) == pytest.approx(6)


@given(seed=st.integers(0, 1000), sizes=st.lists(st.integers(0, 20), min_size=1, max_size=3))
def test_distinct_values_are_distinct(seed: int, sizes: list[int]) -> None:
    values = np.sort(np.concatenate(Draw(seed).distinct(*sizes)))
    assert values.size == sum(sizes)
    assert (np.diff(values) >= 0.1).all()


def test_draw() -> None:
    draw = Draw(0, np.float32)
    assert draw.uniform((4, 5), 2, 3).dtype == np.float32
    assert draw.uniform(()).shape == ()
    integers = draw.integers((100,), -1, 3)
    assert integers.dtype == np.int64
    assert set(integers.tolist()) == {-1, 0, 1, 2}
    assert set(draw.signs(100).tolist()) == {-1.0, 1.0}
    for seed in range(20):
        flags = Draw(seed).booleans((2,))
        assert flags.any()
        assert not flags.all()
    np.testing.assert_array_equal(Draw(7).uniform((3,)), Draw(7).uniform((3,)))


def test_cases_keep_away_from_kinks() -> None:
    corner = declare(lambda x: np.abs(x), dx=lambda g, x: g * np.sign(x), kinks=(0.0, 1.0), domain=(-0.2, 1.3))
    (((x,), params),) = cases(corner.operation, Draw(0, np.float32))
    assert params == {}
    assert x.dtype == np.float32
    assert x.shape == (2, 3)
    assert min(np.abs(x).min(), np.abs(x - 1).min()) >= 0.1
    given_cases = declare(
        lambda x: np.abs(x), samples=lambda draw: [(draw.uniform((2,)),), ((draw.uniform((2,)),), {"dim": 0})]
    )
    assert [p for _, p in cases(given_cases.operation, Draw(0))] == [{}, {"dim": 0}]


# -- compare -----------------------------------------------------------------------------------------------------------


def test_compare_equal(capsys: pytest.CaptureFixture[str]) -> None:
    found = compare("dW1", np.ones((2, 3)), tensor([[1.0] * 3] * 2))
    assert found
    assert found.exact
    assert isinstance(found, Comparison)
    assert capsys.readouterr().out == "dW1 | exact: True | approximate: True | max difference: 0.0\n"
    assert compare("dW1", [1.0], [1.0], lang="fr")
    assert capsys.readouterr().out == "dW1 | exact : oui | approché : oui | écart maximal : 0,0\n"


def test_compare_approximate(capsys: pytest.CaptureFixture[str]) -> None:
    found = compare("db", [1.0, 2.0 + 1e-9], [1.0, 2.0])
    assert found
    assert not found.exact
    assert found.where == (1,)
    assert found.max_difference == pytest.approx(1e-9, rel=1e-3)
    assert "exact: False | approximate: True | max difference: 1e-09\n" in capsys.readouterr().out


def test_compare_different(capsys: pytest.CaptureFixture[str]) -> None:
    found = compare("db", [[1.0, 2.0], [3.0, 5.0]], [[1.0, 2.0], [3.0, 4.0]])
    assert not found
    assert (found.max_difference, found.max_relative, found.where) == (1.0, 0.25, (1, 1))
    line = capsys.readouterr().out
    assert "max difference: 1.0 at [1, 1]: by hand 5.0, automatic 4.0 (relative difference 0.25)" in line
    assert line.count("\n") == 1
    compare("db", [0.0, np.nan], [0.0, 1.0])
    assert "nan at [1]" in capsys.readouterr().out
    assert not compare("db", np.nan, np.nan)


@pytest.mark.parametrize(
    ("mine", "auto", "english", "french"),
    [
        ([[1.0, 2.0]], [[1.0], [2.0]], "agree once transposed: write dW.T", "écrire dW.T"),
        (
            [[1.0, 2.0]],
            [[1.0], [3.0]],
            "check the order of the matrix product",
            "vérifier l'ordre du produit matriciel",
        ),
        (np.ones((4, 2)), np.ones(2), "is a sum: write dW.sum(0)", "une somme : écrire dW.sum(0)"),
        (np.ones((2, 4)), np.ones((2, 1)), "write dW.sum(1, keepdims=True)", "écrire dW.sum(1, keepdims=True)"),
        (np.ones((2, 4)), np.ones(()), "write dW.sum((0, 1))", "écrire dW.sum((0, 1))"),
        (np.ones(3), np.ones(4), "different shapes: by hand (3,), automatic (4,)", "formes différentes"),
        ([1.0, -2.0], [-1.0, 2.0], "Only the sign differs", "Seul le signe diffère"),
        (
            [1.0, 2.0],
            [0.5, 1.0],
            "A constant factor is missing: automatic = 0.5 × by hand",
            "automatique = 0,5 × à la main",
        ),
        ([1.0], None, "call backward() first", "appeler d'abord backward()"),
    ],
)
def test_compare_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str], mine: Any, auto: Any, english: str, french: str
) -> None:
    assert not compare("dW", mine, auto)
    assert english in capsys.readouterr().out
    assert not compare("dW", mine, auto, lang="fr")
    assert french in capsys.readouterr().out


def test_compare_edges() -> None:
    assert compare("empty", np.zeros((0, 2)), np.zeros((0, 2)))
    assert compare("number", 1.0, 1)
    assert compare("infinite", [np.inf], [np.inf]).exact
    assert not compare("shape before values", [[1.0]], [1.0])
    assert compare("tolerance", 1.0, 1.1, rtol=0.2)
    with pytest.raises(ValueError, match="'en' or 'fr'"):
        compare("x", 1, 1, lang="de")


# -- assert_close ------------------------------------------------------------------------------------------------------


def test_assert_close() -> None:
    assert_close(tensor([1.0, 2.0]), np.array([1.0, 2.0 + 1e-6], np.float32))
    assert_close(tensor([1.0]), np.array([1.0 + 1e-7]), check_dtype=False)
    assert_close(np.array([1, 2]), np.array([1, 2]))
    assert_close([np.nan], [np.nan], equal_nan=True)
    assert_close(np.zeros((0, 2)), np.zeros((0, 2)))
    assert_close(1.0, 1.1, rtol=0.2, atol=0)
    refused: list[tuple[Any, Any, str]] = [
        (np.zeros(2), np.zeros(3), "'shape' do not match"),
        (np.zeros(2), np.zeros((1, 2)), "'shape' do not match"),
        (np.zeros(2), np.zeros(2, np.float32), "'dtype' do not match"),
        (np.array([1, 2**60]), np.array([1, 2**60 + 1]), "1 of 2 entries"),
        (np.array([[1.0, 2.0]]), np.array([[1.0, 2.1]]), r"\[0, 1\]: actual 2.0, expected 2.1"),
        (np.array([True]), np.array([False]), "not close"),
        (np.array([np.nan]), np.array([np.nan]), "not close"),
        (np.array([np.inf]), np.array([1.0]), "not close"),
        (1.0, 1.0 + 1e-6, "the only one"),
    ]
    for actual, expected, message in refused:
        with pytest.raises(AssertionError, match=message):
            assert_close(actual, expected)
    with pytest.raises(AssertionError, match="my own words"):
        assert_close(1.0, 2.0, msg="my own words")
    with pytest.raises(ValueError, match="both be specified"):
        assert_close(1.0, 1.0, rtol=1.0)
