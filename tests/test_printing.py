"""Tensors print exactly as in PyTorch.

The expected texts were recorded from PyTorch 2.13, so most of these tests run without it. Where PyTorch is
installed, random arrays and print options are compared with it as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_fr.printing import format_tensor, set_printoptions

nan, inf = np.nan, np.inf


class Case(NamedTuple):
    array: np.ndarray
    expected: str
    options: dict[str, Any]
    arguments: dict[str, Any]


def case(array: np.ndarray, expected: str, options: dict[str, Any] | None = None, **arguments: Any) -> Case:
    return Case(array, expected, options or {}, arguments)


def f16(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.float16)


def f32(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.float32)


def f64(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)


@pytest.fixture(autouse=True)
def default_printoptions() -> Iterator[None]:
    set_printoptions(profile="default")
    yield
    set_printoptions(profile="default")


RECORDED = [
    case(
        f32(1.5),
        "tensor(1.5000)",
    ),
    case(
        f32([1, 2]),
        "tensor([1., 2.], requires_grad=True)",
        requires_grad=True,
    ),
    case(
        f32(0.5),
        "tensor(0.5000, grad_fn=<MulBackward0>)",
        grad_fn="MulBackward0",
    ),
    case(
        f32([[1, 2], [3, 4]]),
        """\
Parameter containing:
tensor([[1., 2.],
        [3., 4.]], requires_grad=True)""",
        kind="Parameter",
        requires_grad=True,
    ),
    case(
        f64([0.1, -0.25]),
        "tensor([ 0.1000, -0.2500], dtype=torch.float64)",
    ),
    case(
        f64([1, 2]),
        "tensor([1., 2.], dtype=torch.float64, requires_grad=True)",
        requires_grad=True,
    ),
    case(
        f64([1, 2]),
        "tensor([1., 2.])",
        default_dtype=np.dtype("float64"),
    ),
    case(
        f32([1, 2]),
        "tensor([1., 2.], dtype=torch.float32)",
        default_dtype=np.dtype("float64"),
    ),
    case(
        f16([0.1, 65504]),
        "tensor([9.9976e-02, 6.5504e+04], dtype=torch.float16)",
    ),
    case(
        f16([[1], [2]]),
        """\
