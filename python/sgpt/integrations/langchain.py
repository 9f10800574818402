"""LangChain's Embeddings. Needs langchain-core."""

from typing import Any, List

from langchain_core.embeddings import Embeddings

from .._sentence_transformer import SentenceTransformer

__all__ = ["SgptEmbeddings"]


class SgptEmbeddings(Embeddings):
    """``SgptEmbeddings("models/mine")``: queries and documents are told apart by themselves. Options are
    SentenceTransformer's; ``normalize_embeddings`` scales embeddings to length 1. Thread-safe."""

    def __init__(self, model: Any, *, normalize_embeddings: bool = False, **options: Any) -> None:
        self.model = model if isinstance(model, SentenceTransformer) else SentenceTransformer(model, **options)
        self.normalize_embeddings = normalize_embeddings

    def embed_documents(self, texts: List[str]) -> List[List[float]]:
        """An embedding a text."""
        if not texts:
            return []
        return self.model.encode_document(list(texts), normalize_embeddings=self.normalize_embeddings).tolist()

    def embed_query(self, text: str) -> List[float]:
        """The embedding of a query."""
        return self.model.encode_query(text, normalize_embeddings=self.normalize_embeddings).tolist()
