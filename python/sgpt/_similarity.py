"""How similar embeddings are: the four functions of sentence-transformers. Higher is more similar."""

import sys
from typing import Any, Callable, Tuple

import numpy as np

from ._errors import UserError


def _is_tensor(x: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def _array(x: Any, name: str) -> np.ndarray:
    if isinstance(x, list) and x and _is_tensor(x[0]):
        x = [row.detach().cpu().numpy() for row in x]
    array = x.detach().cpu().numpy() if _is_tensor(x) else np.asarray(x)
    if array.dtype.kind != "f" or array.ndim not in (1, 2):
        raise UserError(
            f"{name} has the shape {array.shape} and the type {array.dtype}; expected floats [rows, dimension]"
        )
    return np.atleast_2d(array)


def _normalized(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), np.asarray(1e-12, x.dtype))


def _pairs(a: np.ndarray, b: np.ndarray, distance: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    result = np.empty((len(a), len(b)), np.result_type(a, b))
    for row in range(len(a)):
        result[row] = -distance(b - a[row])
    return result


def _euclidean(x: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(x).sum(axis=-1))


def _manhattan(x: np.ndarray) -> np.ndarray:
    return np.abs(x).sum(axis=-1)


def _two(a: Any, b: Any) -> Tuple[np.ndarray, np.ndarray]:
    x, y = _array(a, "the first argument"), _array(b, "the second argument")
    if x.shape[-1] != y.shape[-1]:
        raise UserError(f"embeddings of the shapes {x.shape} and {y.shape} have different dimensions")
    return x, y


def _answer(result: np.ndarray, a: Any, b: Any) -> Any:
    if any(_is_tensor(x) or (isinstance(x, list) and x and _is_tensor(x[0])) for x in (a, b)):
        return sys.modules["torch"].from_numpy(result)
    return result


def similarity(name: str, a: Any, b: Any) -> Any:
    """[n, m] of a [n, d] and b [m, d]; a torch tensor where one of them is."""
    x, y = _two(a, b)
    if name == "cosine":
        result = _normalized(x) @ _normalized(y).T
    elif name == "dot":
        result = x @ y.T
    else:
        result = _pairs(x, y, _euclidean if name == "euclidean" else _manhattan)
    return _answer(result, a, b)


def similarity_pairwise(name: str, a: Any, b: Any) -> Any:
    """[n] of a [n, d] and b [n, d], row by row."""
    x, y = _two(a, b)
    if x.shape != y.shape:
        raise UserError(f"embeddings of the shapes {x.shape} and {y.shape} are not as many")
    if name == "cosine":
        result = (_normalized(x) * _normalized(y)).sum(axis=-1)
    elif name == "dot":
        result = (x * y).sum(axis=-1)
    else:
        result = -(_euclidean if name == "euclidean" else _manhattan)(x - y)
    return _answer(result, a, b)
