"""The class that programs know from sentence-transformers, computed by sgpt."""

import contextlib
import os
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Union

import numpy as np

from . import _pool, _save
from ._encoder import Encoder
from ._errors import UserError
from ._hub import PathLike
from ._log import bar, logger, wants_bar
from ._prompts import checked_prompts, choose
from ._quantize import PRECISIONS, quantize
from ._search import SIMILARITIES
from ._similarity import similarity, similarity_pairwise
from ._texts import one_of, shown, texts_of, whole_number
from ._tokenizer import Tokenizer

_DTYPES = {"float32": "f32", "bfloat16": "bf16", "int8": "int8", "auto": "auto"}


def _require_cpu(device: Any) -> None:
    if device is not None and str(device) not in ("cpu", "cpu:0"):
        raise UserError(f"device is {shown(str(device))}; sgpt computes on the cpu: leave it out, or say 'cpu'")


def _refuse_others(options: Optional[Mapping[str, Any]], name: str, known: Sequence[str]) -> Dict[str, Any]:
    unknown = sorted(set(options or {}) - set(known))
    if unknown:
        there = f"known are {', '.join(known)}" if known else "none is known"
        raise UserError(f"{name} has {', '.join(unknown)}, which sgpt does not know; {there}")
    return dict(options or {})


def _refuse_keywords(unknown: Mapping[str, Any], method: str, known: Sequence[str]) -> None:
    if unknown:
        listed = ", ".join(sorted(unknown))
        raise UserError(f"{method} has no keyword {listed}; it has {', '.join(known)}")


class _Card:
    """What evaluators tell a model of; kept here, and written nowhere."""

    def __init__(self) -> None:
        self.evaluations: List[Any] = []

    def set_evaluation_metrics(self, evaluator: Any, metrics: Any, *more: Any, **others: Any) -> None:
        self.evaluations.append((type(evaluator).__name__, metrics))


