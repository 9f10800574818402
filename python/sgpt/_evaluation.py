"""Retrieval metrics, as trec_eval and BEIR compute them."""

import os
from typing import Any, Dict, Mapping, Optional, Sequence, Union

from . import _sgpt
from ._encoder import Encoder
from ._errors import UserError
from ._hub import PathLike
from ._texts import shown, whole_number

CUTOFFS = (1, 3, 5, 10, 100, 1000)


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
    means, queries = _sgpt.evaluate(
        {q: dict(d) if isinstance(d, Mapping) else d for q, d in qrels.items()} if isinstance(qrels, Mapping) else qrels,
        {q: dict(d) if isinstance(d, Mapping) else d for q, d in run.items()} if isinstance(run, Mapping) else run,
        ks,
    )
    return queries if per_query else means


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
        raise UserError(f"model is {shown(model)} ({type(model).__name__}); expected an Encoder or a SentenceTransformer")
    options: Dict[str, Any] = {"data_set": data_set, "split": split, "keep_same_ids": bool(keep_same_ids)}
    if run_file is not None:
        options["run_file"] = os.fspath(run_file)
    if cache is not False:
        options["cache"] = "" if cache is True else os.fspath(cache)
    return _sgpt.evaluate_beir(encoder._encoder, os.fspath(data_path), **options)