tensor([[1.],
        [2.]], dtype=torch.float16)""",
    ),
    case(
        np.array(7),
        "tensor(7)",
    ),
    case(
        np.array([1, -20, 300]),
        "tensor([  1, -20, 300])",
    ),
    case(
        np.array([1, 2], dtype="int32"),
        "tensor([1, 2], dtype=torch.int32)",
    ),
    case(
        np.array([0, 255], dtype="uint8"),
        "tensor([  0, 255], dtype=torch.uint8)",
    ),
    case(
        np.array([True, False]),
        "tensor([ True, False])",
    ),
    case(
        np.array(True),
        "tensor(True)",
    ),
    case(
        np.zeros((0,), "float32"),
        "tensor([])",
    ),
    case(
        np.zeros((0, 3), "float32"),
        "tensor([], size=(0, 3))",
    ),
    case(
        np.zeros((2, 0), "float64"),
        "tensor([], size=(2, 0), dtype=torch.float64, requires_grad=True)",
        requires_grad=True,
    ),
    case(
        np.zeros(0, "int64"),
        "tensor([], dtype=torch.int64)",
    ),
    case(
        np.zeros((1, 0), "bool"),
        "tensor([], size=(1, 0), dtype=torch.bool)",
    ),
    case(
        f32([nan, inf, -inf]),
        "tensor([nan, inf, -inf])",
    ),
    case(
        f32([1, nan, -inf]),
        "tensor([1., nan, -inf])",
    ),
    case(
        f32([0.5, nan, -inf]),
        "tensor([0.5000,    nan,   -inf])",
    ),
    case(
        f32([1e-5, nan, inf, 0]),
        "tensor([1.0000e-05,        nan,        inf, 0.0000e+00])",
    ),
    case(
        f32([0.0, -0.0]),
        "tensor([0., -0.])",
    ),
    case(
        f32([-0.0, 1.5]),
        "tensor([-0.0000, 1.5000])",
    ),
    case(
        f32([-0.00001, 0.5]),
        "tensor([-0.0000,  0.5000])",
        options={"sci_mode": False},
    ),
    case(
        f32([1, 1000]),
        "tensor([   1., 1000.])",
    ),
    case(
        f32([1, 1001]),
        "tensor([1.0000e+00, 1.0010e+03])",
    ),
    case(
        f32([1e8]),
        "tensor([100000000.])",
    ),
    case(
        f32([2e8, -3e8]),
        "tensor([ 2.0000e+08, -3.0000e+08])",
    ),
    case(
        f32(1e-4),
        "tensor(1.0000e-04)",
    ),
    case(
        f64([1e-4]),
        "tensor([0.0001], dtype=torch.float64)",
    ),
    case(
        f64([1e300, 5e-324]),
        "tensor([1.0000e+300, 4.9407e-324], dtype=torch.float64)",
    ),
    case(
        f64([1.2345678901]),
        "tensor([1.23456789], dtype=torch.float64)",
        options={"precision": 8},
    ),
    case(
        f32([0.001, 123.456]),
        "tensor([1.0000e-03, 1.2346e+02])",
    ),
    case(
        f32([1, 2]),
        "tensor([1.0000e+00, 2.0000e+00])",
        options={"sci_mode": True},
    ),
    case(
        f32([0.001, 123.456]),
        "tensor([  0.00, 123.46])",
        options={"sci_mode": False, "precision": 2},
    ),
    case(
        np.arange(30),
        """\
tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,
        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])""",
    ),
    case(
        f32(np.arange(24) / 8),
        """\
tensor([0.0000, 0.1250, 0.2500, 0.3750, 0.5000, 0.6250, 0.7500, 0.8750, 1.0000,
        1.1250, 1.2500, 1.3750, 1.5000, 1.6250, 1.7500, 1.8750, 2.0000, 2.1250,
        2.2500, 2.3750, 2.5000, 2.6250, 2.7500, 2.8750], requires_grad=True)""",
        requires_grad=True,
    ),
    case(
        f64(np.arange(12) / 8),
        """\
tensor([0.0000, 0.1250, 0.2500, 0.3750, 0.5000, 0.6250, 0.7500, 0.8750, 1.0000,
        1.1250, 1.2500, 1.3750], dtype=torch.float64, grad_fn=<DivBackward0>)""",
        requires_grad=True,
        grad_fn="DivBackward0",
    ),
    case(
        np.arange(10),
        """\
tensor([0, 1, 2, 3,
        4, 5, 6, 7,
        8, 9])""",
        options={"linewidth": 20},
    ),
    case(
        np.arange(12, dtype="int16"),
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11], dtype=torch.int16)",
    ),
    case(
        f32(np.arange(10)),
        """\
tensor([0.,
        1.,
        2.,
        3.,
        4.,
        5.,
        6.,
        7.,
        8.,
        9.],
       requires_grad=True)""",
        options={"linewidth": 1},
        requires_grad=True,
    ),
    case(
        np.arange(1001),
        "tensor([   0,    1,    2,  ...,  998,  999, 1000])",
    ),
    case(
        f32(np.arange(1000000).reshape(1000, 1000)),
        """\
