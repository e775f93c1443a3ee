"""Seeing backpropagation: snapshots of a graph, and the pictures, pages and derivations that are made from them."""

from tinygrad_fr.visual.snapshot import Snapshot as Snapshot
from tinygrad_fr.visual.snapshot import watch as watch
