"""Embeddings: to the last bit the program's, whatever the batch, the threads and the way that texts are given."""

import concurrent.futures
import json
import shutil

import numpy as np
import pytest

import sgpt
from conftest import TEXTS, fixture_models, run_program

MODELS = fixture_models()


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("folder", MODELS, ids=lambda path: path.name)
def test_bits_are_the_programs(folder, program_encode):
    model = sgpt.SentenceTransformer(folder)
    assert same_bits(model.encode(TEXTS), program_encode(folder, TEXTS, "--plain"))
    assert same_bits(model.encode_query(TEXTS), program_encode(folder, TEXTS, "--query"))
    assert same_bits(model.encode_document(TEXTS), program_encode(folder, TEXTS, "--document"))


@pytest.mark.parametrize(
    "loaded, called, options",
    [
        ({"brackets": True}, {}, ["--specb"]),
        ({"dtype": "int8"}, {}, ["--dtype", "int8"]),
        ({"dtype": "bf16"}, {}, ["--dtype", "bf16"]),
        ({"pooling": ["mean", "lasttoken"]}, {}, ["--pooling", "mean,lasttoken"]),
        ({"max_seq_length": 5}, {}, ["--max_seq_length", "5"]),
        ({"threads": 1}, {}, ["--threads", "1"]),
        ({"truncate_dim": 7}, {}, ["--truncate_dim", "7"]),
        ({}, {"normalize_embeddings": True}, ["--normalize"]),
        ({}, {"truncate_dim": 7}, ["--truncate_dim", "7"]),
        ({}, {"truncate_dim": 7, "normalize_embeddings": True}, ["--truncate_dim", "7", "--normalize"]),
        (
            {"truncate_dim": 9},
            {"truncate_dim": 7, "normalize_embeddings": True},
            ["--truncate_dim", "7", "--normalize"],
        ),
        ({}, {"prompt": "find: "}, ["--prompt", "find: "]),
    ],
)
def test_options_are_the_programs(folder, program_encode, loaded, called, options):
    model = sgpt.SentenceTransformer(folder, **loaded)
    for method, kind in ((model.encode_query, "--query"), (model.encode_document, "--document")):
        assert same_bits(method(TEXTS, **called), program_encode(folder, TEXTS, kind, *options))


def test_brackets_come_with_the_kind(bracket_model):
    query, document = bracket_model.encode_query(TEXTS), bracket_model.encode_document(TEXTS)
    assert not np.array_equal(query, document)
    assert same_bits(bracket_model.encode(TEXTS, prompt_name="query"), query)
    for name in ("document", "passage", "corpus", "text"):
        assert same_bits(bracket_model.encode(TEXTS, prompt_name=name), document)
    assert same_bits(bracket_model.encode(TEXTS), document)  # where nothing says what they are
    assert not np.array_equal(bracket_model.encode_query("a"), bracket_model.encode("[a]", prompt_name="query"))


def test_one_warning_where_nothing_says_what_texts_are(folder, caplog):
    sgpt._log._warned.clear()
    model = sgpt.SentenceTransformer(folder, brackets=True)
    model.encode("a")
    model.encode("b")
    assert [record.levelname for record in caplog.records if "queries or documents" in record.message] == ["WARNING"]
    caplog.clear()
    model.encode_query("a")
    assert not caplog.records


@pytest.fixture
def prompted(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "prompted")
    settings = {
        "prompts": {"query": "find: ", "document": "read: ", "sts": "compare: "},
        "default_prompt_name": "sts",
        "similarity_fn_name": "dot",
    }
    (tmp_path / "prompted" / "config_sentence_transformers.json").write_text(json.dumps(settings))
    return str(tmp_path / "prompted")


def test_prompts(prompted, program_encode):
    model = sgpt.SentenceTransformer(prompted)
    assert model.prompts["query"] == "find: " and model.default_prompt_name == "sts"
    assert model.similarity_fn_name == "dot"
    assert same_bits(model.encode_query(TEXTS), program_encode(prompted, TEXTS, "--query"))
    assert same_bits(model.encode_document(TEXTS), program_encode(prompted, TEXTS, "--document"))
    assert same_bits(model.encode(TEXTS), program_encode(prompted, TEXTS, "--plain"))
    assert same_bits(model.encode(TEXTS, prompt_name="query"), program_encode(prompted, TEXTS, "--query"))
    assert same_bits(model.encode(TEXTS, prompt="x "), program_encode(prompted, TEXTS, "--plain", "--prompt", "x "))
    assert same_bits(model.encode_query(TEXTS, prompt=""), program_encode(prompted, TEXTS, "--query", "--prompt", ""))
    mine = sgpt.SentenceTransformer(prompted, prompts={"query": "mine: "}, default_prompt_name="query")
    assert same_bits(mine.encode(TEXTS), program_encode(prompted, TEXTS, "--query", "--prompt", "mine: "))
    assert same_bits(mine.encode_document(TEXTS), model.encode_document(TEXTS))


def test_prompts_and_brackets_refuse_each_other(bracket_model):
    with pytest.raises(sgpt.UserError, match="brackets and prompts do not go together"):
        bracket_model.encode_query("a", prompt="find: ")


def test_alone_in_any_batch_and_from_threads(model):
    texts = [f"the text number {i} and the ring {'on ' * (i % 7)}" for i in range(300)]
    whole = model.encode(texts)
    assert same_bits(np.stack([model.encode(text) for text in texts[:40]]), whole[:40])
    for size in (1, 3, 1000):
        assert same_bits(model.encode(texts, batch_size=size), whole)
    assert same_bits(model.encode(texts[::-1])[::-1].copy(), whole)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for got in pool.map(model.encode, [texts] * 16):
            assert same_bits(got, whole)


