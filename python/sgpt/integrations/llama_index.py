"""LlamaIndex's BaseEmbedding. Needs llama-index-core."""

import asyncio
from typing import Any, List

from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import PrivateAttr

from .._sentence_transformer import SentenceTransformer

__all__ = ["SgptEmbedding"]


class SgptEmbedding(BaseEmbedding):
    """``SgptEmbedding(model_name="models/mine")``. ``options`` are SentenceTransformer's keywords; ``normalize`` scales embeddings
    to length 1. Queries and documents are told apart by themselves."""

    normalize: bool = True
    options: dict = {}
    _model: SentenceTransformer = PrivateAttr()

    def __init__(self, model_name: str, **data: Any) -> None:
        super().__init__(model_name=model_name, **data)
        self._model = SentenceTransformer(model_name, **self.options)

    @classmethod
    def class_name(cls) -> str:
        return "SgptEmbedding"

    def _get_query_embedding(self, query: str) -> List[float]:
        return self._model.encode_query(query, normalize_embeddings=self.normalize).tolist()

    def _get_text_embedding(self, text: str) -> List[float]:
        return self._model.encode_document(text, normalize_embeddings=self.normalize).tolist()

    def _get_text_embeddings(self, texts: List[str]) -> List[List[float]]:
        return self._model.encode_document(texts, normalize_embeddings=self.normalize).tolist() if texts else []

    # The defaults would compute in the event loop's thread.
    async def _aget_query_embedding(self, query: str) -> List[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)

    async def _aget_text_embedding(self, text: str) -> List[float]:
        return await asyncio.to_thread(self._get_text_embedding, text)

    async def _aget_text_embeddings(self, texts: List[str]) -> List[List[float]]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)
