"""Training."""

import os
from typing import Any, Callable, Dict, Optional, Union

from . import _sgpt
from ._encoder import POOLING
from ._errors import UserError
from ._hub import PathLike, model_folder
from ._log import bar, wants_bar
from ._texts import one_of, shown, whole_number

_MOST_WHOLE = 1 << 30


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not hasattr(type(value), "__float__") or not 0 <= float(value) < float("inf"):
        raise UserError(f"{name} is {shown(value)}; expected a number of 0 or more")
    return float(value)


def _whole(value: Any, name: str, least: int = 1, most: int = _MOST_WHOLE) -> int:
    number = whole_number(value, name, least)
    if number > most:
        raise UserError(f"{name} is {number}; expected at most {most}")
    return number


def _prompt(value: Any, name: str) -> Optional[str]:
    if value is not None and not isinstance(value, str):
        raise UserError(f"{name} is {shown(value)} ({type(value).__name__}); expected str")
    return value


def train(
    *,
    model_name: PathLike,
    train_data: PathLike,
    model_save_path: PathLike,
    pooling: str = "mean",
    specb: bool = False,
    query_prompt: Optional[str] = None,
    document_prompt: Optional[str] = None,
    max_seq_length: int = 300,
    negatives_per_query: int = 0,
    train_dataset_max_size: int = 0,
    no_shuffle: bool = False,
    no_duplicates: bool = False,
    train_batch_size: int = 64,
    epochs: int = 10,
    steps_per_epoch: int = 0,
    gradient_accumulation: int = 1,
    lr: float = 2e-5,
    scheduler: str = "WarmupLinear",
    warmup_steps: Optional[int] = None,
    weight_decay: float = 0.01,
    max_grad_norm: float = 1.0,
    scale: float = 20.0,
    seed: int = 0,
    freeze: bool = False,
    freezenonbias: bool = False,
    unfreezewte: bool = False,
    gradcache: bool = False,
    chunksize: Union[int, str] = 1,
    activation_memory: Optional[int] = None,
    no_checkpoints: bool = False,
    checkpoint_save_steps: int = 0,
    checkpoint_save_total_limit: int = 0,
    resume: bool = False,
    log_file: Optional[PathLike] = None,
    dtype: str = "f32",
    backend: str = "cpu",
    threads: Optional[int] = None,
    on_step: Optional[Callable[[Dict[str, Any]], object]] = None,
    show_progress_bar: Optional[bool] = None,
) -> Dict[str, Any]:
    """Trains a bi-encoder and writes a sentence-transformers folder, as ``sgpt train`` does: the same options give the same
    file, byte for byte.

    Keywords are named as the program's options, with the same defaults. ``train_data`` is JSON lines of {"query",
    "positive", "negative"}, or a BEIR folder with qrels/train.tsv; the recipes of MS MARCO and NLI are the program's alone.
    ``chunksize`` may be "auto"; ``activation_memory`` is in bytes. An SGPT model proper wants ``pooling="weightedmean"``,
    ``specb`` and ``freezenonbias``.

    ``on_step`` is called after each step with {"step", "total_steps", "loss", "gradient_norm", "learning_rate", "tokens",
    "tokens_per_second"}. What it raises, and Ctrl-C, ends the step in work; a checkpoint is saved (unless
    ``no_checkpoints``), then it is raised on. The same call with ``resume=True`` ends with the same file.

    Returns {"steps", "resumed_at", "tokens", "last_loss", "seconds", "examples", "trained_parameters", "was_finished"}.
    Raises UserError for wrong options and data, MachineError when the machine fails. Other Python threads run meanwhile.
    """
    if chunksize != "auto":
        whole_number(chunksize, "chunksize")
    if (checkpoint_save_steps or checkpoint_save_total_limit) and no_checkpoints:
        raise UserError("no_checkpoints and checkpoint_save_… exclude each other")
    if (chunksize != 1 or activation_memory is not None) and not gradcache:
        raise UserError("chunksize and activation_memory need gradcache")
    options: Dict[str, Any] = {
        "model_name": model_folder(model_name),
        "train_data": os.fspath(train_data),
        "model_save_path": os.fspath(model_save_path),
        "pooling": one_of(pooling, POOLING, "pooling"),
        "specb": bool(specb),
        "query_prompt": _prompt(query_prompt, "query_prompt"),
        "document_prompt": _prompt(document_prompt, "document_prompt"),
        "max_seq_length": _whole(max_seq_length, "max_seq_length"),
        "negatives_per_query": _whole(negatives_per_query, "negatives_per_query", 0),
        "train_dataset_max_size": _whole(train_dataset_max_size, "train_dataset_max_size", 0),
        "shuffle": not no_shuffle,
        "no_duplicates": bool(no_duplicates),
        "train_batch_size": _whole(train_batch_size, "train_batch_size"),
        "epochs": _whole(epochs, "epochs"),
        "steps_per_epoch": _whole(steps_per_epoch, "steps_per_epoch", 0),
        "gradient_accumulation": _whole(gradient_accumulation, "gradient_accumulation"),
        "lr": _number(lr, "lr"),
        "scheduler": scheduler,
        "warmup_steps": None if warmup_steps is None else _whole(warmup_steps, "warmup_steps", 0),
        "weight_decay": _number(weight_decay, "weight_decay"),
        "max_grad_norm": _number(max_grad_norm, "max_grad_norm"),
        "scale": _number(scale, "scale"),
        "seed": _whole(seed, "seed", 0, (1 << 63) - 1),
        "freeze": bool(freeze),
        "freezenonbias": bool(freezenonbias),
        "unfreezewte": bool(unfreezewte),
        "gradcache": bool(gradcache),
        "chunksize": 0 if chunksize == "auto" else _whole(chunksize, "chunksize"),
        "activation_memory": None
        if activation_memory is None
        else _whole(activation_memory, "activation_memory", 0, 1 << 62),
        "checkpoints": not no_checkpoints,
        "checkpoint_save_steps": _whole(checkpoint_save_steps, "checkpoint_save_steps", 0),
        "checkpoint_save_total_limit": _whole(checkpoint_save_total_limit, "checkpoint_save_total_limit", 0),
        "resume": bool(resume),
        "dtype": one_of(dtype, ("auto", "f32", "bf16"), "dtype"),
        "backend": backend,
        "threads": 0 if threads is None else _whole(threads, "threads", 1, 4096),
        "command": "sgpt.train(…)",
    }
    if not isinstance(scheduler, str) or not isinstance(backend, str):
        raise UserError("scheduler and backend are names; expected str")
    if log_file is not None:
        options["log_file"] = os.fspath(log_file)
    shown_bar = None

    def told(step: Dict[str, Any]) -> None:
        nonlocal shown_bar
        if shown_bar is None and wants_bar(show_progress_bar):
            shown_bar = bar("Training", "steps", step["total_steps"])
        if shown_bar is not None:
            shown_bar.update(step["step"] + 1 - shown_bar.n)
            shown_bar.set_postfix_str(f"loss {step['loss']:.4f}", refresh=False)
        if on_step is not None:
            on_step(step)

    try:
        return _sgpt.train(options, told)
    finally:
        if shown_bar is not None:
            shown_bar.close()
