from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

version: str

class UserError(ValueError): ...
class MachineError(RuntimeError): ...

class Encoder:
    def __init__(
        self,
        folder: str,
        *,
        brackets: Optional[bool] = ...,
        pooling: Sequence[str] = ...,
        causal: Optional[bool] = ...,
        normalize: Optional[bool] = ...,
        max_seq_length: Optional[int] = ...,
        truncate_dim: Optional[int] = ...,
        dtype: Optional[str] = ...,
        threads: int = ...,
        backend: str = ...,
        trained: Optional[str] = ...,
        append_eos_token: bool = ...,
        token_budget: int = ...,
    ) -> None: ...
    def encode(
        self,
        texts: Sequence[str],
        kind: str,
        *,
        prompt: Optional[str] = ...,
        max_seq_length: Optional[int] = ...,
        truncate_dim: Optional[int] = ...,
        normalize: Optional[bool] = ...,
        on_texts: Optional[Callable[[int], object]] = ...,
    ) -> Tuple[npt.NDArray[np.float32], List[int]]: ...
    def tokenize(
        self, text: str, kind: str, *, prompt: Optional[str] = ..., max_seq_length: Optional[int] = ...
    ) -> List[int]: ...
    def tokenizer(self) -> Tokenizer: ...
    @property
    def dimension(self) -> int: ...
    @property
    def whole_dimension(self) -> int: ...
    @property
    def folder(self) -> str: ...
    @property
    def settings(self) -> Dict[str, Any]: ...

class Tokenizer:
    def __init__(self, path: str) -> None: ...
    def encode(self, text: str, *, max_tokens: Optional[int] = ..., special_tokens: bool = ...) -> List[int]: ...
    def decode(self, ids: Sequence[int]) -> str: ...
    def token_to_id(self, token: str) -> Optional[int]: ...
    @property
    def vocab_size(self) -> int: ...

def exact_search(
    queries: npt.NDArray[np.float32], documents: npt.NDArray[np.float32], top_k: int, similarity: str, threads: int
) -> Tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]: ...
def evaluate(
    qrels: Dict[str, Dict[str, int]], run: Dict[str, Dict[str, float]], cutoffs: Sequence[int]
) -> Tuple[Dict[str, float], Dict[str, Dict[str, float]]]: ...
def train(options: Dict[str, Any], on_step: Optional[Callable[[Dict[str, Any]], object]] = ...) -> Dict[str, Any]: ...
def evaluate_beir(
    encoder: Encoder,
    data_path: str,
    *,
    data_set: str = ...,
    split: str = ...,
    keep_same_ids: bool = ...,
    run_file: Optional[str] = ...,
    cache: Optional[str] = ...,
) -> Dict[str, Dict[str, float]]: ...
def send_messages_to(function: Optional[Callable[[bool, str], object]]) -> None: ...
def send_progress_to(function: Optional[Callable[[str, str, int, int, str, bool], object]]) -> None: ...
def resolve_model(
    name: str,
    *,
    cache: Optional[str] = ...,
    token: Optional[str] = ...,
    offline: Optional[bool] = ...,
    update: bool = ...,
) -> str: ...
