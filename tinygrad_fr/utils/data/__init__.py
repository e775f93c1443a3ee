"""From samples to batches: datasets hold samples, samplers choose their order, the `DataLoader` makes batches of them.

>>> import tinygrad_fr as torch
>>> from tinygrad_fr.utils.data import DataLoader, TensorDataset
>>> dataset = TensorDataset(torch.arange(5), torch.zeros(5, 2))
>>> for x, y in DataLoader(dataset, batch_size=2):
...     print(x, y.shape)
tensor([0, 1]) torch.Size([2, 2])
tensor([2, 3]) torch.Size([2, 2])
tensor([4]) torch.Size([1, 2])
"""

from tinygrad_fr.utils.data.dataloader import DataLoader as DataLoader
from tinygrad_fr.utils.data.dataloader import default_collate as default_collate
from tinygrad_fr.utils.data.dataloader import default_convert as default_convert
from tinygrad_fr.utils.data.dataloader import get_worker_info as get_worker_info
from tinygrad_fr.utils.data.dataset import ConcatDataset as ConcatDataset
from tinygrad_fr.utils.data.dataset import Dataset as Dataset
from tinygrad_fr.utils.data.dataset import IterableDataset as IterableDataset
from tinygrad_fr.utils.data.dataset import Subset as Subset
from tinygrad_fr.utils.data.dataset import TensorDataset as TensorDataset
from tinygrad_fr.utils.data.dataset import random_split as random_split
from tinygrad_fr.utils.data.sampler import BatchSampler as BatchSampler
from tinygrad_fr.utils.data.sampler import RandomSampler as RandomSampler
from tinygrad_fr.utils.data.sampler import Sampler as Sampler
from tinygrad_fr.utils.data.sampler import SequentialSampler as SequentialSampler
from tinygrad_fr.utils.data.sampler import SubsetRandomSampler as SubsetRandomSampler
from tinygrad_fr.utils.data.sampler import WeightedRandomSampler as WeightedRandomSampler
