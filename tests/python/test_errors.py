"""Bad input is answered with one sentence, and the interpreter lives."""

import os
import shutil

import numpy as np
import pytest

import sgpt
from sgpt.integrations.beir import Model


def test_the_kinds_of_errors():
    assert issubclass(sgpt.UserError, ValueError) and issubclass(sgpt.MachineError, RuntimeError)


@pytest.mark.parametrize(
    "texts, sentence",
    [
        (["a"] * 7 + [None], r"^text 7 is None; expected str$"),
        (["a", float("nan")], r"^text 1 is nan \(float\); expected str$"),
        (["a", 5], r"^text 1 is 5 \(int\); expected str$"),
        ([b"bytes"], r"^text 0 is b'bytes' \(bytes\); expected str$"),
        (["a", "\ud800"], r"^text 1 has half of a surrogate pair"),
        ("\udfff", r"^text 0 has half of a surrogate pair"),
        (["a", ["b"]], r"^text 1 is \['b'\] \(list\)"),
        (np.array([b"a"]), r"^text 0 is b'a'"),
        (np.array([["a"]]), r"has the shape \(1, 1\); expected one dimension"),
        (b"bytes", r"expected a str, or a list of them"),
        (None, r"expected a str, or a list of them"),
        (7, r"expected a str, or a list of them"),
        ({"text": "a"}, r"expected a str, or a list of them"),
        (object(), r"inputs is of type object; expected a str"),
    ],
)
def test_what_is_no_text(model, texts, sentence):
    for method in (model.encode, model.encode_query, model.encode_document):
        with pytest.raises(sgpt.UserError, match=sentence):
            method(texts)


class BrokenRepr:
    def __repr__(self):
        raise RuntimeError("no repr")


def test_what_python_code_throws_is_thrown_on(model):
    with pytest.raises(RuntimeError, match="no repr"):
        model.encode([BrokenRepr()])

    def texts():
        yield "a"
        raise KeyError("of the generator")

    with pytest.raises(KeyError, match="of the generator"):
        model.encode(texts())

    def stop(done):
        raise LookupError(f"after {done}")

    with pytest.raises(LookupError, match="after"):
        model.encoder.encode(["the ring and the cat in the hat"] * 50000, on_texts=stop)
    assert model.encode("a").shape == (24,)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"precision": "int4"}, "there are float32, int8, uint8, binary and ubinary"),
        ({"precision": "int8"}, "ranges are those of the texts given: one is too few"),
        ({"precision": "uint8"}, "one is too few"),
        ({"batch_size": 0}, "batch_size is 0; expected a whole number of 1 or more"),
        ({"batch_size": -3}, "batch_size is -3"),
        ({"batch_size": 1.5}, "batch_size is 1.5"),
        ({"prompt_name": "nothing"}, "there are document, query"),
        ({"prompt": 3}, "prompt is 3"),
        ({"task": "sts"}, "there are query and document"),
        ({"output_value": "token_embeddings"}, "'sentence_embedding' alone"),
        ({"output_value": None}, "'sentence_embedding' alone"),
        ({"truncate_dim": 25}, "expected 1 to 24"),
        ({"truncate_dim": 0}, "truncate_dim is 0"),
        ({"device": "cuda"}, "device is 'cuda'; sgpt computes on the cpu"),
        ({"pool": {}}, "expected what start_multi_process_pool gave"),
        ({"normalise": True}, "encode has no keyword normalise; it has inputs, prompt_name"),
        ({"sentences": ["b"]}, "both inputs and sentences"),
    ],
)
def test_options_of_encode(model, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        model.encode("a", **options)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"device": "cuda:0"}, "sgpt computes on the cpu"),
        ({"backend": "onnx"}, "backend is 'onnx'"),
        ({"model_kwargs": {"attn_implementation": "flash"}}, "model_kwargs has attn_implementation"),
        ({"model_kwargs": {"dtype": "float64"}}, "there are float32, bfloat16, int8 and auto"),
        ({"config_kwargs": {"x": 1}}, "config_kwargs has x"),
        ({"processor_kwargs": {"y": 1}}, "processor_kwargs has y"),
        ({"modules": []}, "modules is given"),
        ({"dtype": "f16"}, "there are f32, bf16, int8 and auto"),
        ({"pooling": "median"}, "there are cls, max, mean"),
        ({"threads": 0}, "threads is 0"),
        ({"prompts": {"query": 1}}, "expected a name and a text"),
        ({"default_prompt_name": "x"}, "default_prompt_name is 'x'; there are query and document"),
        ({"similarity_fn_name": "maxsim"}, "there are cosine, dot, euclidean and manhattan"),
        ({"truncate_dim": 99}, "expected 1 to 24"),
        ({"revision": "main"}, "is a folder, which has none"),
        ({"max_seq_length": -1}, "max_seq_length is -1"),
    ],
)
def test_options_of_the_constructor(folder, options, sentence):
    with pytest.raises(sgpt.UserError, match=sentence):
        sgpt.SentenceTransformer(folder, **options)


