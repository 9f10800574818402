"""Texts to embeddings, as the C++ class of that name."""

import collections
import os
import threading
import weakref
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Union

import numpy as np

from . import _sgpt
from ._hub import PathLike, model_folder
from ._log import logger
from ._texts import one_of, texts_of, whole_number

DTYPES = ("f32", "bf16", "int8", "auto")
KINDS = ("query", "document", "plain")
POOLING = ("cls", "max", "mean", "mean_sqrt_len", "weightedmean", "lasttoken")

# Models of this process, by folder and options: a model that comes out of a pickle is the one that is loaded already. The
# last two that came out of one stay, for the next closure of a worker.
_loaded: "weakref.WeakValueDictionary[tuple, _sgpt.Encoder]" = weakref.WeakValueDictionary()
_kept: "collections.OrderedDict[tuple, _sgpt.Encoder]" = collections.OrderedDict()
_kept_at_most = 2
_lock = threading.Lock()


def _forget_lock_in_child() -> None:
    global _lock
    _lock = threading.Lock()  # another thread of the parent may have held it


os.register_at_fork(after_in_child=_forget_lock_in_child)


def _load(folder: str, options: Dict[str, Any], share: bool) -> "_sgpt.Encoder":
    key = (os.path.realpath(folder), tuple(sorted((k, str(v)) for k, v in options.items())))
    with _lock:
        encoder = _loaded.get(key) if share else None
    if encoder is None:
        encoder = _sgpt.Encoder(folder, options)
    with _lock:
        _loaded[key] = encoder
        if share:
            _kept[key] = encoder
            _kept.move_to_end(key)
            while len(_kept) > _kept_at_most:
                _kept.popitem(last=False)
    return encoder


def _restored(cls: Any, model: str, arguments: Dict[str, Any]) -> Any:
    made = cls.__new__(cls)
    made._set_up(model, arguments, share=True)
    return made


