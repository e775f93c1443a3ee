"""The names that PyTorch programs use are there, and the small ones answer as PyTorch does on a machine without a GPU.

The lists below count for two programs or more of two hundred that were read: lessons, notebooks, tutorials and examples.
"""

from __future__ import annotations

import functools
import importlib
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as tg
from tinygrad_fr import machine

FUNCTIONS = """
FloatTensor Generator LongTensor Tensor __version__ abs add arange argmax cat device dot double empty exp float float16
float32 from_numpy full inference_mode int inverse linspace load log long manual_seed matmul max mean meshgrid mm mul
multinomial multiply mv no_grad normal ones ones_like pow rand rand_like randint randn randn_like randperm relu roll
save set_grad_enabled set_printoptions sigmoid sin softmax split sqrt stack sub sum tanh tensor topk tril unsqueeze
where zeros zeros_like accelerator.current_accelerator accelerator.is_available autograd.Function autograd.Variable
autograd.grad cuda.device_count cuda.is_available cuda.manual_seed_all cuda.synchronize nn.BCELoss nn.CrossEntropyLoss
nn.Dropout nn.Embedding nn.Flatten nn.L1Loss nn.LayerNorm nn.LazyLinear nn.LeakyReLU nn.Linear nn.MSELoss nn.Module
nn.ModuleDict nn.ModuleList nn.Parameter nn.ReLU nn.Sequential nn.Sigmoid nn.Softmax nn.Tanh optim.Adam optim.AdamW
optim.RMSprop optim.SGD backends.cudnn.deterministic backends.mps.is_available nn.functional.binary_cross_entropy
nn.functional.cross_entropy nn.functional.leaky_relu nn.functional.log_softmax nn.functional.mse_loss
nn.functional.one_hot nn.functional.relu nn.functional.sigmoid nn.functional.softmax nn.functional.tanh
nn.init.constant_ nn.init.normal_ nn.init.xavier_uniform_ utils.data.DataLoader utils.data.Dataset
utils.data.RandomSampler utils.data.TensorDataset
""".split()

METHODS = """
T abs add add_ argmax backward clamp clone cpu cumsum data detach device double dtype eq exp fill_ flatten float grad
grad_fn int is_leaf item log log10 long matmul max mean min mm mul ndim norm normal_ numel numpy pow relu requires_grad
requires_grad_ reshape retain_grad scatter_ shape size sqrt squeeze std sum t to tolist type unsqueeze var view zero_
__add__ __mul__ __getitem__ __truediv__ __sub__ __iadd__ __pow__ __isub__ __setitem__ __matmul__ __itruediv__ __imul__
__mod__
""".split()

MEMBERS = {
    "nn.Module": "parameters zero_grad train eval state_dict load_state_dict apply named_parameters add_module register_buffer",
    "optim.Optimizer": "step zero_grad",
}


def found(path: str) -> Any:
    return functools.reduce(getattr, path.split("."), tg)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_name_of_the_package_is_there(name: str) -> None:
    found(name)


@pytest.mark.parametrize("name", METHODS)
def test_a_tensor_has_a_name(name: str) -> None:
    assert hasattr(tg.tensor([[1.0]], requires_grad=True), name)


@pytest.mark.parametrize("owner", MEMBERS)
def test_a_class_has_its_members(owner: str) -> None:
    assert not [name for name in MEMBERS[owner].split() if not hasattr(found(owner), name)]


# -- no GPU ------------------------------------------------------------------------------------------------------------