class SentenceTransformer:
    """A model that embeds texts, with the methods of ``sentence_transformers.SentenceTransformer``.

    ``model_name_or_path`` is a folder, or ORG/NAME on a hub (from the shared cache, or downloaded into it: ``cache_folder``,
    ``revision``, ``local_files_only``, ``token``). ``prompts`` stand beside the folder's own, and win; ``default_prompt_name``
    is what ``encode`` takes without a prompt. Nothing of a folder is ever executed, so ``trust_remote_code`` changes nothing.
    sgpt's own: ``dtype`` ("f32", "bf16", "int8", "auto"), ``threads`` (None: all cores), ``brackets`` (special brackets; by
    default as the folder says), ``pooling``, ``max_seq_length``, ``trained`` (a checkpoint's trained.safetensors).

    Raises UserError (a ValueError) for what is wrong or can't be honoured (``device="cuda"``, ``backend="onnx"``), MachineError
    when memory or network fail. Methods that embed and compare may be called from several threads at once; setting
    properties is for one. A pickle holds the path and the options (no token, no weights), and comes back as the model that
    the process has already loaded for them.
    """

    #: Texts that stand before texts, by name.
    prompts: Dict[str, str]
    #: The one that ``encode`` takes without another; None: none.
    default_prompt_name: Optional[str]
    model_card_data: Any

    def __init__(
        self,
        model_name_or_path: Optional[PathLike] = None,
        *,
        modules: Any = None,
        device: Any = None,
        prompts: Optional[Mapping[str, str]] = None,
        default_prompt_name: Optional[str] = None,
        similarity_fn_name: Optional[str] = None,
        cache_folder: Optional[PathLike] = None,
        trust_remote_code: bool = False,
        revision: Optional[str] = None,
        local_files_only: bool = False,
        token: Union[bool, str, None] = None,
        truncate_dim: Optional[int] = None,
        model_kwargs: Optional[Mapping[str, Any]] = None,
        processor_kwargs: Optional[Mapping[str, Any]] = None,
        tokenizer_kwargs: Optional[Mapping[str, Any]] = None,
        config_kwargs: Optional[Mapping[str, Any]] = None,
        model_card_data: Any = None,
        backend: str = "torch",
        dtype: Optional[str] = None,
        threads: Optional[int] = None,
        brackets: Optional[bool] = None,
        pooling: Union[str, Sequence[str], None] = None,
        max_seq_length: Optional[int] = None,
        trained: Optional[PathLike] = None,
    ) -> None:
        if model_name_or_path is None:
            raise UserError("model_name_or_path is None; expected a folder, or the name of a model on a hub")
        if modules is not None:
            raise UserError("modules is given, but sgpt makes a model of a folder alone")
        _require_cpu(device)
        if backend not in (None, "torch"):  # the word that callers leave as it is
            raise UserError(f"backend is {shown(backend)}; sgpt has no other than its own: leave it out")
        for_model = _refuse_others(model_kwargs, "model_kwargs", ("dtype", "torch_dtype"))
        for_texts = _refuse_others(
            {**(tokenizer_kwargs or {}), **(processor_kwargs or {})}, "processor_kwargs", ("model_max_length",)
        )
        _refuse_others(config_kwargs, "config_kwargs", ())
        for name in ("torch_dtype", "dtype"):
            if dtype is None and for_model.get(name) is not None:
                dtype = _DTYPES[
                    one_of(str(for_model[name]).replace("torch.", ""), tuple(_DTYPES), f"model_kwargs: {name}")
                ]
        if max_seq_length is None:
            max_seq_length = for_texts.get("model_max_length")
        encoder = Encoder(
            model_name_or_path,
            brackets=brackets,
            pooling=pooling,
            max_seq_length=max_seq_length,
            dtype=dtype,
            threads=threads,
            trained=trained,
            cache_folder=cache_folder,
            revision=revision,
            local_files_only=local_files_only,
            token=token,
        )
        own = checked_prompts(prompts)
        self._take(encoder)
        self.prompts.update(own)
        if default_prompt_name is not None:
            self.default_prompt_name = one_of(default_prompt_name, tuple(self.prompts), "default_prompt_name")
        if similarity_fn_name is not None:
            self.similarity_fn_name = similarity_fn_name
        if truncate_dim is not None:
            self.truncate_dim = truncate_dim
        if model_card_data is not None:
            self.model_card_data = model_card_data

    def _take(self, encoder: Encoder) -> None:
        settings = encoder.options
        self.encoder = encoder
        self.prompts = {"query": "", "document": "", **settings["prompts"]}
        self.default_prompt_name = settings["default_prompt_name"]
        self.model_card_data = _Card()
        self._similarity_name: str = settings["similarity"]
        self._truncate_dim: Optional[int] = None
        self._max_seq_length: Optional[int] = None

    def __getstate__(self) -> Dict[str, Any]:
        return {
            "encoder": self.encoder,
            "prompts": self.prompts,
            "default_prompt_name": self.default_prompt_name,
            "_similarity_name": self._similarity_name,
            "_truncate_dim": self._truncate_dim,
            "_max_seq_length": self._max_seq_length,
        }

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self._take(state["encoder"])
        self.__dict__.update(state)
        self.prompts = dict(state["prompts"])

    def __repr__(self) -> str:
        return f"SentenceTransformer({self.encoder!r})"

    # ------------------------------------------------------------------------------------------------ embeddings

    def encode(
        self,
        inputs: Any = None,
        prompt_name: Optional[str] = None,
        prompt: Optional[str] = None,
        batch_size: int = 32,
        show_progress_bar: Optional[bool] = None,
        output_value: Optional[str] = "sentence_embedding",
        precision: str = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: Any = None,
        normalize_embeddings: bool = False,
        truncate_dim: Optional[int] = None,
        pool: Optional[Dict[str, Any]] = None,
        chunk_size: Optional[int] = None,
        **kwargs: Any,
    ) -> Any:
        """Embeddings of texts: float32 [texts, d]; of one string [d]; of an empty list [0].

        ``inputs`` (or ``sentences=``) is a str, or anything that gives str. ``prompt`` is put before every text as it is;
        ``prompt_name`` names one of ``prompts``, and "query" and "document" ("passage", "corpus", "text") say what the texts
        are, which chooses the brackets of a model that has them. Embeddings are cut to ``truncate_dim``, then scaled to
        length 1, then quantized (``precision``: "int8", "uint8" between the least and largest number of each dimension in
        this call; "binary", "ubinary"). ``convert_to_tensor`` gives a torch tensor that shares the memory. A text's embedding
        does not depend on ``batch_size``: sgpt packs texts by their tokens. UserError names the text that is no str; Ctrl-C
        ends the call with KeyboardInterrupt.
        """
        if "sentences" in kwargs:
            if inputs is not None:
                raise UserError("both inputs and sentences are given; they are one and the same")
            inputs = kwargs.pop("sentences")
        task = kwargs.pop("task", None)
        _refuse_keywords(kwargs, "encode", _ENCODE_KEYWORDS)
        if task is not None:
            one_of(task, ("query", "document"), "task")
        if output_value != "sentence_embedding":
            raise UserError(
                f"output_value is {shown(output_value)}; sgpt gives 'sentence_embedding' alone, no token's own"
            )
        one_of(precision, PRECISIONS, "precision")
        whole_number(batch_size, "batch_size")
        texts, single = texts_of(inputs)
        kind, text = choose(
            self.prompts, self.default_prompt_name, self.encoder.options["brackets"], prompt_name, prompt, task
        )
        options: Dict[str, Any] = {"prompt": text}
        first = self._truncate_dim if truncate_dim is None else whole_number(truncate_dim, "truncate_dim")
        if first is not None:
            options["truncate_dim"] = first
        if normalize_embeddings:
            options["normalize"] = True
        if self._max_seq_length is not None:
            options["max_seq_length"] = self._max_seq_length
        if isinstance(device, (list, tuple)) and pool is None:
            with self._temporary_pool(device) as made:
                e = _pool.embed(made, texts, kind, options, chunk_size)
        elif pool is not None:
            e = _pool.embed(pool, texts, kind, options, chunk_size)
        else:
            _require_cpu(device)
            e = self._embed(texts, kind, options, wants_bar(show_progress_bar))
        if not len(texts):
            e = e.reshape(0) if convert_to_tensor else np.array([])  # as there: no rows, and no type
        elif precision != "float32":
            e = quantize(e, precision)
        return _converted(e[0] if single else e, convert_to_numpy, convert_to_tensor)

    def _embed(self, texts: Sequence[str], kind: str, options: Dict[str, Any], with_bar: bool) -> np.ndarray:
        shown_bar = bar("Texts", "texts", len(texts)) if with_bar and texts else None
        if shown_bar is None:
            return self.encoder._embed(texts, kind, **options)
        with shown_bar:
            e = self.encoder._embed(texts, kind, on_texts=lambda done: shown_bar.update(done - shown_bar.n), **options)
            shown_bar.update(len(texts) - shown_bar.n)
        return e

    def encode_query(
        self, inputs: Any = None, prompt_name: Optional[str] = None, prompt: Optional[str] = None, **options: Any
    ) -> Any:
        """``encode`` of queries, with the prompt "query" where none is given, and a query's brackets."""
        return self._encode_as("query", inputs, prompt_name, prompt, options)

    def encode_document(
        self, inputs: Any = None, prompt_name: Optional[str] = None, prompt: Optional[str] = None, **options: Any
    ) -> Any:
        """``encode`` of documents, with the prompt "document" where none is given, and a document's brackets."""
        return self._encode_as("document", inputs, prompt_name, prompt, options)

    def _encode_as(
        self, task: str, inputs: Any, prompt_name: Optional[str], prompt: Optional[str], options: Dict[str, Any]
    ) -> Any:
        options.setdefault("task", task)
        return self.encode(inputs, prompt_name, prompt, **options)

    def tokenize(self, texts: Any, prompt_name: Optional[str] = None) -> Dict[str, Any]:
        """{"input_ids", "attention_mask"}: int64 [texts, longest], the ids that the model sees, filled up behind with the
        tokenizer's <pad> (0 where it has none); torch tensors where torch is imported."""
        given, _ = texts_of(texts)
        kind, prompt = choose(
            self.prompts, self.default_prompt_name, self.encoder.options["brackets"], prompt_name, None, None
        )
        length = self.max_seq_length
        rows = [self.encoder.tokenize(text, kind, prompt=prompt, max_seq_length=length) for text in given]
        shape = (len(rows), max((len(row) for row in rows), default=0))
        ids = np.full(shape, self.tokenizer.token_to_id("<pad>") or 0, np.int64)
        mask = np.zeros(shape, np.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        return {"input_ids": _as_torch_where_imported(ids), "attention_mask": _as_torch_where_imported(mask)}

    # ------------------------------------------------------------------------------------------------ comparing

    @property
    def similarity_fn_name(self) -> str:
        """How embeddings are compared: cosine, dot, euclidean or manhattan (distances are negated)."""
        return self._similarity_name

    @similarity_fn_name.setter
    def similarity_fn_name(self, name: Any) -> None:
        self._similarity_name = one_of(getattr(name, "value", name), SIMILARITIES, "similarity_fn_name")

    @property
    def similarity(self) -> Callable[[Any, Any], Any]:
        """similarity(a, b): [n, m] of a [n, d] and b [m, d]; NumPy, or torch where one of them is torch's."""
        name = self._similarity_name
        return lambda a, b: similarity(name, a, b)

    @property
    def similarity_pairwise(self) -> Callable[[Any, Any], Any]:
        """similarity_pairwise(a, b): [n] of a [n, d] and b [n, d]."""
        name = self._similarity_name
        return lambda a, b: similarity_pairwise(name, a, b)

    # ------------------------------------------------------------------------------------------------ properties

    @property
    def max_seq_length(self) -> int:
        """Tokens of a text, with prompt, brackets and special tokens. Setting it reads no weights."""
        return self.encoder.max_seq_length if self._max_seq_length is None else self._max_seq_length

    @max_seq_length.setter
    def max_seq_length(self, length: Optional[int]) -> None:
        if length is None:
            self._max_seq_length = None
            return
        wanted = whole_number(length, "max_seq_length")
        positions = self.encoder.options["positions"]
        if positions and wanted > positions:
            logger.warning("the model has positions for %d tokens: texts are cut there, not at %d", positions, wanted)
            wanted = positions
        self.encoder.tokenize("", max_seq_length=wanted)  # refuses a length without room
        self._max_seq_length = wanted

    def get_max_seq_length(self) -> int:
        """``max_seq_length``."""
        return self.max_seq_length

    @property
    def truncate_dim(self) -> Optional[int]:
        """Only so many first numbers of each embedding; None: all."""
        return self._truncate_dim

    @truncate_dim.setter
    def truncate_dim(self, first: Optional[int]) -> None:
        whole = self.encoder.dimension
        if first is not None and whole_number(first, "truncate_dim") > whole:
            raise UserError(
                f"truncate_dim is {first}, but the model's embeddings have {whole} numbers: expected 1 to {whole}"
            )
        self._truncate_dim = None if first is None else int(first)

    @contextlib.contextmanager
    def truncate_embeddings(self, truncate_dim: Optional[int]) -> Iterator[None]:
        """``truncate_dim`` within a with statement."""
        before = self._truncate_dim
        self.truncate_dim = truncate_dim
        try:
            yield
        finally:
            self._truncate_dim = before

    truncate_sentence_embeddings = truncate_embeddings

    def get_embedding_dimension(self) -> int:
        """Numbers of an embedding."""
        return self._truncate_dim or self.encoder.dimension

    def get_sentence_embedding_dimension(self) -> int:
        """The old name of ``get_embedding_dimension``."""
        return self.get_embedding_dimension()

    @property
    def device(self) -> str:
        """Always "cpu"."""
        return "cpu"

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer, as it is in the folder."""
        return Tokenizer._of(self.encoder._encoder.tokenizer(), self.encoder.folder)

    def to(self, device: Any = None) -> "SentenceTransformer":
        """Itself, where ``device`` is the cpu."""
        _require_cpu(device)
        return self

    def eval(self) -> "SentenceTransformer":
        """Itself: nothing here trains."""
        return self

    def evaluate(self, evaluator: Callable[..., Any], output_path: Optional[PathLike] = None) -> Any:
        """What ``evaluator(model, output_path)`` gives."""
        if output_path is not None:
            os.makedirs(output_path, exist_ok=True)
        return evaluator(self, None if output_path is None else os.fspath(output_path))

    def save_pretrained(self, path: PathLike) -> None:
        """Writes the model's folder to ``path``, which must be new or empty, with prompts, similarity and max_seq_length as
        they are now. Weights stay as the folder has them."""
        _save.save(self, path)

    save = save_pretrained

    # ------------------------------------------------------------------------------------------------ processes

    def start_multi_process_pool(self, target_devices: Optional[Sequence[str]] = None) -> Dict[str, Any]:
        """Starts processes ("spawn") that each load the model: as many as devices, all "cpu"; by default four, or the cores
        where they are fewer. Each computes with its part of the cores."""
        devices = list(target_devices or ["cpu"] * min(4, len(os.sched_getaffinity(0))))
        for device in devices:
            _require_cpu(device)
        return _pool.start(self.encoder, len(devices))

    @staticmethod
    def stop_multi_process_pool(pool: Dict[str, Any]) -> None:
        """Ends the processes."""
        _pool.stop(pool)

    @contextlib.contextmanager
    def _temporary_pool(self, devices: Iterable[Any]) -> Iterator[Dict[str, Any]]:
        pool = self.start_multi_process_pool(list(devices))
        try:
            yield pool
        finally:
            _pool.stop(pool)

    def encode_multi_process(self, inputs: Any = None, pool: Optional[Dict[str, Any]] = None, **options: Any) -> Any:
        """``encode`` by the processes of a pool; the same bits."""
        if pool is None:
            raise UserError("pool is None; expected what start_multi_process_pool gave")
        return self.encode(inputs, pool=pool, **options)


_ENCODE_KEYWORDS = (
    "inputs",
    "prompt_name",
    "prompt",
    "batch_size",
    "show_progress_bar",
    "output_value",
    "precision",
    "convert_to_numpy",
    "convert_to_tensor",
    "device",
    "normalize_embeddings",
    "truncate_dim",
    "pool",
    "chunk_size",
    "task",
)


def _as_torch_where_imported(array: np.ndarray) -> Any:
    import sys

    torch = sys.modules.get("torch")
    return array if torch is None else torch.from_numpy(array)


def _converted(e: np.ndarray, to_numpy: bool, to_tensor: bool) -> Any:
    if to_numpy and not to_tensor:
        return e
    try:
        import torch
    except ImportError as error:
        raise UserError("torch is not installed, which convert_to_tensor and convert_to_numpy=False ask for") from error
    tensor = torch.from_numpy(e)
    return tensor if to_tensor or e.ndim == 1 and e.size else list(tensor)
