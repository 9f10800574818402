"""The model that ``beir.retrieval.search.dense.DenseRetrievalExactSearch`` asks for. Needs no package beside sgpt."""

from typing import Any, List, Mapping, Sequence, Union

from .._errors import UserError
from .._sentence_transformer import SentenceTransformer
from .._texts import document_text, shown

__all__ = ["Model"]

_Corpus = Union[Sequence[Mapping[str, str]], Mapping[str, Sequence[str]], Sequence[str]]


def _documents(corpus: _Corpus) -> List[str]:
    if isinstance(corpus, str):
        raise UserError(f"corpus is the one string {shown(corpus)}; expected a list of documents")
    if isinstance(corpus, Mapping):
        if "text" not in corpus:
            raise UserError(f"corpus has the keys {', '.join(map(str, corpus))}; expected 'text'")
        texts = corpus["text"]
        titles: Sequence[Any] = corpus.get("title") or [""] * len(texts)
        if len(titles) != len(texts):
            raise UserError(f"corpus has {len(titles)} titles and {len(texts)} texts; expected as many")
        return [document_text(title, text, f"document {i}") for i, (title, text) in enumerate(zip(titles, texts))]
    result: List[Any] = []
    for i, document in enumerate(corpus):
        if isinstance(document, Mapping):
            if "text" not in document:
                raise UserError(f"document {i} has the keys {', '.join(map(str, document))}; expected 'text'")
            result.append(document_text(document.get("title"), document["text"], f"document {i}"))
        else:
            result.append(document)
    return result


class Model:
    """``DenseRetrievalExactSearch(Model("models/mine"), batch_size=128)``. Options are SentenceTransformer's."""

    def __init__(self, model: Any, **options: Any) -> None:
        self.model = model if isinstance(model, SentenceTransformer) else SentenceTransformer(model, **options)

    def encode_queries(self, queries: Sequence[str], batch_size: int = 32, **options: Any) -> Any:
        """Embeddings [queries, d]."""
        if isinstance(queries, str):
            raise UserError(f"queries is the one string {shown(queries)}; expected a list")
        return self.model.encode_query(queries, batch_size=batch_size, **options)

    def encode_corpus(self, corpus: _Corpus, batch_size: int = 32, **options: Any) -> Any:
        """Embeddings [documents, d] of a list of {"title", "text"}, of a dict of lists, or of a list of str."""
        return self.model.encode_document(_documents(corpus), batch_size=batch_size, **options)

    def similarity(self, a: Any, b: Any) -> Any:
        """As the model's folder says that embeddings are compared."""
        return self.model.similarity(a, b)