# Each line is an expression and what it gives; PyTorch is asked for the same where it is installed and has no GPU.
ANSWERS = {
    "torch.cuda.is_available()": False,
    "torch.cuda.device_count()": 0,
    "torch.cuda.empty_cache()": None,
    "torch.cuda.memory_allocated()": 0,
    "torch.cuda.max_memory_allocated()": 0,
    "torch.cuda.manual_seed(1)": None,
    "torch.cuda.manual_seed_all(1)": None,
    "torch.cuda.synchronize()": AssertionError,
    "torch.cuda.current_device()": AssertionError,
    "torch.cuda.get_device_name(0)": AssertionError,
    "torch.backends.cudnn.deterministic": False,
    "torch.backends.cudnn.benchmark": False,
    "torch.backends.cudnn.enabled": True,
    "torch.backends.cudnn.is_available()": False,
    "torch.backends.cudnn.version()": None,
    "torch.backends.mps.is_available()": False,
    "torch.backends.mps.is_built()": False,
    "torch.accelerator.is_available()": False,
    "torch.accelerator.device_count()": 0,
    "torch.accelerator.current_accelerator()": None,
    "torch.get_default_device().type": "cpu",
    "torch.set_default_device(None)": None,
    "torch.use_deterministic_algorithms(False)": None,
    "torch.set_num_threads(0)": RuntimeError,
    "torch.set_num_threads('two')": RuntimeError,
    "torch.set_default_tensor_type('torch.cuda.FloatTensor')": TypeError,
    "torch.set_default_tensor_type(torch.IntTensor)": TypeError,
    "torch.ones(2, 3).is_cuda": False,
    "torch.ones(2, 3).nbytes": 24,
    "torch.ones(2, 3)[:, 1:].nbytes": 16,
    "torch.ones(2, 3).itemsize": 4,
    "torch.ones(2, 3).element_size()": 4,
    "torch.tensor([[1, 2], [3, 4]]).H.tolist()": [[1, 3], [2, 4]],
    "torch.ones(2, 3, 4).mH.shape": (2, 4, 3),
    "torch.ones(2).H": RuntimeError,
    "torch.ones(2, requires_grad=True).retains_grad": False,
    "(torch.ones(2, requires_grad=True) * 2).retains_grad": False,
    "torch.arange(6).view(2, 3)[1:].untyped_storage().nbytes()": 48,
    "torch.arange(6).untyped_storage()[8]": 1,
    "len(torch.ones(2, 3).T.untyped_storage())": 24,
    "torch.arange(6).view(2, 3).T[1].storage().tolist()": [0, 1, 2, 3, 4, 5],
    "torch.ones(2, 3).storage().size()": 6,
    "torch.tensor([1.0, 2.0]).storage()[1]": 2.0,
    "str(torch.tensor([1.5]).storage())": " 1.5\n[torch.storage.TypedStorage(dtype=torch.float32, device=cpu) of size 1]",
    "str(torch.tensor(7, dtype=torch.int16).untyped_storage())": " 7\n 0\n[torch.storage.UntypedStorage(device=cpu) of size 2]",
}


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
@pytest.mark.parametrize("text", ANSWERS)
def test_what_is_asked_of_the_machine_is_answered_as_by_pytorch(text: str) -> None:
    def answer(module: Any) -> Any:
        try:
            return eval(text, {"torch": module})
        except Exception as error:
            return type(error)

    assert answer(tg) == ANSWERS[text]
    torch = pytest.importorskip("torch")
    if torch.accelerator.is_available():
        pytest.skip("PyTorch has an accelerator here")
    assert answer(torch) == ANSWERS[text]


def test_errors_say_what_to_write() -> None:
    with pytest.raises(AssertionError, match=r"Torch not compiled with CUDA enabled: .*if torch\.cuda\.is_available\(\)"):
        tg.cuda.synchronize()
    with pytest.raises(RuntimeError, match=r"has no device 'cuda'.*CuPy"):
        tg.set_default_device("cuda")
    with pytest.raises(RuntimeError, match=r"only supported on matrices \(2-D tensors\). Got 3-D tensor: write `\.mT`"):
        _ = tg.ones(1, 1, 1).H
    with pytest.raises(TypeError, match=r"set_default_dtype\(torch\.float64\)"):
        tg.set_default_tensor_type("torch.QuantumTensor")