def test_unknown_keywords_of_the_constructor(folder):
    with pytest.raises(TypeError, match="cachefolder"):
        sgpt.SentenceTransformer(folder, cachefolder="x")


def test_folders_that_are_none(tmp_path, folder):
    with pytest.raises(sgpt.UserError, match="no such folder"):
        sgpt.SentenceTransformer(tmp_path / "none")
    with pytest.raises(sgpt.UserError, match="neither modules.json nor config.json"):
        sgpt.SentenceTransformer(tmp_path)
    with pytest.raises(sgpt.UserError, match="model_name_or_path is None"):
        sgpt.SentenceTransformer()
    with pytest.raises(sgpt.UserError, match="expected a folder"):
        sgpt.SentenceTransformer(5)
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "config.json").write_text("{")
    with pytest.raises(sgpt.UserError, match="config.json"):
        sgpt.SentenceTransformer(broken)


def test_names_of_a_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(sgpt.UserError, match="HF_HUB_OFFLINE|not in the cache|forbids"):
        sgpt.SentenceTransformer("nobody/nothing", cache_folder=tmp_path)
    with pytest.raises(sgpt.UserError, match="expected ORG/NAME"):
        sgpt.pull(5)
    with pytest.raises(sgpt.UserError, match="already says which revision"):
        sgpt.pull("a/b@c", "d")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(sgpt.UserError):
        sgpt.SentenceTransformer("nobody/nothing", cache_folder=tmp_path, local_files_only=True)


def test_a_model_out_of_the_hubs_cache(tmp_path, folder):
    repository = tmp_path / "models--someone--small"
    commit = "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    shutil.copytree(folder, repository / "snapshots" / commit)
    model = sgpt.SentenceTransformer(
        "someone/small", cache_folder=tmp_path, local_files_only=True, trust_remote_code=True
    )
    assert np.array_equal(model.encode("a"), sgpt.SentenceTransformer(folder).encode("a"))


def test_similarity(model):
    e = model.encode(["a", "b"])
    with pytest.raises(sgpt.UserError, match=r"\(2, 24\) and \(1, 23\) have different dimensions"):
        model.similarity(e, e[0, :23])
    with pytest.raises(sgpt.UserError, match="int64; expected floats"):
        model.similarity(e, np.zeros((2, 24), int))
    with pytest.raises(sgpt.UserError, match="are not as many"):
        model.similarity_pairwise(e, e[:1])
    with pytest.raises(sgpt.UserError, match="there are cosine, dot, euclidean and manhattan"):
        model.similarity_fn_name = "jaccard"


def test_a_corpus(model):
    beir = Model(model)
    for corpus, sentence in (
        ("one text", "corpus is the one string 'one text'; expected a list"),
        ([{"text": "a"}, {"title": "b"}], "document 1 has the keys title; expected 'text'"),
        ({"title": ["a"]}, "corpus has the keys title; expected 'text'"),
        ({"title": ["a"], "text": ["b", "c"]}, "1 titles and 2 texts"),
        ([{"text": 5}], r"document 0: text is 5 \(int\); expected str"),
    ):
        with pytest.raises(sgpt.UserError, match=sentence):
            beir.encode_corpus(corpus)
    with pytest.raises(sgpt.UserError, match="queries is the one string"):
        beir.encode_queries("a")


def test_save_pretrained(model, tmp_path, folder):
    with pytest.raises(sgpt.UserError, match="is there already"):
        model.save_pretrained(folder)
    mine = sgpt.SentenceTransformer(folder, brackets=True, similarity_fn_name="dot", max_seq_length=9)
    mine.save_pretrained(tmp_path / "saved")
    saved = sgpt.SentenceTransformer(tmp_path / "saved")
    assert saved.encoder.options["brackets"] and saved.similarity_fn_name == "dot" and saved.max_seq_length == 9
    assert np.array_equal(saved.encode_query("the ring"), mine.encode_query("the ring"))
    assert sorted(os.listdir(tmp_path)) == ["saved"]
