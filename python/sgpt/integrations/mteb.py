"""mteb 2: a model for ``mteb.evaluate``. Needs mteb."""

from typing import Any, Dict, List, Mapping, Optional

import numpy as np
from mteb.models.model_meta import ModelMeta

from .._errors import UserError
from .._search import exact_search
from .._sentence_transformer import SentenceTransformer
from .._texts import document_text, shown

__all__ = ["SgptModel", "SgptSearch"]


def _name_of(model: SentenceTransformer) -> str:
    name = model.encoder._model.rstrip("/")
    parts = name.split("/")
    return name if len(parts) == 2 else f"sgpt/{parts[-1]}"


class SgptModel:
    """mteb's EncoderProtocol: ``mteb.evaluate(SgptModel("models/mine"), tasks)``. Options are SentenceTransformer's.

    mteb says of the texts of a retrieval task which are queries and which documents. Those of other tasks are neither, and are
    compared with each other: a bracket model sees all of them as queries, as ``sgpt eval --sts`` does.
    """

    def __init__(
        self, model_name: Any, revision: Optional[str] = None, *, device: Optional[str] = None, **options: Any
    ) -> None:
        if isinstance(model_name, SentenceTransformer):
            self.model = model_name
        else:
            self.model = SentenceTransformer(model_name, revision=revision, device=device, **options)
        self.mteb_model_meta = ModelMeta.create_empty().model_copy(update=self._facts(revision))

    def _facts(self, revision: Optional[str]) -> Dict[str, Any]:
        facts: Dict[str, Any] = {
            "name": _name_of(self.model),
            "revision": revision or "local",
            "embed_dim": self.model.get_embedding_dimension(),
            "max_tokens": self.model.max_seq_length,
            "similarity_fn_name": self.model.similarity_fn_name,
            "modalities": ["text"],
        }
        return {name: value for name, value in facts.items() if name in ModelMeta.model_fields}

    def encode(
        self,
        inputs: Any,
        *,
        task_metadata: Any = None,
        hf_split: Optional[str] = None,
        hf_subset: Optional[str] = None,
        prompt_type: Any = None,
        batch_size: int = 32,
        show_progress_bar: Optional[bool] = None,
        precision: str = "float32",
        **others: Any,
    ) -> np.ndarray:
        """Embeddings [n, d] of a loader's batches, texts in ``batch["text"]``."""
        texts = [text for batch in inputs for text in batch["text"]]
        kind = getattr(prompt_type, "value", prompt_type)
        task = "document" if kind in ("document", "passage") else "query"
        if not texts:
            return np.zeros((0, self.model.get_embedding_dimension()), np.float32)
        return self.model.encode(
            texts, task=task, batch_size=batch_size, show_progress_bar=show_progress_bar, precision=precision
        )

    def similarity(self, a: Any, b: Any) -> Any:
        """[n, m], a torch tensor as mteb wants it."""
        import torch

        return torch.as_tensor(self.model.similarity(np.asarray(a), np.asarray(b)))

    def similarity_pairwise(self, a: Any, b: Any) -> Any:
        """[n], a torch tensor."""
        import torch

        return torch.as_tensor(self.model.similarity_pairwise(np.asarray(a), np.asarray(b)))


class SgptSearch(SgptModel):
    """mteb's SearchProtocol as well: retrieval by sgpt's own exact search. Other tasks are SgptModel's."""

    def index(
        self,
        corpus: Any,
        *,
        task_metadata: Any = None,
        hf_split: Optional[str] = None,
        hf_subset: Optional[str] = None,
        encode_kwargs: Optional[Mapping[str, Any]] = None,
        num_proc: Optional[int] = None,
        **others: Any,
    ) -> None:
        """Embeds a corpus of {"id", "title", "text"}."""
        self._ids = [str(row["id"]) for row in corpus]
        texts = [document_text(row.get("title"), row["text"], f"document {row['id']}") for row in corpus]
        self._corpus = self.model.encode_document(texts, **_known(encode_kwargs)).reshape(len(texts), -1)

    def search(
        self,
        queries: Any,
        *,
        task_metadata: Any = None,
        hf_split: Optional[str] = None,
        hf_subset: Optional[str] = None,
        top_k: int = 1000,
        encode_kwargs: Optional[Mapping[str, Any]] = None,
        top_ranked: Optional[Mapping[str, List[str]]] = None,
        num_proc: Optional[int] = None,
        **others: Any,
    ) -> Dict[str, Dict[str, float]]:
        """{query: {document: score}}: the top_k documents, or all of those that ``top_ranked`` lists."""
        ids = [str(row["id"]) for row in queries]
        texts = [_query_text(row) for row in queries]
        if not ids or not self._ids:
            return {query: {} for query in ids}
        q = self.model.encode_query(texts, **_known(encode_kwargs))
        name = self.model.similarity_fn_name
        if top_ranked is None:
            places, scores = exact_search(q, self._corpus, top_k, similarity=name)
            return {
                query: {self._ids[place]: float(score) for place, score in zip(places[i], scores[i]) if place >= 0}
                for i, query in enumerate(ids)
            }
        place_of = {document: place for place, document in enumerate(self._ids)}
        result: Dict[str, Dict[str, float]] = {}
        for i, query in enumerate(ids):
            listed = [str(document) for document in top_ranked.get(query, [])]
            rows = self._corpus[[place_of[document] for document in listed]]
            found = self.model.similarity(q[i], rows)[0] if listed else []
            result[query] = {document: float(score) for document, score in zip(listed, found)}
        return result


def _query_text(row: Any) -> str:
    if not isinstance(row["text"], str):
        raise UserError(
            f"query {row['id']} is no text but {shown(row['text'])}: SgptSearch takes plain queries, SgptModel others"
        )
    instruction = row.get("instruction")
    return f"{row['text']} {instruction}" if instruction else row["text"]


def _known(options: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    return {name: value for name, value in (options or {}).items() if name in ("batch_size", "show_progress_bar")}
