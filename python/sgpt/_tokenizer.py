"""Texts to token ids and back."""

import os
from typing import Iterable, List, Optional, Union

from . import _sgpt
from ._texts import whole_number


class Tokenizer:
    """A byte-level BPE tokenizer, with the ids that the ``tokenizers`` library gives for the same tokenizer.json.

    ``path`` is a tokenizer.json, or a model's folder. Raises UserError when a file is missing or broken, or has a part that
    is not supported. Immutable; all methods are thread-safe.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        self._path = os.path.abspath(os.fspath(path))
        self._tokenizer = _sgpt.Tokenizer(os.fspath(path))

    @classmethod
    def _of(cls, tokenizer: "_sgpt.Tokenizer", path: str) -> "Tokenizer":
        made = cls.__new__(cls)
        made._path, made._tokenizer = os.path.abspath(path), tokenizer
        return made

    def encode(self, text: str, *, max_tokens: Optional[int] = None, special_tokens: bool = False) -> List[int]:
        """The ids of a text, at most ``max_tokens``; with what the tokenizer puts around a text where asked for."""
        most = None if max_tokens is None else whole_number(max_tokens, "max_tokens", 0)
        return self._tokenizer.encode(text, max_tokens=most, special_tokens=special_tokens)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids; bytes that are no UTF-8 become U+FFFD. UserError on an id that is not there."""
        return self._tokenizer.decode([whole_number(i, "an id", 0) for i in ids])

    def token_to_id(self, token: str) -> Optional[int]:
        """The id of a token as it stands in the vocabulary."""
        return self._tokenizer.token_to_id(token)

    @property
    def vocab_size(self) -> int:
        """Number of ids, added tokens included."""
        return self._tokenizer.vocab_size

    def __len__(self) -> int:
        return self.vocab_size

    def __reduce__(self):
        return Tokenizer, (self._path,)