def test_the_switches_of_cudnn_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a module and as an attribute; neither changes anything."""
    cudnn = importlib.import_module("tinygrad_fr.backends.cudnn")
    assert cudnn is tg.backends.cudnn
    monkeypatch.setattr(tg.backends.cudnn, "deterministic", True)
    monkeypatch.setattr(tg.backends.cudnn, "benchmark", True)
    assert cudnn.deterministic and cudnn.benchmark and not cudnn.is_available()


def test_the_number_of_threads_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in machine._THREADS:
        monkeypatch.delenv(name, raising=False)
    many = tg.get_num_threads()
    assert many >= 1
    with pytest.warns(UserWarning, match=rf"set_num_threads\({many + 1}\) changes nothing.*OMP_NUM_THREADS={many + 1} python"):
        tg.set_num_threads(many + 1)
    assert tg.get_num_threads() == many
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert tg.get_num_threads() == 3
    tg.set_num_threads(3)  # it is so: not a word
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "0")
    monkeypatch.setenv("MKL_NUM_THREADS", "many")
    assert tg.get_num_threads() == 3, "what is no number does not count"


def test_the_default_tensor_type_is_the_default_dtype() -> None:
    try:
        for kind in (tg.DoubleTensor, "torch.DoubleTensor"):
            tg.set_default_tensor_type(kind)
            assert tg.tensor([1.0]).dtype == tg.float64
            tg.set_default_tensor_type(tg.FloatTensor)
            assert tg.tensor([1.0]).dtype == tg.float32
    finally:
        tg.set_default_dtype(tg.float32)


def test_retains_grad_tells_of_retain_grad() -> None:
    x = tg.ones(2, requires_grad=True)
    y = x * 2
    y.retain_grad()
    x.retain_grad()
    assert y.retains_grad and not x.retains_grad and not tg.ones(2).retains_grad


def test_a_tensor_and_its_views_have_one_storage() -> None:
    x = tg.arange(6).reshape(2, 3)
    whole = x.untyped_storage()
    for view in (x[1], x.T, x[:, 1:], x.detach(), x.view(6)[4:]):
        assert view.untyped_storage().data_ptr() == whole.data_ptr() == x.data_ptr()
        assert view.data_ptr() == whole.data_ptr() + view.storage_offset() * view.itemsize
    columns = tg.from_numpy(np.asfortranarray(np.arange(6).reshape(2, 3)))  # in memory the other way round
    assert columns[0].storage().tolist() == [0, 3, 1, 4, 2, 5]
    assert columns.storage().data_ptr() == columns.untyped_storage().data_ptr() == columns.data_ptr()
    assert x.clone().untyped_storage().data_ptr() != whole.data_ptr()


# -- range, histogram, cross, inverse ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((0, 1, 0.3), [0.0, 0.3, 0.6, 0.9]),
        ((1, 4), [1.0, 2.0, 3.0, 4.0]),
        ((2, 1, -0.5), [2.0, 1.5, 1.0]),
        ((1, 1), [1.0]),
        ((0, 0.3, 0.1), [0.0, 0.1, 0.2]),  # 0.3 / 0.1 is a little less than 3, for PyTorch too
    ],
)
def test_range_includes_its_end_and_warns(bounds: tuple[float, ...], expected: list[float]) -> None:
    with pytest.warns(UserWarning, match=r"torch.range is deprecated.*`arange\(start, end \+ 1\)`"):
        got = tg.range(*bounds)
    assert got.dtype == tg.float32
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-6)
    torch = pytest.importorskip("torch")
    with pytest.warns(UserWarning):
        theirs = torch.range(*bounds)
    np.testing.assert_array_equal(got.numpy(), theirs.numpy())


@pytest.mark.parametrize(
    ("bounds", "error"), [((0, 1, 0), RuntimeError), ((1, 0), RuntimeError), ((0, 1, -1), RuntimeError), ((4,), TypeError)]
)
@pytest.mark.filterwarnings("ignore:torch.range is deprecated")
def test_range_refuses_what_pytorch_refuses(bounds: tuple[float, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        tg.range(*bounds)


def test_histogram_of_a_batch_of_activations() -> None:
    """As a lesson draws the distribution of a layer: `hy, hx = torch.histogram(t, density=True)`."""
    t = tg.tanh(tg.linspace(-3, 3, 1000).reshape(10, 100))
    hist, edges = tg.histogram(t, density=True)
    assert hist.shape == (100,) and edges.shape == (101,) and hist.dtype == edges.dtype == tg.float32
    assert (hist * (edges[1:] - edges[:-1])).sum().item() == pytest.approx(1, rel=1e-5)
    assert edges[0].item() == t.min().item() and edges[-1].item() == t.max().item()


HISTOGRAMS: list[tuple[Callable[..., Any], list[list[float]]]] = [
    (lambda m: m.histogram(m.tensor([1.0, 2, 3]), bins=3), [[1, 1, 1], [1, 5 / 3, 7 / 3, 3]]),
    (lambda m: m.histogram(m.tensor([1.0, 1]), 3), [[0, 2, 0], [0.5, 5 / 6, 7 / 6, 1.5]]),
    (lambda m: m.histogram(m.tensor([]), 2), [[0, 0], [0, 0.5, 1]]),
    (lambda m: m.histogram(m.tensor([[1.0, 2], [3, 4]]), 3), [[1, 1, 2], [1, 2, 3, 4]]),
    (lambda m: m.histogram(m.tensor([1.0, 2, 7]), bins=m.tensor([1.0, 2, 3])), [[1, 1], [1, 2, 3]]),
    (
        lambda m: m.histogram(m.tensor([1.0, 2, 7]), bins=2, range=(1.0, 2.0), density=True, weight=m.tensor([1.0, 2, 3])),
        [[2 / 3, 4 / 3], [1, 1.5, 2]],
    ),
    (lambda m: [m.tensor([1.0, 2, 1]).histc(bins=4, min=0, max=3)], [[0, 2, 1, 0]]),
    (lambda m: [m.histc(m.tensor([1.0, 2, 1]), 4)], [[2, 0, 0, 1]]),
    (lambda m: [m.histc(m.tensor([1.0, 1]), 4)], [[0, 0, 2, 0]]),
    (lambda m: [m.histc(m.tensor([1.0, 2, 3]), 2, 3, 3)], [[1, 2]]),
    (lambda m: [m.histc(m.tensor([]), 2)], [[0, 0]]),
    (lambda m: [m.histc(m.tensor([-0.3, -0.3]), 5)], [[0, 0, 2, 0, 0]]),
]


@pytest.mark.parametrize("number", range(len(HISTOGRAMS)))
def test_histograms_are_pytorchs(number: int) -> None:
    call, expected = HISTOGRAMS[number]

    def check(module: Any) -> None:
        for got, values in zip(call(module), expected, strict=True):
            np.testing.assert_allclose(got.tolist(), values, rtol=1e-6)

    check(tg)
    check(pytest.importorskip("torch"))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m: m.histogram(m.tensor([1, 2])), NotImplementedError, r"\.float\(\)"),
        (lambda m: m.histc(m.tensor([1, 2])), NotImplementedError, "bincount"),
        (lambda m: m.histogram(m.tensor([1.0]).half()), NotImplementedError, "float16"),
        (lambda m: m.histogram(m.tensor([1.0, 2]), 0), RuntimeError, "bins"),
        (lambda m: m.histogram(m.tensor([1.0, 2]), 2, range=(2.0, 1.0)), RuntimeError, "range"),
        (lambda m: m.histogram(m.tensor([1.0, math.nan]), 2), RuntimeError, "finite"),
        (lambda m: m.histogram(m.tensor([1.0, 2]), 2, weight=m.tensor([1.0])), RuntimeError, "weight"),
        (lambda m: m.cross(m.ones(2, 2), m.ones(2, 2)), RuntimeError, "no dimension of size 3 in input"),
        (lambda m: m.cross(m.ones(2, 3), m.ones(3)), RuntimeError, "must have the same number of dimensions"),
        (lambda m: m.cross(m.ones(2, 3), m.ones(2, 3), dim=0), RuntimeError, "dimension 0 must have length 3. Got 2 and 2"),
        (lambda m: m.linalg.cross(m.ones(3, 2), m.ones(3, 2)), RuntimeError, "must have length 3"),
        (lambda m: m.inverse(m.zeros(2, 2)), RuntimeError, "[Ss]ingular"),
        (lambda m: m.inverse(m.ones(2, 3)), RuntimeError, "square"),
        (lambda m: m.inverse(m.ones(3)), RuntimeError, "two-dimensional"),
    ],
)
def test_what_pytorch_refuses_is_refused(call: Callable[..., Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call(tg)
    with pytest.raises(error):
        call(pytest.importorskip("torch"))


def test_the_cross_product_by_hand() -> None:
    """Of the axes, e₁ × e₂ = e₃ and so on around; it is perpendicular to both, and its gradient is a cross product too."""
    e = tg.eye(3)
    assert tg.cross(e, e[[1, 2, 0]], dim=1).tolist() == e[[2, 0, 1]].tolist()
    u, v = tg.tensor([1.0, 2.0, 3.0], requires_grad=True), tg.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    w = u.cross(v)
    assert w.tolist() == [2.5, -5.0, 2.5] and (w @ u).item() == (w @ v).item() == 0
    g = tg.tensor([1.0, 0.0, -2.0])
    w.backward(g)
    assert u.grad.tolist() == v.detach().cross(g).tolist()  # d(g · u × v)/du = v × g
    assert v.grad.tolist() == g.cross(u.detach()).tolist()


@given(st.sampled_from([((3,), (3,), None), ((2, 3), (2, 3), 1), ((3, 4), (3, 4), None), ((2, 3), (1, 3), -1)]), st.data())
def test_the_cross_product_is_pytorchs(case: tuple[Any, Any, Any], data: st.DataObject) -> None:
    torch = pytest.importorskip("torch")
    first, second, dim = case
    numbers = st.lists(st.floats(-10, 10, width=32), min_size=12, max_size=12)
    a, b = (np.array(data.draw(numbers), np.float32)[: math.prod(shape)].reshape(shape) for shape in (first, second))
    ours = tg.cross(tg.tensor(a), tg.tensor(b), dim)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = torch.cross(torch.tensor(a), torch.tensor(b), dim=dim)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-4)


def test_the_inverse_by_hand_and_as_least_squares() -> None:
    """The normal equations of a lesson, w = (Xᵗ X)⁻¹ Xᵗ y, and the gradient −A⁻ᵗ G A⁻ᵗ."""
    X = tg.tensor([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]], dtype=tg.float64)
    y = tg.tensor([3.0, 5.0, 7.0], dtype=tg.float64)
    np.testing.assert_allclose((tg.inverse(X.T @ X) @ X.T @ y).tolist(), [1.0, 2.0], rtol=1e-9)
    A = tg.tensor([[2.0, 1.0], [0.0, 4.0]], requires_grad=True)
    B = A.inverse()
    assert B.tolist() == [[0.5, -0.125], [0.0, 0.25]]
    B.sum().backward()
    inverse = B.detach().numpy()
    np.testing.assert_allclose(A.grad.numpy(), -inverse.T @ np.ones((2, 2)) @ inverse.T)
    assert tg.linalg.inv is tg.inverse


def test_the_inverse_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    array = np.random.default_rng(0).normal(size=(5, 4, 4)) + 4 * np.eye(4)
    ours, theirs = tg.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    for x, m in ((ours, tg), (theirs, torch)):
        (m.inverse(x) ** 2).sum().backward()
    np.testing.assert_allclose(tg.inverse(ours).detach().numpy(), torch.inverse(theirs).detach().numpy(), rtol=1e-9)
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-9, atol=1e-12)
