"""What PyTorch programs ask of the libraries behind PyTorch: these answer that they are not there, since NumPy is."""

from tinygrad_fr.backends import cudnn as cudnn
from tinygrad_fr.backends import mps as mps
