"""Seeing backpropagation: snapshots of a graph, and the pictures, pages and derivations that are made from them."""

from tinygrad_fr.visual.derivation import derivation as derivation
from tinygrad_fr.visual.dot import draw as draw
from tinygrad_fr.visual.network import draw_network as draw_network
from tinygrad_fr.visual.picture import Drawing as Drawing
from tinygrad_fr.visual.render import NoRenderer as NoRenderer
from tinygrad_fr.visual.snapshot import Snapshot as Snapshot
from tinygrad_fr.visual.snapshot import watch as watch
