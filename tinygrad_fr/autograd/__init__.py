"""Differentiation under PyTorch's names: `autograd.grad`, `autograd.Function`, `autograd.functional.jacobian`..."""

from tinygrad_fr.autograd import function as function
from tinygrad_fr.autograd import functional as functional
from tinygrad_fr.autograd.function import Function as Function
from tinygrad_fr.graph import backward as backward
from tinygrad_fr.graph import grad as grad
from tinygrad_fr.modes import detect_anomaly as detect_anomaly
from tinygrad_fr.modes import enable_grad as enable_grad
from tinygrad_fr.modes import inference_mode as inference_mode
from tinygrad_fr.modes import no_grad as no_grad
from tinygrad_fr.modes import set_detect_anomaly as set_detect_anomaly
from tinygrad_fr.modes import set_grad_enabled as set_grad_enabled
from tinygrad_fr.tensor import Tensor
from tinygrad_fr.testing import gradcheck as gradcheck
from tinygrad_fr.testing import gradgradcheck as gradgradcheck


def Variable(data: Tensor, requires_grad: bool = False, volatile: bool = False) -> Tensor:
    """PyTorch's old wrapper: a Tensor is its own variable now; this one shares the data's memory.

    >>> from tinygrad_fr import tensor
    >>> Variable(tensor([1.0]), requires_grad=True)
    tensor([1.], requires_grad=True)
    """
    if not requires_grad:
        return data
    alias = data.detach()
    alias.requires_grad = True
    return alias
