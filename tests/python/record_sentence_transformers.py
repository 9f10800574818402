"""Makes recorded.json: what sentence-transformers gives for calls of tests/python/test_recorded.py (shapes, types, errors),
and how it quantizes. usage: record_sentence_transformers.py MODEL_FOLDER   (needs sentence-transformers 6 and torch)"""

import json
import pathlib
import sys

import numpy as np

CALLS = {
    "one string": ("encode", "a", {}),
    "one in a list": ("encode", ["a"], {}),
    "three": ("encode", ["a", "the ring", ""], {}),
    "a tuple": ("encode", ["a", "b"], {}),
    "none": ("encode", [], {}),
    "none, tensor": ("encode", [], {"convert_to_tensor": True}),
    "none, list": ("encode", [], {"convert_to_numpy": False}),
    "none, int8": ("encode", [], {"precision": "int8"}),
    "query": ("encode_query", "a", {}),
    "documents": ("encode_document", ["a", "b"], {}),
    "tensor": ("encode", ["a", "b"], {"convert_to_tensor": True}),
    "tensor of one": ("encode", "a", {"convert_to_tensor": True}),
    "list": ("encode", ["a", "b"], {"convert_to_numpy": False}),
    "list of one": ("encode", "a", {"convert_to_numpy": False}),
    "normalized": ("encode", ["a", "b"], {"normalize_embeddings": True}),
    "truncated": ("encode", ["a", "b"], {"truncate_dim": 7}),
    "float32": ("encode", ["a", "b"], {"precision": "float32"}),
    "int8": ("encode", ["a", "b", "c"], {"precision": "int8"}),
    "uint8": ("encode", ["a", "b", "c"], {"precision": "uint8"}),
    "binary": ("encode", ["a", "b", "c"], {"precision": "binary"}),
    "ubinary": ("encode", ["a", "b", "c"], {"precision": "ubinary"}),
    "binary of one": ("encode", "a", {"precision": "binary"}),
    "int8 tensor": ("encode", ["a", "b"], {"precision": "int8", "convert_to_tensor": True}),
    "int8 of one": ("encode", "a", {"precision": "int8"}),
    "unknown precision": ("encode", "a", {"precision": "int4"}),
    "unknown prompt": ("encode", "a", {"prompt_name": "nothing"}),
    "unknown keyword": ("encode", "a", {"nothing": 1}),
    "no batch": ("encode", "a", {"batch_size": 0}),
    "an int": ("encode", ["a", 5], {}),
    "None": ("encode", ["a", None], {}),
}


def described(value):
    """{"type", "shape", "dtype"} of a result."""
    if isinstance(value, list):
        return {"type": "list", "of": [described(item) for item in value]}
    return {
        "type": type(value).__name__,
        "shape": list(value.shape),
        "dtype": str(value.dtype).replace("torch.", ""),
    }


def outcome(model, call):
    method, texts, options = CALLS[call]
    try:
        return described(getattr(model, method)(texts, **options))
    except Exception as error:
        return {
            "error": [base.__name__ for base in type(error).__mro__ if base in (ValueError, TypeError, RuntimeError)]
        }


def matrix():
    """float32 [9, 11] without ties or surprises of rounding."""
    e = np.sin(np.arange(99, dtype=np.float64) * 1.7).reshape(9, 11).astype(np.float32)
    e[:, 4] = 0.5
    return e


def real_model(folder):
    """As sentence-transformers loads it; padding, which the golden models have no token for, is masked whatever it is."""
    import sentence_transformers

    model = sentence_transformers.SentenceTransformer(folder, device="cpu")
    if model.tokenizer.pad_token is None:
        model.tokenizer.pad_token = model.tokenizer.convert_ids_to_tokens(0)
    return model


def main():
    import sentence_transformers
    from sentence_transformers.util.quantization import quantize_embeddings

    model = real_model(sys.argv[1])
    recorded = {
        "version": sentence_transformers.__version__,
        "calls": {call: outcome(model, call) for call in CALLS},
        "quantized": {
            precision: quantize_embeddings(matrix(), precision).tolist()
            for precision in ("int8", "uint8", "binary", "ubinary")
        },
    }
    target = pathlib.Path(__file__).parent / "recorded.json"
    target.write_text(json.dumps(recorded, indent=1) + "\n")


if __name__ == "__main__":
    main()