tensor([[0.0000e+00, 1.0000e+00, 2.0000e+00,  ..., 9.9700e+02, 9.9800e+02,
         9.9900e+02],
        [1.0000e+03, 1.0010e+03, 1.0020e+03,  ..., 1.9970e+03, 1.9980e+03,
         1.9990e+03],
        [2.0000e+03, 2.0010e+03, 2.0020e+03,  ..., 2.9970e+03, 2.9980e+03,
         2.9990e+03],
        ...,
        [9.9700e+05, 9.9700e+05, 9.9700e+05,  ..., 9.9800e+05, 9.9800e+05,
         9.9800e+05],
        [9.9800e+05, 9.9800e+05, 9.9800e+05,  ..., 9.9900e+05, 9.9900e+05,
         9.9900e+05],
        [9.9900e+05, 9.9900e+05, 9.9900e+05,  ..., 1.0000e+06, 1.0000e+06,
         1.0000e+06]])""",
    ),
    case(
        f64(np.arange(1200).reshape(2, 30, 20)) / 7,
        """\
tensor([[[0.0000e+00, 1.4286e-01, 2.8571e-01,  ..., 2.4286e+00,
          2.5714e+00, 2.7143e+00],
         [2.8571e+00, 3.0000e+00, 3.1429e+00,  ..., 5.2857e+00,
          5.4286e+00, 5.5714e+00],
         [5.7143e+00, 5.8571e+00, 6.0000e+00,  ..., 8.1429e+00,
          8.2857e+00, 8.4286e+00],
         ...,
         [7.7143e+01, 7.7286e+01, 7.7429e+01,  ..., 7.9571e+01,
          7.9714e+01, 7.9857e+01],
         [8.0000e+01, 8.0143e+01, 8.0286e+01,  ..., 8.2429e+01,
          8.2571e+01, 8.2714e+01],
         [8.2857e+01, 8.3000e+01, 8.3143e+01,  ..., 8.5286e+01,
          8.5429e+01, 8.5571e+01]],

        [[8.5714e+01, 8.5857e+01, 8.6000e+01,  ..., 8.8143e+01,
          8.8286e+01, 8.8429e+01],
         [8.8571e+01, 8.8714e+01, 8.8857e+01,  ..., 9.1000e+01,
          9.1143e+01, 9.1286e+01],
         [9.1429e+01, 9.1571e+01, 9.1714e+01,  ..., 9.3857e+01,
          9.4000e+01, 9.4143e+01],
         ...,
         [1.6286e+02, 1.6300e+02, 1.6314e+02,  ..., 1.6529e+02,
          1.6543e+02, 1.6557e+02],
         [1.6571e+02, 1.6586e+02, 1.6600e+02,  ..., 1.6814e+02,
          1.6829e+02, 1.6843e+02],
         [1.6857e+02, 1.6871e+02, 1.6886e+02,  ..., 1.7100e+02,
          1.7114e+02, 1.7129e+02]]], dtype=torch.float64)""",
    ),
    case(
        np.arange(10),
        "tensor([0, 1,  ..., 8, 9])",
        options={"profile": "short", "threshold": 5},
    ),
    case(
        f32([0.5, 0.25]),
        "tensor([0.50, 0.25])",
        options={"profile": "short"},
    ),
    case(
        np.arange(1005).reshape(5, 201)[:, ::40],
        """\
tensor([[   0,   40,   80,
          120,  160,  200],
        [ 201,  241,  281,
          321,  361,  401],
        [ 402,  442,  482,
          522,  562,  602],
        [ 603,  643,  683,
          723,  763,  803],
        [ 804,  844,  884,
          924,  964, 1004]])""",
        options={"profile": "full", "linewidth": 30},
    ),
    case(
        np.arange(9).reshape(3, 3),
        """\
tensor([[0,  ..., 2],
        ...,
        [6,  ..., 8]])""",
        options={"threshold": 4, "edgeitems": 1},
    ),
    case(
        np.arange(3),
        "tensor([0, 1, 2], size=(3,))",
        options={"edgeitems": 0},
    ),
    case(
        np.arange(6).reshape(2, 3),
        "tensor([...], size=(2, 3))",
        options={"edgeitems": 0, "threshold": 2},
    ),
    case(
        np.arange(3),
        "tensor([...], size=(3,))",
        options={"edgeitems": 0, "threshold": 2},
    ),
    case(
        np.arange(7),
        "tensor([0, 1, 2, 3, 4, 5, 6])",
        options={"edgeitems": 2, "threshold": 7},
    ),
    case(
        np.arange(8),
        "tensor([0, 1,  ..., 6, 7])",
        options={"edgeitems": 2, "threshold": 7},
    ),
    case(
        np.arange(12).reshape(4, 3),
        """\
