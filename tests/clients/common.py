"""What the scripts share: the server's address, the texts, and what `sgpt encode` gives for them."""
import importlib
import os
import sys

import numpy as np

URL = os.environ["SGPT_URL"]
FOLDER = os.environ["SGPT_FOLDER"]
TEXTS = open(f"{FOLDER}/texts.txt").read().splitlines()
QUERIES = np.load(f"{FOLDER}/query.npy")
DOCUMENTS = np.load(f"{FOLDER}/document.npy")


def package(name):
    """The package, or the end of the script, by name."""
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"skipped: {name} is not installed")
        sys.exit(0)


def same(rows, expected, what):
    rows = np.asarray(rows, dtype=np.float64).astype(np.float32)
    if rows.shape != expected.shape or not (rows == expected).all():
        sys.exit(f"{what}: not the embeddings of sgpt encode (shape {rows.shape}, expected {expected.shape})")
    print(f"ok: {what}")
