"""Optimisers: each is a formula on arrays under a small class that keeps its state.

>>> import tinygrad_fr as torch
>>> w = torch.tensor([1.0, -2.0], requires_grad=True)
>>> optimizer = torch.optim.SGD([w], lr=0.25)
>>> for step in range(2):
...     optimizer.zero_grad()
...     loss = (w**2).sum()
...     loss.backward()
...     optimizer.step()  # w ← w − η ∂E/∂w = w − 0.25 · 2w
>>> w
tensor([ 0.2500, -0.5000], requires_grad=True)
"""

from tinygrad_fr.optim import lr_scheduler as lr_scheduler
from tinygrad_fr.optim.adaptive import Adadelta as Adadelta
from tinygrad_fr.optim.adaptive import Adagrad as Adagrad
from tinygrad_fr.optim.adaptive import Adam as Adam
from tinygrad_fr.optim.adaptive import Adamax as Adamax
from tinygrad_fr.optim.adaptive import AdamW as AdamW
from tinygrad_fr.optim.adaptive import RMSprop as RMSprop
from tinygrad_fr.optim.optimizer import Optimizer as Optimizer
from tinygrad_fr.optim.sgd import SGD as SGD
