"""sgpt from Python: embeddings of decoder language models, computed by the library that the program ``sgpt`` is made of.

A text has the same embedding, to the last bit, here and from ``sgpt encode``. NumPy is all that is needed.

>>> from sgpt import SentenceTransformer
>>> model = SentenceTransformer("models/sgpt-bloom-560m")
>>> model.similarity(model.encode_query("how do I edit photos?"), model.encode_document(["GIMP", "a violin"]))

Log lines go to ``logging`` under the name "sgpt". Everything that computes, reads or searches lets other Python threads
run meanwhile. Ctrl-C ends what embeds, searches and trains.
"""

import os as _os


def _libgomp_is_loaded() -> bool:
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            return any("libgomp" in line or "libiomp" in line or "libomp" in line for line in maps)
    except OSError:
        return True


def _load_module() -> None:
    # Waiting OpenMP threads spin by default: processes that compute side by side, as workers of a pool do, then take four
    # times as long. The variable is read once, when the OpenMP library is loaded; what the user has set stands.
    name = "OMP_WAIT_POLICY"
    ours = name not in _os.environ and not _libgomp_is_loaded()
    if ours:
        _os.environ[name] = "passive"
    try:
        from . import _sgpt  # noqa: F401
    except ImportError as error:
        if "libgomp" in str(error):
            raise ImportError(f"{error}: sgpt needs the OpenMP library of gcc: install the package libgomp1") from error
        raise
    finally:
        if ours:
            del _os.environ[name]


_load_module()

from . import _log  # noqa: E402,F401  (log lines go to logging from now on)
from ._encoder import Encoder  # noqa: E402
from ._errors import MachineError, UserError  # noqa: E402
from ._evaluation import evaluate, evaluate_beir  # noqa: E402
from ._hub import pull  # noqa: E402
from ._search import exact_search  # noqa: E402
from ._sentence_transformer import SentenceTransformer  # noqa: E402
from ._sgpt import version as __version__  # noqa: E402
from ._tokenizer import Tokenizer  # noqa: E402
from ._train import train  # noqa: E402

__all__ = [
    "Encoder",
    "MachineError",
    "SentenceTransformer",
    "Tokenizer",
    "UserError",
    "__version__",
    "evaluate",
    "evaluate_beir",
    "exact_search",
    "pull",
    "train",
]