class Encoder:
    """A loaded model. Embeddings are float32 [texts, dimension], to the last bit those of ``sgpt encode``.

    ``model`` is a sentence-transformers folder, a plain checkpoint, or ORG/NAME on a hub (taken from the shared cache, or
    downloaded into it). What is left None is as the folder says:

    - ``brackets``: special brackets around texts (``[`` ``]`` queries, ``{`` ``}`` documents);
    - ``pooling``: a mode or a list of them: cls, max, mean, mean_sqrt_len, weightedmean, lasttoken;
    - ``attention``: "causal" or "bidirectional"; ``normalize``: scale embeddings to length 1;
    - ``max_seq_length``: tokens of a text; ``truncate_dim``: only so many first numbers of an embedding;
    - ``dtype``: "f32", "bf16", "int8" or "auto"; ``threads``: None is all cores; ``backend``: "cpu" or "reference";
    - ``trained``: a safetensors file whose tensors stand in for the folder's; ``append_eos_token``; ``token_budget``.

    Raises UserError when the folder is broken or not supported, MachineError when memory is short. All methods are
    thread-safe: the embedding of a text has the same bits whatever its batch-mates and the number of threads. A pickle
    holds the path and the options, and no weights.
    """

    def __init__(
        self,
        model: PathLike,
        *,
        brackets: Optional[bool] = None,
        pooling: Union[str, Sequence[str], None] = None,
        attention: Optional[str] = None,
        normalize: Optional[bool] = None,
        max_seq_length: Optional[int] = None,
        truncate_dim: Optional[int] = None,
        dtype: Optional[str] = None,
        threads: Optional[int] = None,
        backend: str = "cpu",
        trained: Optional[PathLike] = None,
        append_eos_token: bool = False,
        token_budget: Optional[int] = None,
        cache_folder: Optional[PathLike] = None,
        revision: Optional[str] = None,
        local_files_only: bool = False,
        token: Union[bool, str, None] = None,
    ) -> None:
        options: Dict[str, Any] = {
            "brackets": None if brackets is None else bool(brackets),
            "pooling": [
                one_of(mode, POOLING, "pooling") for mode in ([pooling] if isinstance(pooling, str) else pooling or [])
            ],
            "normalize": None if normalize is None else bool(normalize),
            "backend": backend,
            "append_eos_token": bool(append_eos_token),
        }
        if attention is not None:
            options["causal"] = one_of(attention, ("causal", "bidirectional"), "attention") == "causal"
        if max_seq_length is not None:
            options["max_seq_length"] = whole_number(max_seq_length, "max_seq_length")
        if truncate_dim is not None:
            options["truncate_dim"] = whole_number(truncate_dim, "truncate_dim")
        if dtype is not None:
            options["dtype"] = one_of(dtype, DTYPES, "dtype")
        if threads is not None:
            options["threads"] = whole_number(threads, "threads")
        if trained is not None:
            options["trained"] = os.path.abspath(os.fspath(trained))
        if token_budget is not None:
            options["token_budget"] = whole_number(token_budget, "token_budget")
        hub = {"cache_folder": cache_folder, "revision": revision, "local_files_only": bool(local_files_only)}
        self._set_up(model, {"options": options, "hub": hub}, share=False, token=token)

    def _set_up(self, model: Any, arguments: Dict[str, Any], share: bool, token: Union[bool, str, None] = None) -> None:
        folder = model_folder(model, token=token, **arguments["hub"])
        name = os.fspath(model)
        self._model = os.path.abspath(name) if os.path.isdir(name) else name
        self._arguments = arguments
        self._encoder = _load(folder, arguments["options"], share)
        self._settings: Dict[str, Any] = self._encoder.settings

    def __reduce__(self):
        return _restored, (type(self), self._model, self._arguments)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._model!r}, dimension={self.dimension}, dtype={self._settings['dtype']!r})"

    def encode(
        self,
        texts: Union[str, Iterable[str]],
        kind: str = "document",
        *,
        prompt: Optional[str] = None,
        max_seq_length: Optional[int] = None,
        truncate_dim: Optional[int] = None,
        normalize: Optional[bool] = None,
        on_texts: Optional[Callable[[int], None]] = None,
    ) -> np.ndarray:
        """Embeddings, float32 [texts, dimension]; of one string [dimension]. The array owns the library's memory.

        ``kind`` is "query", "document" or "plain". The keywords stand in for the encoder's own options in this call alone.
        ``on_texts`` is called, some twenty times a second, with the number of texts that are done; what it raises ends the
        call, as Ctrl-C does. UserError names the text that is none.
        """
        one_of(kind, KINDS, "kind")
        given, single = texts_of(texts, "texts")
        e = self._embed(
            given,
            kind,
            prompt=prompt,
            max_seq_length=None if max_seq_length is None else whole_number(max_seq_length, "max_seq_length"),
            truncate_dim=None if truncate_dim is None else whole_number(truncate_dim, "truncate_dim"),
            normalize=normalize,
            on_texts=on_texts,
        )
        return e[0] if single else e

    def _embed(self, texts: Sequence[str], kind: str, **options: Any) -> np.ndarray:
        e, cut = self._encoder.encode(texts, kind, **options)
        if cut:
            length = options.get("max_seq_length") or self.max_seq_length
            logger.debug("%d of %d texts were longer than %d tokens, and cut", len(cut), len(texts), length)
        return e

    def encode_queries(self, texts: Union[str, Iterable[str]], **options: Any) -> np.ndarray:
        """``encode`` of queries."""
        return self.encode(texts, "query", **options)

    def encode_documents(self, texts: Union[str, Iterable[str]], **options: Any) -> np.ndarray:
        """``encode`` of documents."""
        return self.encode(texts, "document", **options)

    def tokenize(
        self, text: str, kind: str = "document", *, prompt: Optional[str] = None, max_seq_length: Optional[int] = None
    ) -> List[int]:
        """The ids that the model sees for a text: stripped, behind its prompt, cut, in brackets."""
        one_of(kind, KINDS, "kind")
        return self._encoder.tokenize(text, kind, prompt=prompt, max_seq_length=max_seq_length)

    @property
    def dimension(self) -> int:
        """Numbers of an embedding."""
        return self._encoder.dimension

    @property
    def max_seq_length(self) -> int:
        """Tokens of a text, with prompt, brackets and special tokens."""
        return self._settings["max_seq_length"]

    @property
    def folder(self) -> str:
        """Where the model lies."""
        return self._encoder.folder

    @property
    def options(self) -> Dict[str, Any]:
        """What the encoder settled on: a copy, with nothing left unset."""
        return dict(self._encoder.settings)