tensor([[ 0,  1,  2],
        [ 3,  4,  5],
        [ 6,  7,  8],
        [ 9, 10, 11]])""",
        options={"edgeitems": 2, "threshold": 7},
    ),
    case(
        np.arange(4),
        "tensor([0, 1, 2, 3])",
        options={"edgeitems": 2, "threshold": 3},
    ),
    case(
        f32([1, 2]),
        "tensor([1., 2.], requires_grad=True)",
        options={"linewidth": 37},
        requires_grad=True,
    ),
    case(
        f32([1, 2]),
        """\
tensor([1., 2.],
       requires_grad=True)""",
        options={"linewidth": 36},
        requires_grad=True,
    ),
    case(
        f32([[1, 2], [3, 4]]),
        """\
tensor([[1., 2.],
        [3., 4.]],
       requires_grad=True)""",
        options={"linewidth": 38},
        requires_grad=True,
    ),
    case(
        f32([[1, 2], [3, 4]]),
        """\
tensor([[1., 2.],
        [3., 4.]],
       requires_grad=True)""",
        options={"linewidth": 37},
        requires_grad=True,
    ),
    case(
        f64(np.arange(8)),
        """\
tensor([0., 1., 2., 3., 4., 5., 6., 7.],
       dtype=torch.float64, requires_grad=True)""",
        options={"linewidth": 46},
        requires_grad=True,
    ),
    case(
        f64(np.arange(8)),
        """\
tensor([0., 1., 2., 3., 4., 5., 6., 7.],
       dtype=torch.float64,
       requires_grad=True)""",
        options={"linewidth": 45},
        requires_grad=True,
    ),
    case(
        np.arange(8).reshape(2, 2, 2),
        """\
tensor([[[0, 1],
         [2, 3]],

        [[4, 5],
         [6, 7]]])""",
    ),
    case(
        np.arange(4).reshape(1, 2, 1, 2),
        """\
tensor([[[[0, 1]],

         [[2, 3]]]])""",
    ),
    case(
        np.arange(6).reshape(2, 3).T,
        """\
tensor([[0, 3],
        [1, 4],
        [2, 5]])""",
    ),
    case(
        f32([[1, nan], [-2.5, 3]]),
        """\
