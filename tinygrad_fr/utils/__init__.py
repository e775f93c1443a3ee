"""What a training needs beside the model: `utils.data` feeds it."""

from tinygrad_fr.utils import data as data
