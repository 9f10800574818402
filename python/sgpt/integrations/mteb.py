"""mteb 2: a model for ``mteb.evaluate``. Needs mteb."""

from typing import Any, Dict, Optional

import numpy as np
from mteb.models.model_meta import ModelMeta

from .._sentence_transformer import SentenceTransformer

__all__ = ["SgptModel"]


def _name_of(model: SentenceTransformer) -> str:
    name = model.encoder._model.rstrip("/")
    parts = name.split("/")
    return name if len(parts) == 2 else f"sgpt/{parts[-1]}"


class SgptModel:
    """mteb's EncoderProtocol: ``mteb.evaluate(SgptModel("models/mine"), tasks)``. Options are SentenceTransformer's.

    mteb says of the texts of a retrieval task which are queries and which documents. Those of other tasks are neither, and are
    compared with each other: a bracket model sees all of them as queries, as ``sgpt eval --sts`` does.
    """

    def __init__(self, model_name: Any, revision: Optional[str] = None, *, device: Optional[str] = None, **options: Any) -> None:
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
