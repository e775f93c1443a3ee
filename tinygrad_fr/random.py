"""Random numbers that are PyTorch's own: after `manual_seed(0)`, the same program draws the same values.

The source is the Mersenne Twister MT19937, as in PyTorch's CPU generator; NumPy has it too. What is written here is how PyTorch
makes numbers of its 32-bit words: how many words a number takes, which bits, by which formula, and in which order a tensor is
filled (that of its memory). Integers, uniform and Bernoulli numbers, and whatever is float32 or float16, agree bit for bit
with PyTorch on x86 processors (on others its own last bits are different); what needs a logarithm or a sine in float64 agrees
to the last places, where NumPy's functions differ from the C library's.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_fr.creation import _lengths, empty, empty_like
from tinygrad_fr.node import Array, mode
from tinygrad_fr.operations.inplace import _writable, copy_
from tinygrad_fr.tensor import Tensor, own_array, wrap
from tinygrad_fr.values import CPU, check_device
from tinygrad_fr.values import device as device_

# -- the generator -----------------------------------------------------------------------------------------------------

_STATE = np.dtype(
    [("seed", "<u8"), ("left", "<i4"), ("seeded", "<i4"), ("next", "<u8"), ("words", "<u8", 624), ("normal_x", "<f8"),
     ("normal", "<f8"), ("normal_rho", "<f8"), ("has_normal", "<i8"), ("float_normal", "<f4"), ("has_float_normal", "<i4")]
)  # fmt: skip
"""The 5056 bytes of `get_state()`, laid out as PyTorch's: the 624 words of the twister, and where one is among them."""


class Generator:
    """A source of random numbers with a state of its own, so that drawing from one leaves the others alone.

    A new one is seeded with 67280421310721, as in PyTorch. Threads may share it: a draw is one step.

    Raises:
        RuntimeError: for a device other than the CPU.

    >>> import tinygrad_fr as torch
    >>> g = torch.Generator().manual_seed(0)
    >>> torch.rand(2, generator=g)
    tensor([0.4963, 0.7682])
    """

    __slots__ = ("__weakref__", "_lock", "_normal", "_seed", "_twister")

    _seed: int
    _twister: Any  # a numpy.random.RandomState; made at the first draw, since importing numpy.random takes time
    _normal: float | None  # the second of a pair of normal numbers, kept for the next call

    def __init__(self, device: Any = "cpu") -> None:
        check_device(device)
        self._lock = threading.RLock()
        self.manual_seed(67280421310721)

    @property
    def device(self) -> device_:
        """Where it draws: the CPU."""
        return CPU

    def manual_seed(self, seed: int) -> Generator:
        """Begin the stream that belongs to a seed; the generator is returned. The twister sees the lowest 32 bits.

        Raises:
            RuntimeError: for what is not an integer.
            ValueError: for an integer outside [−2⁶³, 2⁶⁴); a negative one counts from 2⁶⁴ downwards.
        """
        if isinstance(seed, bool) or not hasattr(seed, "__index__"):
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}: a seed is an integer.")
        seed = seed.__index__()
        if not -(1 << 63) <= seed < 1 << 64:
            raise ValueError(f"Overflow when unpacking long long: a seed lies in [-2**63, 2**64), and this is {seed}.")
        with self._lock:
            self._seed, self._twister, self._normal = seed % (1 << 64), None, None
        return self

    def seed(self) -> int:
        """Take a seed from the system, different each time, and return it."""
        return self.manual_seed(int.from_bytes(os.urandom(8), "little")).initial_seed()

    def initial_seed(self) -> int:
        """The seed that began the stream."""
        return self._seed

    def get_state(self) -> Tensor:
        """The state as 5056 bytes, with which `set_state` resumes the stream here; PyTorch's own, which resume it there."""
        state = np.zeros((), _STATE)
        with self._lock:
            _, words, place, *_ = self._engine().get_state()
            state["seed"], state["seeded"], state["words"], state["left"] = self._seed, 1, words, 625 - place
            unused = place == 624 and words[0] == self._seed & 0xFFFFFFFF  # nothing drawn since the seed was set
            state["next"] = 0 if unused else place
            if self._normal is not None:
                state["normal"], state["has_normal"] = self._normal, 1
        return wrap(np.frombuffer(state.tobytes(), np.uint8).copy())

    def set_state(self, new_state: Tensor) -> Generator:
        """Resume a stream where `get_state` saw it; the generator is returned.

        Raises:
            TypeError: for what is not a tensor of dtype uint8.
            RuntimeError: for bytes that are no state.
        """
        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}: pass what `get_state()` gave.")
        if new_state.dtype != np.uint8:
            raise TypeError(f"RNG state must be a torch.ByteTensor, of dtype uint8, and this is {new_state.dtype}.")
        if new_state.numel() != _STATE.itemsize:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {_STATE.itemsize} but found the input RNG state size to be "
                f"{new_state.numel()}: pass what `get_state()` gave."
            )
        state = np.ascontiguousarray(new_state._array).reshape(-1).view(_STATE)[0]
        left, place = int(state["left"]), int(state["next"])
        if state["seeded"] != 1 or not 0 < left <= 624 or (left + place != 625 and (left, place) != (1, 0)):
            raise RuntimeError("Invalid mt19937 state: these bytes are not what `get_state()` gave.")
        twister = np.random.RandomState(0)
        twister.set_state(("MT19937", state["words"].astype(np.uint32), 625 - left, 0, 0.0))
        with self._lock:
            self._seed, self._twister = int(state["seed"]), twister
            self._normal = float(state["normal"]) if state["has_normal"] else None
        return self

    def clone_state(self) -> Generator:
        """Another generator that will draw the same numbers."""
        return Generator().set_state(self.get_state())

    def __reduce__(self) -> Any:
        return _restored, (self.get_state(),)

    def _engine(self) -> Any:
        if self._twister is None:
            self._twister = np.random.RandomState(self._seed & 0xFFFFFFFF)
        return self._twister

    def _words(self, count: int, bits: int = 32) -> Array:
        """The next words of the stream, as uint32; or as uint64, each of two 32-bit words, the high one first."""
        with self._lock:
            return self._engine().randint(0, 1 << bits, count, dtype=f"uint{bits}")

    def _unit(self, count: int, dtype: Any = np.float64) -> Array:
        """Numbers u in [0, 1): the low 24 bits of a word · 2⁻²⁴ in float32, the low 53 bits of two words · 2⁻⁵³ in float64."""
        if dtype == np.float64:
            return (self._words(count, 64) & ((1 << 53) - 1)) * 2.0**-53
        return (self._words(count) & ((1 << 24) - 1)).astype(np.float32) * np.float32(2**-24)

    def _normals(self, count: int) -> Array:
        """Standard normal numbers in float64, made in pairs: √(−2 log(1−u₂)) times cos 2πu₁, then sin 2πu₁ (Box-Muller)."""
        with self._lock:
            kept = [] if self._normal is None else [self._normal]
            u = self._unit((count - len(kept) + 1) // 2 * 2).reshape(-1, 2)
            radius, angle = np.sqrt(-2.0 * np.log1p(-u[:, 1])), 2.0 * np.pi * u[:, 0]
            drawn = np.concatenate([kept, np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)])
            if count:
                self._normal = float(drawn[count]) if len(drawn) > count else None
            return drawn[:count]