def test_more_texts_than_a_piece(model):
    texts = [f"the text {i % 50}" for i in range(5000)]  # the library takes 2,048 at once
    told = []
    e = model.encoder.encode(texts, "plain", on_texts=told.append)
    assert same_bits(e[:50], model.encode(texts[:50])) and same_bits(e[4950:], e[:50])
    assert told == sorted(told) and all(0 <= done <= 5000 for done in told)


def test_max_seq_length_can_be_set(folder, program_encode):
    model = sgpt.SentenceTransformer(folder)
    before = model.encode(TEXTS)
    model.max_seq_length = 6
    assert model.max_seq_length == 6
    assert same_bits(model.encode_query(TEXTS), program_encode(folder, TEXTS, "--query", "--max_seq_length", "6"))
    model.max_seq_length = None
    assert same_bits(model.encode(TEXTS), before)
    with pytest.raises(sgpt.UserError, match="max_seq_length is 0"):
        model.max_seq_length = 0
    bracketed = sgpt.SentenceTransformer(folder, brackets=True)
    with pytest.raises(sgpt.UserError, match="at least 3 is needed: two brackets"):
        bracketed.max_seq_length = 2


def test_truncate_dim(model):
    assert model.get_embedding_dimension() == model.get_sentence_embedding_dimension() == 24
    whole = model.encode(TEXTS)
    with model.truncate_embeddings(7):
        assert model.get_embedding_dimension() == 7 and model.truncate_dim == 7
        assert np.array_equal(model.encode(TEXTS), whole[:, :7])
    assert model.truncate_dim is None and model.encode("a").shape == (24,)
    with pytest.raises(sgpt.UserError, match="expected 1 to 24"):
        model.truncate_dim = 25


def test_what_counts_as_texts(model):
    texts = ["the ring", "in the air", "on"]
    whole = model.encode(texts)
    for given in (
        tuple(texts),
        np.array(texts),
        np.array(texts, object),
        dict.fromkeys(texts).keys(),
        {i: text for i, text in enumerate(texts)}.values(),
        (text for text in texts),
        map(str.strip, texts),
        [np.str_(text) for text in texts],
    ):
        assert same_bits(model.encode(given), whole)
    assert same_bits(model.encode(sentences=texts), whole)
    assert same_bits(model.encode(np.str_("on")), whole[2])
    assert same_bits(model.encode(np.array("on")), whole[2])


@pytest.mark.parametrize("package", ["pandas", "polars", "pyarrow", "datasets"])
def test_columns_of_other_packages(model, package):
    module = pytest.importorskip(package)
    texts = ["the ring", "in the air", "on"]
    column = {
        "pandas": lambda: module.Series(texts, index=[5, 3, 1]),
        "polars": lambda: module.Series(texts),
        "pyarrow": lambda: module.chunked_array([texts[:1], texts[1:]]),
        "datasets": lambda: module.Dataset.from_dict({"text": texts})["text"],
    }[package]()
    assert same_bits(model.encode(column), model.encode(texts))


def test_the_array_owns_the_librarys_memory(model):
    e = model.encode(TEXTS)
    assert not e.flags.owndata and e.flags.c_contiguous and e.flags.writeable
    row = e[3].copy()
    kept = e[3]
    del e
    assert np.array_equal(kept, row)


def test_tokenize(model, bracket_model, folder):
    ids = model.tokenize(["the ring", "on"])
    assert ids["input_ids"].dtype == ids["attention_mask"].dtype == np.int64
    assert ids["input_ids"].shape == ids["attention_mask"].shape
    rows = [row[mask == 1].tolist() for row, mask in zip(ids["input_ids"], ids["attention_mask"])]
    tokenizer = sgpt.Tokenizer(folder)
    assert rows == [tokenizer.encode("the ring"), tokenizer.encode("on")]
    assert tokenizer.decode(rows[0]) == "the ring"
    assert model.tokenizer.vocab_size == tokenizer.vocab_size == len(tokenizer)
    brackets = [tokenizer.token_to_id(c) for c in "[]{}"]
    query = bracket_model.tokenize(["the ring"], prompt_name="query")["input_ids"][0]
    document = bracket_model.tokenize(["the ring"], prompt_name="document")["input_ids"][0]
    assert [query[0], query[-1], document[0], document[-1]] == brackets


def test_encoder(folder, program_encode):
    encoder = sgpt.Encoder(folder, brackets=True, normalize=True)
    assert same_bits(encoder.encode_queries(TEXTS), program_encode(folder, TEXTS, "--query", "--specb", "--normalize"))
    assert encoder.encode([]).shape == (0, 24) and encoder.encode("a").shape == (24,)
    assert encoder.dimension == 24 and encoder.max_seq_length == 40 and encoder.folder == folder
    assert encoder.options["brackets"] is True and encoder.options["dtype"] == "f32"


def test_a_checkpoints_weights(folder, tmp_path, program_encode):
    other = tmp_path / "other"
    run_program("convert", folder, other, "--dtype", "bf16")
    model = sgpt.SentenceTransformer(folder, trained=other / "model.safetensors")
    assert same_bits(model.encode_query(TEXTS), program_encode(other, TEXTS, "--query"))
    assert not np.array_equal(model.encode_query(TEXTS), sgpt.SentenceTransformer(folder).encode_query(TEXTS))
    with pytest.raises(sgpt.UserError, match="save_best"):
        model.save_pretrained(tmp_path / "saved")
    with pytest.raises(sgpt.UserError):
        sgpt.SentenceTransformer(folder, trained=tmp_path / "none.safetensors")
