"""A real ``sentence_transformers.SentenceTransformer`` that sgpt computes, for programs that ask with isinstance.

Needs torch and sentence-transformers.
"""

from typing import Any, Dict, List, Optional

import torch
from sentence_transformers import SentenceTransformer as _Real

from ._sentence_transformer import SentenceTransformer as _Ours

try:
    from sentence_transformers.sentence_transformer.modules import InputModule
except ImportError:  # before version 6
    from sentence_transformers.models import InputModule

__all__ = ["SgptModule", "sentence_transformer"]


class SgptModule(InputModule):
    """The one module of such a model: texts in, embeddings out. ``task`` chooses a query's or a document's brackets."""

    forward_kwargs = {"task"}
    save_in_root = True

    def __init__(self, model: _Ours) -> None:
        super().__init__()
        self.model = model

    def preprocess(self, inputs: List[str], prompt: Optional[str] = None, **options: Any) -> Dict[str, Any]:
        return {"texts": list(inputs), "prompt": prompt}

    def tokenize(self, texts: List[str], **options: Any) -> Dict[str, Any]:
        return self.preprocess(texts, **options)

    def forward(self, features: Dict[str, Any], task: Optional[str] = None, **options: Any) -> Dict[str, Any]:
        e = self.model.encode(features["texts"], prompt=features.get("prompt"), task=task, show_progress_bar=False)
        features["sentence_embedding"] = torch.from_numpy(e)
        return features

    def get_sentence_embedding_dimension(self) -> int:
        return self.model.get_embedding_dimension()

    get_embedding_dimension = get_sentence_embedding_dimension

    @property
    def max_seq_length(self) -> int:
        return self.model.max_seq_length

    @max_seq_length.setter
    def max_seq_length(self, length: int) -> None:
        self.model.max_seq_length = length

    @property
    def tokenizer(self) -> Any:
        return self.model.tokenizer

    def save(self, output_path: str, *args: Any, **options: Any) -> None:
        raise NotImplementedError("save_pretrained of sgpt.SentenceTransformer writes the model's folder")

    @classmethod
    def load(cls, *args: Any, **options: Any) -> "SgptModule":
        raise NotImplementedError("sgpt.torch.sentence_transformer(path) makes such a model")


def sentence_transformer(path: Any, **options: Any) -> _Real:
    """A ``sentence_transformers.SentenceTransformer`` of one module, which is sgpt's.

    ``options`` are those of ``sgpt.SentenceTransformer``. ``encode_query`` and ``encode_document`` choose the brackets.
    """
    ours = _Ours(path, **options)
    return _Real(
        modules=[SgptModule(ours)],
        device="cpu",
        prompts=dict(ours.prompts),
        default_prompt_name=ours.default_prompt_name,
        similarity_fn_name=ours.similarity_fn_name,
    )