def _restored(state: Tensor) -> Generator:
    return Generator().set_state(state)


default_generator = Generator()
"""Where numbers come from when no `generator=` is given; seeded by the system when the program starts."""

default_generator.seed()


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, so that a program draws the same numbers each time, and PyTorch's; it is returned.

    Raises:
        ValueError: for a seed outside [−2⁶³, 2⁶⁴).

    >>> import tinygrad_fr as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randn(3)
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Seed the default generator with a number from the system, which is returned."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that began the default generator's stream.

    >>> _ = manual_seed(7)
    >>> initial_seed()
    7
    """
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The default generator's state, 5056 bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Resume the default generator's stream where `get_rng_state` saw it.

    >>> import tinygrad_fr as torch
    >>> state = get_rng_state()
    >>> first = torch.rand(3)
    >>> set_rng_state(state)
    >>> torch.equal(torch.rand(3), first)
    True
    """
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True) -> Iterator[None]:
    """A context after which the default generator goes on as if nothing had been drawn inside; `enabled=False` does nothing.

    >>> import tinygrad_fr as torch
    >>> _ = torch.manual_seed(0)
    >>> with fork_rng():
    ...     _ = torch.rand(100)
    >>> torch.rand(2)
    tensor([0.4963, 0.7682])
    """
    state = get_rng_state() if enabled else None
    try:
        yield
    finally:
        if state is not None:
            set_rng_state(state)


def _chosen(generator: Generator | None) -> Generator:
    if generator is None:
        return default_generator
    if not isinstance(generator, Generator):
        raise TypeError(f"generator= must be a Generator, not {type(generator).__name__}: write `Generator().manual_seed(0)`.")
    return generator


