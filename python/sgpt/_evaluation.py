"""Retrieval metrics, as trec_eval and BEIR compute them."""

import os
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Union

from . import _sgpt
from ._encoder import Encoder
from ._errors import UserError
from ._hub import PathLike
from ._texts import shown, whole_number

CUTOFFS = (1, 3, 5, 10, 100, 1000)


def _is_relevance(value: Any) -> bool:
    return hasattr(type(value), "__index__")


def _is_score(value: Any) -> bool:
    return hasattr(type(value), "__float__") or _is_relevance(value)


def _dicts(given: Any, what: str, number: str, fits: Callable[[Any], bool]) -> Dict[str, Dict[str, Any]]:
    """A dict of dicts; UserError names the query and the document of what is something else."""
    if not isinstance(given, Mapping):
        raise UserError(
            f"{what} is a {type(given).__name__}; expected a dict of dicts: query id, document id, {number}"
        )
    for query, documents in given.items():
        if not isinstance(query, str):
            raise UserError(f"{what}: a query's id is {shown(query)} ({type(query).__name__}); expected str")
        at = f"{what}: query {query}"
        if not isinstance(documents, Mapping):
            raise UserError(f"{at} has a {type(documents).__name__}; expected a dict: document id, {number}")
        for document, value in documents.items():
            if not isinstance(document, str):
                raise UserError(f"{at}: a document's id is {shown(document)} ({type(document).__name__}); expected str")
            if not fits(value):
                raise UserError(f"{at}, document {document} has a {type(value).__name__}; expected {number}")
    return {query: dict(documents) for query, documents in given.items()}


def evaluate(
    qrels: Mapping[str, Mapping[str, int]],
    run: Mapping[str, Mapping[str, float]],
    cutoffs: Sequence[int] = CUTOFFS,
    *,
    per_query: bool = False,
) -> Dict[str, Any]:
    """Means over queries: {"NDCG@10": …, "MAP@10": …, "Recall@10": …, "P@10": …, "MRR@10": …, "R_cap@10": …, …}.

    ``qrels`` is {query: {document: relevance}}, ``run`` {query: {document: score}}. Values are not rounded (BEIR rounds to
    five places). With ``per_query`` {query: {metric: value}} of the queries that are both judged and run. Raises UserError
    where an id is no str, a relevance no int, a score no number, or cutoffs are not ascending.
    """
    ks = [whole_number(k, "a cutoff") for k in cutoffs]
    judged = _dicts(qrels, "qrels", "a relevance (int)", _is_relevance)
    found = _dicts(run, "run", "a score (float)", _is_score)
    means, queries = _sgpt.evaluate(judged, found, ks)
    if per_query:
        return queries
    return means


def evaluate_beir(
    model: Any,
    data_path: PathLike,
    *,
    data_set: str = "",
    split: str = "",
    keep_same_ids: bool = False,
    run_file: Optional[PathLike] = None,
    cache: Union[bool, PathLike] = False,
) -> Dict[str, Dict[str, float]]:
    """Evaluates a model on a data set in BEIR's format, as ``sgpt eval`` does: {data set: {"NDCG@10": …}}, five places.

    ``model`` is an Encoder, a SentenceTransformer, or what an Encoder is made of. ``data_path`` is a folder with
    corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv, or a folder of such folders (``data_set`` names one). ``cache`` keeps
    the corpus' embeddings: True beside the corpus, or in the file that is named. Raises UserError on a broken data set.
    """
    encoder = getattr(model, "encoder", model)
    if isinstance(encoder, (str, os.PathLike)):
        encoder = Encoder(encoder)
    if not isinstance(encoder, Encoder):
        raise UserError(
            f"model is {shown(model)} ({type(model).__name__}); expected an Encoder or a SentenceTransformer"
        )
    options: Dict[str, Any] = {"data_set": data_set, "split": split, "keep_same_ids": bool(keep_same_ids)}
    if run_file is not None:
        options["run_file"] = os.fspath(run_file)
    if cache is not False:
        options["cache"] = "" if cache is True else os.fspath(cache)
    return _sgpt.evaluate_beir(encoder._encoder, os.fspath(data_path), **options)
