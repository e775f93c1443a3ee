"""tinygrad_fr: autograd small enough to read, written once in NumPy, with PyTorch's names.

>>> import tinygrad_fr as torch
>>> w = torch.tensor([1.0, 2.0], requires_grad=True)
>>> loss = (w**2).sum()
>>> loss.backward()
>>> w.grad
tensor([2., 4.])
"""

import numpy as _np

from tinygrad_fr import methods as _methods_table  # noqa: F401 - attaches the methods to Tensor
from tinygrad_fr.modes import detect_anomaly as detect_anomaly
from tinygrad_fr.modes import enable_grad as enable_grad
from tinygrad_fr.modes import inference_mode as inference_mode
from tinygrad_fr.modes import is_grad_enabled as is_grad_enabled
from tinygrad_fr.modes import no_grad as no_grad
from tinygrad_fr.modes import set_grad_enabled as set_grad_enabled
from tinygrad_fr.values import Size as Size
from tinygrad_fr.tensor import Tensor as Tensor
from tinygrad_fr.values import device as device
from tinygrad_fr.values import get_default_dtype as get_default_dtype
from tinygrad_fr.values import set_default_dtype as set_default_dtype
from tinygrad_fr.creation import BoolTensor as BoolTensor
from tinygrad_fr.creation import DoubleTensor as DoubleTensor
from tinygrad_fr.creation import FloatTensor as FloatTensor
from tinygrad_fr.creation import IntTensor as IntTensor
from tinygrad_fr.creation import HalfTensor as HalfTensor
from tinygrad_fr.creation import ShortTensor as ShortTensor
from tinygrad_fr.creation import ByteTensor as ByteTensor
from tinygrad_fr.creation import LongTensor as LongTensor
from tinygrad_fr.creation import arange as arange
from tinygrad_fr.creation import as_tensor as as_tensor
from tinygrad_fr.creation import empty as empty
from tinygrad_fr.creation import empty_like as empty_like
from tinygrad_fr.creation import eye as eye
from tinygrad_fr.creation import from_numpy as from_numpy
from tinygrad_fr.creation import full as full
from tinygrad_fr.creation import full_like as full_like
from tinygrad_fr.creation import linspace as linspace
from tinygrad_fr.creation import logspace as logspace
from tinygrad_fr.creation import ones as ones
from tinygrad_fr.creation import ones_like as ones_like
from tinygrad_fr.creation import range as range
from tinygrad_fr.creation import set_default_tensor_type as set_default_tensor_type
from tinygrad_fr.creation import tensor as tensor
from tinygrad_fr.creation import tril_indices as tril_indices
from tinygrad_fr.creation import triu_indices as triu_indices
from tinygrad_fr.creation import zeros as zeros
from tinygrad_fr.creation import zeros_like as zeros_like
from tinygrad_fr.random import Generator as Generator
from tinygrad_fr.random import bernoulli as bernoulli
from tinygrad_fr.random import default_generator as default_generator
from tinygrad_fr.random import get_rng_state as get_rng_state
from tinygrad_fr.random import initial_seed as initial_seed
from tinygrad_fr.random import manual_seed as manual_seed
from tinygrad_fr.random import multinomial as multinomial
from tinygrad_fr.random import normal as normal
from tinygrad_fr.random import rand as rand
from tinygrad_fr.random import rand_like as rand_like
from tinygrad_fr.random import randint as randint
from tinygrad_fr.random import randint_like as randint_like
from tinygrad_fr.random import randn as randn
from tinygrad_fr.random import randn_like as randn_like
from tinygrad_fr.random import randperm as randperm
from tinygrad_fr.random import seed as seed
from tinygrad_fr.random import set_rng_state as set_rng_state
from tinygrad_fr.printing import set_printoptions as set_printoptions
from tinygrad_fr.operations.arithmetic import abs as abs
from tinygrad_fr.operations.arithmetic import add as add
from tinygrad_fr.operations.arithmetic import addcdiv as addcdiv
from tinygrad_fr.operations.arithmetic import addcmul as addcmul
from tinygrad_fr.operations.arithmetic import bitwise_and as bitwise_and
from tinygrad_fr.operations.arithmetic import bitwise_left_shift as bitwise_left_shift
from tinygrad_fr.operations.arithmetic import bitwise_not as bitwise_not
from tinygrad_fr.operations.arithmetic import bitwise_or as bitwise_or
from tinygrad_fr.operations.arithmetic import bitwise_right_shift as bitwise_right_shift
from tinygrad_fr.operations.arithmetic import bitwise_xor as bitwise_xor
from tinygrad_fr.operations.arithmetic import ceil as ceil
from tinygrad_fr.operations.arithmetic import div as div
from tinygrad_fr.operations.arithmetic import eq as eq
from tinygrad_fr.operations.arithmetic import floor as floor
from tinygrad_fr.operations.arithmetic import floor_divide as floor_divide
from tinygrad_fr.operations.arithmetic import fmod as fmod
from tinygrad_fr.operations.arithmetic import frac as frac
from tinygrad_fr.operations.arithmetic import ge as ge
from tinygrad_fr.operations.arithmetic import gt as gt
from tinygrad_fr.operations.arithmetic import isfinite as isfinite
from tinygrad_fr.operations.arithmetic import isinf as isinf
from tinygrad_fr.operations.arithmetic import isnan as isnan
from tinygrad_fr.operations.arithmetic import le as le
from tinygrad_fr.operations.arithmetic import lerp as lerp
from tinygrad_fr.operations.arithmetic import logical_and as logical_and
from tinygrad_fr.operations.arithmetic import logical_not as logical_not
from tinygrad_fr.operations.arithmetic import logical_or as logical_or
from tinygrad_fr.operations.arithmetic import logical_xor as logical_xor
from tinygrad_fr.operations.arithmetic import lt as lt
from tinygrad_fr.operations.arithmetic import maximum as maximum
from tinygrad_fr.operations.arithmetic import minimum as minimum
from tinygrad_fr.operations.arithmetic import mul as mul
from tinygrad_fr.operations.arithmetic import ne as ne
from tinygrad_fr.operations.arithmetic import neg as neg
from tinygrad_fr.operations.arithmetic import pow as pow
from tinygrad_fr.operations.arithmetic import reciprocal as reciprocal
from tinygrad_fr.operations.arithmetic import remainder as remainder
from tinygrad_fr.operations.arithmetic import round as round
from tinygrad_fr.operations.arithmetic import sign as sign
from tinygrad_fr.operations.arithmetic import square as square
from tinygrad_fr.operations.arithmetic import sub as sub
from tinygrad_fr.operations.arithmetic import trunc as trunc
from tinygrad_fr.operations.elementary import acos as acos
from tinygrad_fr.operations.elementary import acosh as acosh
from tinygrad_fr.operations.elementary import asin as asin
from tinygrad_fr.operations.elementary import asinh as asinh
from tinygrad_fr.operations.elementary import atan as atan
from tinygrad_fr.operations.elementary import atan2 as atan2
from tinygrad_fr.operations.elementary import atanh as atanh
from tinygrad_fr.operations.elementary import cos as cos
from tinygrad_fr.operations.elementary import cosh as cosh
from tinygrad_fr.operations.elementary import deg2rad as deg2rad
from tinygrad_fr.operations.elementary import erf as erf
from tinygrad_fr.operations.elementary import erfc as erfc
from tinygrad_fr.operations.elementary import exp as exp
from tinygrad_fr.operations.elementary import exp2 as exp2
from tinygrad_fr.operations.elementary import expm1 as expm1
from tinygrad_fr.operations.elementary import log as log
from tinygrad_fr.operations.elementary import log10 as log10
from tinygrad_fr.operations.elementary import log1p as log1p
from tinygrad_fr.operations.elementary import log2 as log2
from tinygrad_fr.operations.elementary import rad2deg as rad2deg
from tinygrad_fr.operations.elementary import rsqrt as rsqrt
from tinygrad_fr.operations.elementary import sin as sin
from tinygrad_fr.operations.elementary import sinh as sinh
from tinygrad_fr.operations.elementary import sqrt as sqrt
from tinygrad_fr.operations.elementary import tan as tan
from tinygrad_fr.operations.elementary import tanh as tanh
from tinygrad_fr.operations.activations import clamp as clamp
from tinygrad_fr.operations.activations import clamp_max as clamp_max
from tinygrad_fr.operations.activations import clamp_min as clamp_min
from tinygrad_fr.operations.activations import relu as relu
from tinygrad_fr.operations.activations import sigmoid as sigmoid
from tinygrad_fr.operations.reductions import all as all
from tinygrad_fr.operations.reductions import amax as amax
from tinygrad_fr.operations.reductions import amin as amin
from tinygrad_fr.operations.reductions import any as any
from tinygrad_fr.operations.reductions import argmax as argmax
from tinygrad_fr.operations.reductions import argmin as argmin
from tinygrad_fr.operations.reductions import count_nonzero as count_nonzero
from tinygrad_fr.operations.reductions import cumprod as cumprod
from tinygrad_fr.operations.reductions import cumsum as cumsum
from tinygrad_fr.operations.reductions import dist as dist
from tinygrad_fr.operations.reductions import log_softmax as log_softmax
from tinygrad_fr.operations.reductions import logsumexp as logsumexp
from tinygrad_fr.operations.reductions import max as max
from tinygrad_fr.operations.reductions import mean as mean
from tinygrad_fr.operations.reductions import min as min
from tinygrad_fr.operations.reductions import norm as norm
from tinygrad_fr.operations.reductions import prod as prod
from tinygrad_fr.operations.reductions import softmax as softmax
from tinygrad_fr.operations.reductions import std as std
from tinygrad_fr.operations.reductions import std_mean as std_mean
from tinygrad_fr.operations.reductions import sum as sum
from tinygrad_fr.operations.reductions import var as var
from tinygrad_fr.operations.reductions import var_mean as var_mean
from tinygrad_fr.operations.shaping import atleast_1d as atleast_1d
from tinygrad_fr.operations.shaping import atleast_2d as atleast_2d
from tinygrad_fr.operations.shaping import atleast_3d as atleast_3d
from tinygrad_fr.operations.shaping import broadcast_to as broadcast_to
from tinygrad_fr.operations.shaping import cat as cat
from tinygrad_fr.operations.shaping import chunk as chunk
from tinygrad_fr.operations.shaping import concat as concat
from tinygrad_fr.operations.shaping import diag as diag
from tinygrad_fr.operations.shaping import diagonal as diagonal
from tinygrad_fr.operations.shaping import flatten as flatten
from tinygrad_fr.operations.shaping import flip as flip
from tinygrad_fr.operations.shaping import hstack as hstack
from tinygrad_fr.operations.shaping import meshgrid as meshgrid
from tinygrad_fr.operations.shaping import movedim as movedim
from tinygrad_fr.operations.shaping import narrow as narrow
from tinygrad_fr.operations.shaping import permute as permute
from tinygrad_fr.operations.shaping import ravel as ravel
from tinygrad_fr.operations.shaping import repeat_interleave as repeat_interleave
from tinygrad_fr.operations.shaping import reshape as reshape
from tinygrad_fr.operations.shaping import roll as roll
from tinygrad_fr.operations.shaping import select as select
from tinygrad_fr.operations.shaping import split as split
from tinygrad_fr.operations.shaping import squeeze as squeeze
from tinygrad_fr.operations.shaping import stack as stack
from tinygrad_fr.operations.shaping import swapaxes as swapaxes
from tinygrad_fr.operations.shaping import t as t
from tinygrad_fr.operations.shaping import tile as tile
from tinygrad_fr.operations.shaping import transpose as transpose
from tinygrad_fr.operations.shaping import tril as tril
from tinygrad_fr.operations.shaping import triu as triu
from tinygrad_fr.operations.shaping import unbind as unbind
from tinygrad_fr.operations.shaping import unflatten as unflatten
from tinygrad_fr.operations.shaping import unsqueeze as unsqueeze
from tinygrad_fr.operations.shaping import vstack as vstack
from tinygrad_fr.operations.linalg import addmm as addmm
from tinygrad_fr.operations.linalg import baddbmm as baddbmm
from tinygrad_fr.operations.linalg import bmm as bmm
from tinygrad_fr.operations.linalg import cross as cross
from tinygrad_fr.operations.linalg import dot as dot
from tinygrad_fr.operations.linalg import einsum as einsum
from tinygrad_fr.operations.linalg import inverse as inverse
from tinygrad_fr.operations.linalg import matmul as matmul
from tinygrad_fr.operations.linalg import mm as mm
from tinygrad_fr.operations.linalg import mv as mv
from tinygrad_fr.operations.linalg import outer as outer
from tinygrad_fr.operations.linalg import trace as trace
from tinygrad_fr.operations.histograms import histc as histc
from tinygrad_fr.operations.histograms import histogram as histogram
from tinygrad_fr.operations.indexing import argsort as argsort
from tinygrad_fr.operations.indexing import bincount as bincount
from tinygrad_fr.operations.indexing import gather as gather
from tinygrad_fr.operations.indexing import index_add as index_add
from tinygrad_fr.operations.indexing import index_select as index_select
from tinygrad_fr.operations.indexing import isin as isin
from tinygrad_fr.operations.indexing import masked_fill as masked_fill
from tinygrad_fr.operations.indexing import masked_select as masked_select
from tinygrad_fr.operations.indexing import median as median
from tinygrad_fr.operations.indexing import nonzero as nonzero
from tinygrad_fr.operations.indexing import scatter as scatter
from tinygrad_fr.operations.indexing import scatter_add as scatter_add
from tinygrad_fr.operations.indexing import searchsorted as searchsorted
from tinygrad_fr.operations.indexing import sort as sort
from tinygrad_fr.operations.indexing import take as take
from tinygrad_fr.operations.indexing import take_along_dim as take_along_dim
from tinygrad_fr.operations.indexing import topk as topk
from tinygrad_fr.operations.indexing import unique as unique
from tinygrad_fr.operations.indexing import where as where
from tinygrad_fr.operations.casting import allclose as allclose
from tinygrad_fr.operations.casting import clone as clone
from tinygrad_fr.operations.casting import equal as equal
from tinygrad_fr.operations.casting import is_floating_point as is_floating_point
from tinygrad_fr.operations.casting import is_tensor as is_tensor
from tinygrad_fr.operations.casting import isclose as isclose
from tinygrad_fr.operations.casting import numel as numel
from tinygrad_fr.compiler import compile as compile
from tinygrad_fr.serialization import load as load
from tinygrad_fr.serialization import save as save
from tinygrad_fr.machine import get_default_device as get_default_device
from tinygrad_fr.machine import get_num_threads as get_num_threads
from tinygrad_fr.machine import set_default_device as set_default_device
from tinygrad_fr.machine import set_num_threads as set_num_threads
from tinygrad_fr.machine import use_deterministic_algorithms as use_deterministic_algorithms
from tinygrad_fr import accelerator as accelerator
from tinygrad_fr import autograd as autograd
from tinygrad_fr import backends as backends
from tinygrad_fr import cuda as cuda
from tinygrad_fr import linalg as linalg
from tinygrad_fr import nn as nn
from tinygrad_fr import optim as optim
from tinygrad_fr import random as random
from tinygrad_fr import testing as testing
from tinygrad_fr import utils as utils

