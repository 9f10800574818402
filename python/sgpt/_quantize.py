"""Embeddings in fewer bits, as sentence-transformers makes them."""

import numpy as np

from ._errors import UserError

PRECISIONS = ("float32", "int8", "uint8", "binary", "ubinary")


def quantize(e: np.ndarray, precision: str) -> np.ndarray:
    """Of e float32 [n, d]: int8 and uint8 [n, d], 255 steps between the least and the largest number of each dimension;
    binary (int8) and ubinary (uint8) [n, ⌈d/8⌉], eight signs a byte."""
    if precision == "float32":
        return e
    if precision in ("binary", "ubinary"):
        packed = np.packbits(e > 0, axis=-1)
        return packed if precision == "ubinary" else (packed.astype(np.int16) - 128).astype(np.int8)
    if e.shape[0] == 1:
        raise UserError(f"precision is '{precision}', whose ranges are those of the texts given: one is too few")
    least = e.min(axis=0)
    steps = (e.max(axis=0) - least) / 255
    steps[steps == 0] = 1  # a number that all texts share
    levels = np.floor((e - least) / steps).clip(0, 255)
    return levels.astype(np.uint8) if precision == "uint8" else (levels - 128).astype(np.int8)