tensor([[ 1.0000,     nan],
        [-2.5000,  3.0000]])""",
    ),
    case(
        np.array([1 + 2j, -0.5 - 1j], dtype="complex64"),
        "tensor([ 1.0000+2.j, -0.5000-1.j])",
    ),
    case(
        np.array([complex(nan, -inf), 1e-5j]),
        "tensor([nan-infj, 0.+1.0000e-05j], dtype=torch.complex128)",
    ),
]


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded.expected.replace("\n", " ")[:60])
def test_recorded(recorded: Case) -> None:
    set_printoptions(**recorded.options)
    assert format_tensor(recorded.array, **recorded.arguments) == recorded.expected


def test_options_accumulate_and_profile_resets_them() -> None:
    set_printoptions(precision=1)
    set_printoptions(threshold=2, edgeitems=1)
    assert format_tensor(f32([0.25, 1, 2])) == "tensor([0.2,  ..., 2.0])"
    set_printoptions(profile="default")
    assert format_tensor(f32([0.25, 1, 2])) == "tensor([0.2500, 1.0000, 2.0000])"


def test_sci_mode_becomes_automatic_again() -> None:
    set_printoptions(sci_mode=True)
    assert format_tensor(f32([1])) == "tensor([1.0000e+00])"
    set_printoptions(precision=2)
    assert format_tensor(f32([1])) == "tensor([1.])"


def test_gradient_function_hides_requires_grad() -> None:
    text = format_tensor(f32(2), requires_grad=True, grad_fn="SumBackward0")
    assert text == "tensor(2., grad_fn=<SumBackward0>)"


def test_subclass_name_sets_the_indentation() -> None:
    assert format_tensor(np.eye(2, dtype=np.int64), kind="Mine") == "Mine([[1, 0],\n      [0, 1]])"


def test_numpy_scalar_and_byte_order() -> None:
    assert format_tensor(np.float64(0.5)) == "tensor(0.5000, dtype=torch.float64)"
    assert format_tensor(np.array([1, 2], dtype=">f4")) == "tensor([1., 2.])"


def test_input_is_left_alone() -> None:
    array = np.arange(2000.0)
    array.flags.writeable = False
    format_tensor(array)
    assert array[7] == 7


class Lazy:
    """Stands for an array whose values cannot be read, such as Dask's."""

    shape = (float("nan"), 3)
    dtype = np.dtype("float64")

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def test_array_that_is_not_numpys() -> None:
    assert format_tensor(Lazy("lazy<sum>")) == "tensor(lazy<sum>, dtype=torch.float64)"
    expected = "tensor(lazy<a\n       b>, dtype=torch.float64, requires_grad=True)"
    assert format_tensor(Lazy("lazy<a\nb>"), requires_grad=True) == expected


SPECIAL = [
    nan,
    inf,
    -inf,
    0.0,
    -0.0,
    1.0,
    -3.0,
    0.5,
    1e-4,
    1e-5,
    999.5,
    1000.0,
    1e8,
    2e8,
    65504.0,
    1e30,
    1e-40,
]


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    dtype = np.dtype(draw(st.sampled_from(["float16", "float32", "float64", "int64", "bool"])))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=7))
    elements = hnp.from_dtype(dtype)
    if dtype.kind == "f":
        # Plain draws are nearly always of wild scale: the others give the fixed and integer notations a turn.
        narrow = st.floats(-50, 50, width=16)
        whole = st.integers(-2000, 2000).map(float)
        with np.errstate(over="ignore"):
            special = st.sampled_from([dtype.type(value) for value in SPECIAL])
        elements = draw(st.sampled_from([elements, narrow, whole, special, narrow | special]))
    elif dtype.kind == "i":
        elements = draw(st.sampled_from([elements, st.integers(-20, 20)]))
    return np.asarray(draw(hnp.arrays(dtype, shape, elements=elements)))


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "precision": st.integers(0, 8),
        "threshold": st.integers(0, 60),
        "edgeitems": st.integers(0, 4),
        "linewidth": st.integers(1, 130),
        "profile": st.sampled_from(["default", "short", "full"]),
        "sci_mode": st.sampled_from([None, True, False]),
    },
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    array=arrays(), options=st.just({}) | OPTIONS, grad=st.sampled_from(["none", "leaf", "node", "parameter"])
)
def test_same_text_as_torch(array: np.ndarray, options: dict[str, Any], grad: str) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(array.copy())
    arguments: dict[str, Any] = {}
    if array.dtype.kind == "f" and grad != "none":
        arguments["requires_grad"] = True
        if grad == "parameter":
            tensor = torch.nn.Parameter(tensor)
            arguments["kind"] = "Parameter"
        else:
            tensor.requires_grad_()
        if grad == "node":
            tensor = tensor.view_as(tensor)
            arguments["grad_fn"] = type(tensor.grad_fn).__name__
    try:
        for set_options in (torch.set_printoptions, set_printoptions):
            set_options(profile="default")
            set_options(**options)
        assert format_tensor(array, **arguments) == repr(tensor)
    finally:
        torch.set_printoptions(profile="default")
        set_printoptions(profile="default")