__version__ = "0.1.0"

# PyTorch's dtypes are NumPy's.
float16 = _np.dtype("float16")
half = _np.dtype("float16")
float32 = _np.dtype("float32")
float = _np.dtype("float32")
float64 = _np.dtype("float64")
double = _np.dtype("float64")
uint8 = _np.dtype("uint8")
int8 = _np.dtype("int8")
int16 = _np.dtype("int16")
short = _np.dtype("int16")
int32 = _np.dtype("int32")
int = _np.dtype("int32")
int64 = _np.dtype("int64")
long = _np.dtype("int64")
bool = _np.dtype("bool")
inf, nan, pi, e = _np.inf, _np.nan, _np.pi, _np.e
multiply, divide, subtract, true_divide, negative, absolute, clip = mul, div, sub, div, neg, abs, clamp
arcsin, arccos, arctan, greater, less, not_equal, concatenate = asin, acos, atan, gt, lt, ne, concat
less_equal, greater_equal, arctan2, arcsinh, arccosh, arctanh = le, ge, atan2, asinh, acosh, atanh
swapdims, moveaxis, inner = transpose, movedim, dot
relu_, sigmoid_, tanh_, exp_, sqrt_ = Tensor.relu_, Tensor.sigmoid_, Tensor.tanh_, Tensor.exp_, Tensor.sqrt_
sin_, cos_, neg_, abs_, clamp_ = Tensor.sin_, Tensor.cos_, Tensor.neg_, Tensor.abs_, Tensor.clamp_
detach = Tensor.detach
dtype, finfo, iinfo = _np.dtype, _np.finfo, _np.iinfo
