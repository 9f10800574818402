"""Haystack's embedders. Needs haystack-ai."""

from dataclasses import replace
from typing import Any, Dict, List, Optional

from haystack import Document, component, default_from_dict, default_to_dict

from .._sentence_transformer import SentenceTransformer

__all__ = ["SgptDocumentEmbedder", "SgptTextEmbedder"]


class _Embedder:
    """``model`` is a folder or a name, ``options`` SentenceTransformer's keywords; the model is loaded at the first need."""

    def __init__(
        self, model: str, normalize_embeddings: bool = False, options: Optional[Dict[str, Any]] = None
    ) -> None:
        self.model = model
        self.normalize_embeddings = normalize_embeddings
        self.options = dict(options or {})
        self._loaded: Optional[SentenceTransformer] = None

    def warm_up(self) -> None:
        """Loads the model."""
        if self._loaded is None:
            self._loaded = SentenceTransformer(self.model, **self.options)

    def _ready(self) -> SentenceTransformer:
        self.warm_up()
        assert self._loaded is not None
        return self._loaded

    def _state(self) -> Dict[str, Any]:
        return {"model": self.model, "normalize_embeddings": self.normalize_embeddings, "options": self.options}


@component
class SgptTextEmbedder(_Embedder):
    """A query's embedding."""

    def to_dict(self) -> Dict[str, Any]:
        return default_to_dict(self, **self._state())

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> "SgptTextEmbedder":
        return default_from_dict(cls, data)

    @component.output_types(embedding=List[float])
    def run(self, text: str) -> Dict[str, Any]:
        """{"embedding": list of floats}"""
        return {"embedding": self._ready().encode_query(text, normalize_embeddings=self.normalize_embeddings).tolist()}


@component
class SgptDocumentEmbedder(_Embedder):
    """Documents with their embeddings."""

    def to_dict(self) -> Dict[str, Any]:
        return default_to_dict(self, **self._state())

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> "SgptDocumentEmbedder":
        return default_from_dict(cls, data)

    @component.output_types(documents=List[Document])
    def run(self, documents: List[Document]) -> Dict[str, Any]:
        """{"documents": the same, with `embedding`}; the given ones stay as they are."""
        texts = [document.content or "" for document in documents]
        if not texts:
            return {"documents": []}
        e = self._ready().encode_document(texts, normalize_embeddings=self.normalize_embeddings)
        return {"documents": [replace(document, embedding=row.tolist()) for document, row in zip(documents, e)]}