# -- arithmetic as PyTorch's kernels do it -----------------------------------------------------------------------------


def _fma(a: Array, b: Any, c: Any) -> Array:
    """a · b + c with a single rounding, as the processor's fused instruction has it; b and c of a's dtype."""
    if a.dtype == np.float32:
        return (np.multiply(a, b, dtype=np.float64) + c).astype(np.float32)  # the product of two float32 is exact in float64
    if not abs(b) < 1e290:
        return a * b + c  # the halves below would overflow
    product = a * b  # rounded; what it lost is computed from the halves of a and b (Dekker)
    a1, b1 = a * 134217729.0, b * 134217729.0
    a1, b1 = a1 - (a1 - a), b1 - (b1 - b)
    a2, b2 = a - a1, b - b1
    lost = a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2)
    total = product + c  # rounded; what it lost follows from differences (Knuth)
    part = total - product
    return total + ((product - (total - part)) + (c - part) + lost)


def _polynomial(x: Array, coefficients: Array) -> Array:
    """Horner's rule with fused steps."""
    y = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        y = _fma(y, x, c)
    return y


# For float32 PyTorch does not ask the C library for log, sin and cos: it runs the polynomials of Cephes (S. L. Moshier) on
# eight numbers at once. NumPy's functions differ from them by up to 3 units in the last place: so they are written out here.
_LOG, _SIN, _COS, _LOG_2, _QUARTER_PI = (
    np.array(coefficients, np.float32)
    for coefficients in (
        (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
         2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
        (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1),
        (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2),
        (-2.12194440e-4, 0.693359375),  # log 2, in two pieces
        (-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8),  # −π/4, in three
    )
)  # fmt: skip
_HALF = np.float32(0.5)


def _log(x: Array) -> Array:
    """log x of float32: x = 2ᵉ (1 + r) with r near 0, and log x = e log 2 + r − r²/2 + r³ P(r)."""
    m, e = np.frexp(x)
    low = m < np.float32(math.sqrt(0.5))
    r, e = np.where(low, m - 1 + m, m - 1), (e - low).astype(np.float32)
    square = r * r
    y = _fma(_polynomial(r, _LOG) * r, square, e * _LOG_2[0])
    return _fma(e, _LOG_2[1], r + _fma(-square, _HALF, y))


def _cos_sin(angle: Array) -> tuple[Array, Array]:
    """cos and sin of float32 angles ≥ 0: turned back by jπ/4 with j even, into [−π/4, π/4], where two polynomials serve."""
    j = ((angle * np.float32(4 / math.pi)).astype(np.int32) + 1) & ~1
    x = angle
    for piece in _QUARTER_PI:
        x = _fma(j.astype(np.float32), piece, x)
    square = x * x
    cos = _fma(_polynomial(square, _COS) * square, square, square * -_HALF) + 1
    sin = _fma(_polynomial(square, _SIN) * square, x, x)
    turned = (j & 2) != 0
    cos, sin = np.where(turned, sin, cos), np.where(turned, cos, sin)
    return np.where((j + 2) & 4, -cos, cos), np.where(j & 4, -sin, sin)


def _box_muller(u: Array) -> Array:
    """Standard normal numbers from uniform ones, in blocks of 16: eight give radii, √(−2 log(1−u)), the next eight angles."""
    first, second = np.moveaxis(u.reshape(-1, 2, 8), 1, 0)
    if u.dtype == np.float32:
        radius, (cos, sin) = np.sqrt(-2 * _log(1 - first)), _cos_sin(np.float32(2 * math.pi) * second)
    else:
        radius, angle = np.sqrt(-2 * np.log(1 - first)), 2 * math.pi * second
        cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([radius * cos, radius * sin], 1).reshape(-1)


# -- filling a tensor --------------------------------------------------------------------------------------------------

Draw = Callable[[Array, Generator], Array]
"""Draws the values that an array is to hold: (the array, where from) → values of its shape."""


def _laid_out(flat: Array, array: Array) -> Array:
    """Values that were drawn one after the other, put where the array's memory has them: the longest stride is outermost."""
    axes = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    back = [axes.index(axis) for axis in range(array.ndim)]
    return flat.reshape([array.shape[axis] for axis in axes]).transpose(back)


observer: Any = None
"""Set while a step is compiled: it notes the draws, so that the program repeats them at each call."""


def _fill(x: Tensor, name: str, draw: Draw, generator: Generator | None) -> Tensor:
    """Fill a tensor with what `draw` gives; what could be wrong is found before anything is drawn."""
    if mode.state:
        _writable(x, name)
    array, source = own_array(x), _chosen(generator)
    if observer is not None and observer.drawn(x, draw, source):
        return x
    if not array.flags.writeable:
        raise RuntimeError(
            f"unsupported operation: more than one element of the written-to tensor refers to a single memory location, or the "
            f"memory is read-only. Call `.clone()` before `{name}`."
        )
    return copy_(x, wrap(draw(array, source)))


def _wide(dtype: Any) -> Any:
    """The dtype that PyTorch computes in: float32 for float16 and float32, float64 for float64."""
    return np.promote_types(dtype, np.float32)


def _narrowed(values: Array, dtype: Any) -> Array:
    """float64 values in a dtype; to float16 by way of float32, as in PyTorch."""
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(_wide(dtype)).astype(dtype) if dtype.kind == "f" else values.astype(dtype)


def _floating(x: Tensor, kernel: str) -> None:
    if x.dtype.kind != "f":
        raise NotImplementedError(
            f'"{kernel}" not implemented for {x.dtype.name!r}: this distribution is continuous. Give the tensor a floating '
            "dtype, such as `dtype=float32`."
        )


def uniform_(self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers that are uniform between `from_` and `to`: x = u · (to − from) + from with u in [0, 1).

    Raises:
        RuntimeError: when from is above to, or one of them or their distance is no finite number of the dtype.
        NotImplementedError: for an integer or boolean dtype.

    >>> import tinygrad_fr as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.zeros(3).uniform_(-1, 1)
    tensor([-0.0075,  0.5364, -0.8230])
    """
    _floating(self, "check_uniform_bounds")
    low, high, most = float(from_), float(to), float(np.finfo(self.dtype).max)
    for word, bound in (("from", low), ("to", high)):
        if not -most <= bound <= most:
            raise RuntimeError(f"{word} is out of bounds for {self.dtype}: {bound}")
    if low > high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}")
    if high - low > most:
        raise RuntimeError(f"uniform_ expects to-from to be finite in {self.dtype}, but found from={low} and to={high}")

    def draw(array: Array, source: Generator) -> Array:
        wide = _wide(array.dtype).type
        values = _fma(source._unit(array.size, wide), wide(high) - wide(low), wide(low)).astype(array.dtype)
        values[values == array.dtype.type(high)] = low  # a number that was rounded up to the bound
        return _laid_out(values, array)

    return _fill(self, "uniform_", draw, generator)


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers, x = z · std + mean, by the Box-Muller method: z = √(−2 log(1−u)) cos 2πv, or sin.

    A contiguous tensor of 16 elements or more is made in blocks of 16 in its own dtype; another in pairs, in float64.

    Raises:
        RuntimeError: for a negative std.
        NotImplementedError: for an integer or boolean dtype.

    >>> import tinygrad_fr as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.zeros(3).normal_(10, 2)
    tensor([13.0820,  9.4131,  5.6424])
    """
    mean, std = float(mean), float(std)
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    _floating(self, "normal_kernel_cpu")

    def draw(array: Array, source: Generator) -> Array:
        count, wide = array.size, _wide(array.dtype).type
        if count < 16 or not array.flags.c_contiguous:
            return _laid_out(_narrowed(_fma(source._normals(count), np.float64(std), np.float64(mean)), array.dtype), array)
        whole = count - count % 16
        first = whole if array.dtype == np.float16 else count  # words for the end of the array are drawn, then not used
        u = source._unit(first + 16 * (whole < count), wide)
        z = np.empty(count, wide)
        z[:whole] = _box_muller(u[:whole])
        if whole < count:
            z[-16:] = _box_muller(u[-16:])  # the last 16 are made anew
        return _narrowed(_fma(z, wide(std), wide(mean)), array.dtype).reshape(array.shape)

    return _fill(self, "normal_", draw, generator)


def bernoulli_(self: Tensor, p: float | Tensor = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with ones of probability p and zeros: x = 1 where u < p. A tensor p is broadcast, one probability for each element.

    Raises:
        RuntimeError: for a probability outside [0, 1], or a tensor p that does not broadcast to this tensor's shape.
        NotImplementedError: for a tensor p of an integer or boolean dtype.

    >>> import tinygrad_fr as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.zeros(5).bernoulli_(0.5)
    tensor([0., 0., 1., 0., 0.])
    """
    if isinstance(p, Tensor):
        _floating(p, "bernoulli_tensor_cpu_p_")
        chance = p._array
        if not np.all((chance >= 0) & (chance <= 1)):
            raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true: a probability lies between 0 and 1.")
        try:
            chance = np.broadcast_to(chance, self.shape)
        except ValueError:
            raise RuntimeError(
                f"The expanded size of the tensor {tuple(self.shape)} must match the existing size {tuple(p.shape)} of p: give "
                "one probability for each element, or shapes that broadcast."
            ) from None
    else:
        chance = np.float64(p)
        if not 0 <= chance <= 1:
            raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")

    def draw(array: Array, source: Generator) -> Array:
        return _laid_out(source._unit(array.size, _wide(chance.dtype)), array) < chance

    return _fill(self, "bernoulli_", draw, generator)


def _via_float64(x: Tensor, name: str, formula: Callable[[Array], Array], generator: Generator | None) -> Tensor:
    def draw(array: Array, source: Generator) -> Array:
        with np.errstate(divide="ignore", over="ignore"):
            return _laid_out(_narrowed(formula(source._unit(array.size)), array.dtype), array)

    return _fill(x, name, draw, generator)


def _continuous(x: Tensor, name: str) -> None:
    if x.dtype.kind != "f":
        raise RuntimeError(
            f"{name} distribution is a continuous probability distribution. dtype must be a floating point but you specified "
            f"{x.dtype}"
        )


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with exponential numbers of rate λ: x = −log(1 − u) / λ.

    Raises:
        RuntimeError: for λ ≤ 0, or an integer or boolean dtype.

    >>> _ = manual_seed(0)
    >>> empty(3).exponential_()
    tensor([3.5083, 1.2304, 0.6150])
    """
    rate = float(lambd)
    if not rate > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    _continuous(self, "Exponential")
    return _via_float64(self, "exponential_", lambda u: -1.0 / rate * np.log1p(-u), generator)


def cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with Cauchy numbers: x = median + σ tan(π (u − ½)).

    Raises:
        RuntimeError: for σ ≤ 0, or an integer or boolean dtype.

    >>> _ = manual_seed(0)
    >>> empty(3).cauchy_()
    tensor([10.5977,  0.7648, -0.1283])
    """
    center, width = float(median), float(sigma)
    if not width > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    _continuous(self, "Cauchy")
    return _via_float64(self, "cauchy_", lambda u: center + width * np.tan(math.pi * (u - 0.5)), generator)


def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with the number of trials up to the first success of probability p: x = ⌈log u / log(1 − p)⌉.

    Raises:
        RuntimeError: for p outside (0, 1).

    >>> _ = manual_seed(0)
    >>> empty(5).geometric_(0.3)
    tensor([1., 1., 3., 1., 2.])
    """
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    return _via_float64(self, "geometric_", lambda u: np.ceil(np.log(u) / math.log1p(-p)), generator)


def log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers whose logarithm is normal: x = exp(z · std + mean).

    Raises:
        RuntimeError: for std ≤ 0.
        NotImplementedError: for an integer or boolean dtype.

    >>> _ = manual_seed(0)
    >>> empty(3).log_normal_(0, 0.5)
    tensor([2.1608, 0.8635, 0.3364])
    """
    center, width = np.float64(mean), np.float64(std)
    if not width > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    _floating(self, "log_normal_cpu")

    def draw(array: Array, source: Generator) -> Array:
        with np.errstate(over="ignore"):
            return _laid_out(_narrowed(np.exp(_fma(source._normals(array.size), width, center)), array.dtype), array)

    return _fill(self, "log_normal_", draw, generator)


def _bounds(dtype: Any) -> tuple[int, int]:
    """The lowest and the highest integer drawn in a dtype: of a float, up to where every integer is a number of its own."""
    if dtype.kind == "f":
        most = 1 << (np.finfo(dtype).nmant + 1)
        return -most, most
    return (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


def random_(self: Tensor, *bounds: int | None, generator: Generator | None = None) -> Tensor:
    """Fill with integers: `random_(low, to)` from low to below `to`, `random_(to)` from 0, `random_()` to the dtype's highest.

    They are words of the generator modulo the length of the range: 32-bit words, or 64-bit ones from a length of 2²⁸ on.

    Raises:
        RuntimeError: for an empty range, or bounds that the dtype does not hold exactly.

    >>> import tinygrad_fr as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.zeros(4, dtype=torch.int64).random_(10)
    tensor([4, 9, 3, 0])
    """
    if len(bounds) > 2:
        raise TypeError(f"random_() takes at most two bounds, `random_(low, to)`, and was given {len(bounds)}")
    lowest, highest = _bounds(self.dtype)
    low = bounds[0] if len(bounds) == 2 else 0
    to = bounds[-1] if bounds else None
    low, last = int(low or 0), highest if to is None else int(to) - 1
    if low > last:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={last + 1}")
    for word, bound in (("from", low), ("to - 1", last)):
        if not lowest <= bound <= highest:
            raise RuntimeError(f"{word} is out of bounds for {self.dtype}: {bound} is not between {lowest} and {highest}")
    span = last - low + 1
    long = span >= 1 << 28 if bounds else self.dtype in (np.int64, np.float64)

    def draw(array: Array, source: Generator) -> Array:
        words = source._words(array.size, 64 if long else 32)
        numbers = (words % span).astype(np.int64) + low if span < 1 << 64 else words.view(np.int64)
        return _laid_out(numbers.astype(array.dtype), array)

    return _fill(self, "random_", draw, generator)


# -- new tensors -------------------------------------------------------------------------------------------------------


def _place(
    name: str,
    size: tuple[Any, ...],
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """The tensor that is to be filled: a new one, or `out` after a check (an empty `out` takes the shape).

    It may be a leaf that requires grad already: `place.detach()`, the same memory, is what is filled.
    """
    if not size:
        raise TypeError(f"{name}() received an invalid combination of arguments: give a shape, `{name}(2, 3)` or `{name}(())`.")
    lengths = _lengths(size)
    if out is None:
        place = empty(lengths, dtype=dtype, device=device, requires_grad=requires_grad)
        return place if observer is None else observer.place(place)
    if out.requires_grad:
        raise RuntimeError("cannot resize variables that require grad: out= takes a tensor that needs no gradient.")
    if dtype is not None and np.dtype(dtype) != out.dtype:
        raise RuntimeError(f"dtype {np.dtype(dtype)} does not match dtype of out parameter ({out.dtype})")
    if out.numel() == 0:
        out._array = np.empty(lengths, out.dtype)
    if tuple(out.shape) != lengths:
        raise RuntimeError(f"{name}: out= has shape {tuple(out.shape)}, and {lengths} was asked for. Give an empty tensor.")
    return out


def _creator(name: str, fill: Callable[..., Tensor], what: str, shown: str) -> Callable[..., Tensor]:
    """Write `rand` and `randn`: a new tensor, filled."""

    def create(*size: Any, generator: Generator | None = None, **named: Any) -> Tensor:
        if "size" in named:
            size = (named.pop("size"),)
        place = _place(name, size, **named)
        fill(place.detach(), generator=generator)
        return place

    create.__name__ = create.__qualname__ = name
    create.__doc__ = f"""A tensor of {what}; of the shape given as integers or as a tuple, float32 by default.

    Keywords: `generator` (the default generator, which `manual_seed` seeds, if left out), `dtype`, `requires_grad`, `device`
    (the CPU), and `out`, a tensor to fill instead of a new one.

    Raises:
        RuntimeError: for a negative length.
        NotImplementedError: for an integer or boolean dtype.

    >>> _ = manual_seed(0)
    >>> {name}(3)
    {shown}
    """
    return create


rand = _creator("rand", uniform_, "numbers that are uniform in [0, 1)", "tensor([0.4963, 0.7682, 0.0885])")
randn = _creator(
    "randn", normal_, "normal numbers of mean 0 and standard deviation 1", "tensor([ 1.5410, -0.2934, -2.1788])"
)


def randint(
    *given: Any, low: int = 0, high: int | None = None, size: Any = None, generator: Generator | None = None, **named: Any
) -> Tensor:
    """A tensor of integers from low (0 if left out) to high, not included: `randint(high, size)` or `randint(low, high, size)`.

    Keywords as for `rand`; the dtype is int64 by default.

    Raises:
        RuntimeError: when low is not below high, or the dtype does not hold them.
        TypeError: without a high or a size.

    >>> _ = manual_seed(0)
    >>> randint(10, (3,)), randint(5, 7, (4,))
    (tensor([4, 9, 3]), tensor([5, 6, 6, 6]))
    """
    numbers = list(given)
    if numbers and isinstance(numbers[-1], (tuple, list)):
        size = numbers.pop()
    if numbers:
        high = numbers.pop()
    if numbers:
        low = numbers.pop()
    if numbers or high is None or size is None:
        raise TypeError(
            "randint() received an invalid combination of arguments: write `randint(high, (2, 3))` or "
            "`randint(low, high, (2, 3))`."
        )
    for word, bound in (("low", low), ("high", high)):
        if not hasattr(bound, "__index__"):
            raise TypeError(f"randint(): argument '{word}' must be int, not {type(bound).__name__}")
    place = _place("randint", (size,), **_integral(named))
    random_(place.detach(), low, high, generator=generator)
    return place


def _integral(named: dict[str, Any]) -> dict[str, Any]:
    """The keywords with int64 as the dtype, where neither `dtype` nor `out` gives one."""
    return named if named.get("out") is not None or named.get("dtype") is not None else {**named, "dtype": np.int64}


def randperm(n: int, *, generator: Generator | None = None, **named: Any) -> Tensor:
    """The integers from 0 to n − 1 in a random order: element i changes place with element i + r mod (n − i) (Fisher-Yates).

    Keywords as for `rand`; the dtype is int64 by default. The order is PyTorch's for n below 2³²/20.

    Raises:
        RuntimeError: for a negative n, or one that the dtype cannot number.

    >>> _ = manual_seed(0)
    >>> randperm(5)
    tensor([4, 0, 1, 3, 2])
    """
    if not hasattr(n, "__index__"):
        raise TypeError(f"randperm(): argument 'n' (position 1) must be int, not {type(n).__name__}")
    place = _place("randperm", (n,), **_integral(named))
    most = _bounds(place.dtype)[1] + 1
    if n > most:
        raise RuntimeError(f"n cannot be greater than {most} for {place.dtype}, and it is {n}.")

    def draw(array: Array, source: Generator) -> Array:
        order = list(range(n))
        steps = source._words(max(n - 1, 0)) % np.arange(n, 1, -1, dtype=np.uint32)
        for i, step in enumerate(steps.tolist()):
            order[i], order[i + step] = order[i + step], order[i]
        return np.array(order, array.dtype)

    _fill(place.detach(), "randperm", draw, generator)
    return place


def _like(input: Tensor, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """An empty tensor of another's shape, dtype, and order of memory."""
    if not isinstance(input, Tensor):
        raise TypeError(f"argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    return empty_like(input, dtype=dtype, device=device, requires_grad=requires_grad)


def _like_creator(name: str, fill: Callable[..., Tensor], shown: str) -> Callable[..., Tensor]:
    """Write `rand_like` and `randn_like`: `rand` and `randn` in the shape of a tensor."""

    def create(
        input: Tensor,
        *,
        generator: Generator | None = None,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        memory_format: Any = None,
    ) -> Tensor:
        place = _like(input, dtype, device, requires_grad)
        fill(place.detach(), generator=generator)
        return place

    create.__name__ = create.__qualname__ = f"{name}_like"
    create.__doc__ = f"""`{name}` in the shape and dtype of another tensor, and in its order of memory.

    >>> _ = manual_seed(0)
    >>> {name}_like(empty(3))
    {shown}
    """
    return create


rand_like = _like_creator("rand", uniform_, "tensor([0.4963, 0.7682, 0.0885])")
randn_like = _like_creator("randn", normal_, "tensor([ 1.5410, -0.2934, -2.1788])")


def randint_like(
    input: Tensor,
    *given: int,
    generator: Generator | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
    **bounds: int,
) -> Tensor:
    """`randint` in the shape and dtype of another tensor: `randint_like(x, high)` or `randint_like(x, low, high)`.

    >>> _ = manual_seed(0)
    >>> randint_like(empty(3), 10)
    tensor([4., 9., 3.])
    """
    place = _like(input, dtype, device, requires_grad)
    randint(*given, size=tuple(place.shape), generator=generator, out=place.detach(), **bounds)
    return place


def normal(
    mean: float | Tensor,
    std: float | Tensor = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    **named: Any,
) -> Tensor:
    """Normal numbers, x = z · std + mean: two numbers and a size; or one or both are tensors, which are broadcast.

    Keywords as for `rand`. The result has the dtype of mean, or of std where only that is a tensor; a draw has no derivative,
    and no gradient flows to either.

    Raises:
        RuntimeError: for a negative std, or shapes that do not broadcast.
        TypeError: for two numbers without a size, or tensors with one.

    >>> from tinygrad_fr import tensor
    >>> _ = manual_seed(0)
    >>> normal(10, 2, (3,)), normal(tensor([0.0, 10.0]))
    (tensor([13.0820,  9.4131,  5.6424]), tensor([0.5684, 8.9155]))
    """
    tensors = [t for t in (mean, std) if isinstance(t, Tensor)]
    if bool(tensors) == (size is not None):
        raise TypeError(
            "normal() received an invalid combination of arguments: write `normal(mean, std, size)` with two numbers, or "
            "`normal(mean, std)` with tensors."
        )
    if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        place = _place("normal", (size,), **named)
        normal_(place.detach(), mean, std, generator=generator)
        return place
    center, scale = (t._array if isinstance(t, Tensor) else t for t in (mean, std))
    if isinstance(std, Tensor) and not np.all(scale >= 0):
        raise RuntimeError("normal expects all elements of std >= 0.0")
    try:
        shape = np.broadcast_shapes(*(tuple(t.shape) for t in tensors))
    except ValueError:
        raise RuntimeError(
            f"The size of tensor a must match the size of tensor b: mean has shape {tuple(tensors[0].shape)} and std "
            f"{tuple(tensors[1].shape)}, and these do not broadcast."
        ) from None
    place = _place("normal", (shape,), **(named if named.get("out") is not None else {**named, "dtype": tensors[0].dtype}))
    z = normal_(place.detach(), 0.0, 1.0 if isinstance(std, Tensor) else std, generator=generator)._array
    if isinstance(std, Tensor):
        np.multiply(z, scale, out=z, casting="unsafe")
    np.add(z, center, out=z, casting="unsafe")
    return place


def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None, out: Tensor | None = None
) -> Tensor:
    """Ones and zeros: 1 with the probability that the element of the input gives, or with probability p in the input's shape.

    A draw has no derivative: no gradient flows to the input.

    Raises:
        RuntimeError: for a probability outside [0, 1].

    >>> from tinygrad_fr import tensor
    >>> _ = manual_seed(0)
    >>> bernoulli(tensor([0.0, 0.9, 1.0]))
    tensor([0., 1., 1.])
    """
    place = _place("bernoulli", (tuple(input.shape),), out=out, dtype=None if out is not None else input.dtype)
    return bernoulli_(place, input if p is None else p, generator=generator)


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Draw positions from a vector of weights, or from each row of a matrix, in proportion to the weights.

    With replacement, a position is where u first falls below the cumulated weights. Without, the positions are those of the
    largest w / e, with e exponential numbers (the Gumbel trick); two equal weights of 0 / e cannot be told apart, so there must
    be as many weights above 0 as samples.

    Args:
        input: the weights, (classes,) or (rows, classes): at least 0, not all 0; they need not sum to 1.
        num_samples: how many positions to draw, of each row.
        replacement: whether a position may be drawn again.

    Raises:
        RuntimeError: for negative, infinite or NaN weights, a row of zeros, too many samples, or another shape or dtype.

    >>> from tinygrad_fr import tensor
    >>> _ = manual_seed(0)
    >>> multinomial(tensor([0.1, 0.2, 0.7]), 5, replacement=True)
    tensor([2, 2, 2, 2, 2])
    """
    weights, samples = input._array, int(num_samples)
    if weights.ndim not in (1, 2):
        raise RuntimeError(f"prob_dist must be 1 or 2 dim, (classes,) or (rows, classes), not {tuple(input.shape)}")
    if weights.dtype.kind != "f":
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {input.dtype}")
    if out is not None and out.dtype != np.int64:
        raise RuntimeError(f"multinomial expects Long tensor out, got: {out.dtype}")
    if samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    classes = weights.shape[-1]
    if not replacement and samples > classes:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    rows = np.atleast_2d(weights)
    if not np.all((rows >= 0) & (rows < np.inf)):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if not np.all(np.any(rows > 0, axis=1)):
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    if not replacement and np.any(np.count_nonzero(rows, axis=1) < samples):
        raise RuntimeError(
            "invalid multinomial distribution (with replacement=False, not enough non-negative category to sample): "
            f"{samples} samples were asked for, and a row has fewer weights above 0."
        )
    place = _place("multinomial", ((*weights.shape[:-1], samples),), out=out, dtype=np.int64)

    def draw(array: Array, source: Generator) -> Array:
        if not replacement:
            e = _laid_out(_narrowed(-np.log1p(-source._unit(weights.size)), weights.dtype), np.empty_like(weights))
            with np.errstate(all="ignore"):
                return np.argsort(-(weights / e), axis=-1, kind="stable")[..., :samples]
        total = np.cumsum(rows, axis=1, dtype=_wide(weights.dtype))
        total = (total / total[:, -1:]).astype(np.float64)
        u = source._unit(array.size).reshape(len(rows), samples)
        chosen = np.empty(u.shape, np.int64)
        for i, row in enumerate(total):
            chosen[i] = np.searchsorted(row, u[i])
        return chosen.reshape(array.shape)

    return _fill(place, "multinomial", draw, generator)
