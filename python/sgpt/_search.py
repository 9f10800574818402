"""Exact search over embeddings."""

from typing import Any, Optional, Tuple

import numpy as np

from . import _sgpt
from ._errors import UserError
from ._texts import one_of, whole_number

SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")


def _rows(given: Any, name: str) -> np.ndarray:
    array = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    if array.dtype.kind != "f" or array.ndim not in (1, 2):
        raise UserError(
            f"{name} has the shape {array.shape} and the type {array.dtype}; expected floats [rows, dimension]"
        )
    return np.ascontiguousarray(np.atleast_2d(array), dtype=np.float32)


def exact_search(
    queries: Any, documents: Any, top_k: int = 10, *, similarity: str = "cosine", threads: Optional[int] = None
) -> Tuple[np.ndarray, np.ndarray]:
    """The documents whose embeddings are most similar to each query's, found by computing every similarity.

    ``queries`` [n, d] and ``documents`` [m, d] are floats; float32 in rows is searched where it lies, other floats are
    converted. ``similarity`` is "cosine", "dot", "euclidean" or "manhattan" (distances are negated). Returns
    (places int64 [n, k], scores float32 [n, k]), k being the smaller one of ``top_k`` and m: best first, equal scores by
    place. A score that is no number is no hit: such places are -1, their scores minus infinity. Raises UserError when the
    shapes do not fit. Thread-safe; Ctrl-C ends it.
    """
    q, d = _rows(queries, "queries"), _rows(documents, "documents")
    if q.shape[1] != d.shape[1]:
        raise UserError(f"queries have the shape {q.shape}, documents {d.shape}; expected the same dimension")
    k = whole_number(top_k, "top_k")
    name = one_of(similarity, SIMILARITIES, "similarity")
    return _sgpt.exact_search(q, d, k, name, 0 if threads is None else whole_number(threads, "threads"))
