"""Neural networks: for now the functions of layers and losses, `nn.functional`."""

from tinygrad_fr.nn import functional as functional
