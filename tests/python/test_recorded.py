"""Shapes, types and kinds of errors are those of sentence-transformers 6, as recorded.json has them."""

import json
import pathlib

import numpy as np
import pytest

from record_sentence_transformers import CALLS, matrix, outcome, real_model
from sgpt._quantize import quantize

RECORDED = json.loads((pathlib.Path(__file__).parent / "recorded.json").read_text())


def needs_torch(call):
    options = CALLS[call][2]
    return options.get("convert_to_tensor") or options.get("convert_to_numpy") is False


@pytest.mark.parametrize("call", CALLS)
def test_calls(model, call):
    if needs_torch(call):
        pytest.importorskip("torch")
    expected = RECORDED["calls"][call]
    got = outcome(model, call)
    if "error" in expected:
        assert "ValueError" in got["error"]  # of whatever kind it is there: a mistake of the caller
    else:
        assert got == expected


@pytest.mark.parametrize("precision", RECORDED["quantized"])
def test_quantized(precision):
    assert np.array_equal(quantize(matrix(), precision), np.array(RECORDED["quantized"][precision]))


def test_live_where_it_is_installed(folder, model):
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    real = real_model(folder)
    for call in CALLS:
        expected = outcome(real, call)
        if "error" not in expected:
            assert outcome(model, call) == expected, call
    texts = ["a", "the ring", "in the air and on"]
    for method in ("encode", "encode_query", "encode_document"):
        np.testing.assert_allclose(getattr(model, method)(texts), getattr(real, method)(texts), atol=1e-4)
    ours, theirs = model.encode(texts), real.encode(texts)
    for name in ("cosine", "dot", "euclidean", "manhattan"):
        model.similarity_fn_name = real.similarity_fn_name = name
        np.testing.assert_allclose(model.similarity(ours, ours), real.similarity(theirs, theirs).numpy(), atol=1e-3)
    model.similarity_fn_name = "cosine"
