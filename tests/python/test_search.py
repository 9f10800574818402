"""Similarities, exact search, metrics, quantization, BEIR."""

import json

import numpy as np
import pytest

import sgpt
from conftest import REPOSITORY, run_program
from sgpt._quantize import quantize
from sgpt.integrations.beir import Model

RANDOM = np.random.default_rng(7)


@pytest.fixture
def ab():
    return RANDOM.standard_normal((5, 24)).astype(np.float32), RANDOM.standard_normal((300, 24)).astype(np.float32)


def expected_similarity(name, a, b):
    a, b = a.astype(np.float64)[:, None], b.astype(np.float64)[None]
    if name == "cosine":
        return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    if name == "dot":
        return (a * b).sum(-1)
    return -np.linalg.norm(a - b, axis=-1) if name == "euclidean" else -np.abs(a - b).sum(-1)


@pytest.mark.parametrize("name", ["cosine", "dot", "euclidean", "manhattan"])
def test_similarity_and_search_agree(folder, ab, name):
    a, b = ab
    model = sgpt.SentenceTransformer(folder, similarity_fn_name=name)
    expected = expected_similarity(name, a, b)
    assert model.similarity(a, b).dtype == np.float32
    np.testing.assert_allclose(model.similarity(a, b), expected, atol=1e-5)
    np.testing.assert_allclose(model.similarity(a[0], b[0]), expected[:1, :1], atol=1e-5)
    np.testing.assert_allclose(model.similarity_pairwise(a, b[:5]), np.diag(expected[:, :5]), atol=1e-5)
    places, scores = sgpt.exact_search(a, b, 7, similarity=name)
    assert places.dtype == np.int64 and scores.dtype == np.float32 and places.shape == scores.shape == (5, 7)
    assert np.array_equal(places, np.argsort(-expected, axis=1, kind="stable")[:, :7])
    np.testing.assert_allclose(scores, np.take_along_axis(expected, places, 1), atol=1e-5)


def test_zero_vectors_have_no_direction(model):
    zeros = np.zeros((1, 24), np.float32)
    assert model.similarity(zeros, zeros).tolist() == [[0.0]]


def test_exact_search_of_what_is_less_than_top_k(ab):
    a, b = ab
    assert sgpt.exact_search(a, b[:3], 10)[0].shape == (5, 3)
    assert sgpt.exact_search(a, b[:0], 10)[0].shape == (5, 0)
    broken = b.copy()
    broken[1] = np.nan
    places, scores = sgpt.exact_search(a[:1], broken[:3], 3)
    assert sorted(places[0]) == [-1, 0, 2] and scores[0, 2] == -np.inf
    for q, d, sentence in (
        (a, b[:, :5], r"queries have the shape \(5, 24\), documents \(300, 5\)"),
        (a.astype(int), b, "expected floats"),
        (a, b[None], "expected floats"),
    ):
        with pytest.raises(sgpt.UserError, match=sentence):
            sgpt.exact_search(q, d)
    with pytest.raises(sgpt.UserError, match="top_k is 0"):
        sgpt.exact_search(a, b, 0)
    assert np.array_equal(sgpt.exact_search(a.astype(float), b[::-1], 4)[0], 299 - sgpt.exact_search(a, b, 4)[0])


def test_evaluate_is_what_the_program_prints(tmp_path):
    case = json.loads((REPOSITORY / "tests" / "golden" / "metrics" / "case.json").read_text())
    qrels = case["qrels"]
    run = {q.replace(" ", "_"): found for q, found in case["run"].items()}  # which no line of a run file could hold
    means = sgpt.evaluate(qrels, run)
    with open(tmp_path / "qrels.tsv", "w") as file:
        file.write("query-id\tcorpus-id\tscore\n")
        file.writelines(f"{q}\t{d}\t{r}\n" for q, judged in qrels.items() for d, r in judged.items())
    with open(tmp_path / "run.trec", "w") as file:
        file.writelines(f"{q} Q0 {d} 0 {float(s)!r} x\n" for q, found in run.items() for d, s in found.items())
    files = ("--qrels", tmp_path / "qrels.tsv", "--run", tmp_path / "run.trec", "--output", tmp_path / "scores.json")
    run_program("score", *files)
    printed = json.loads((tmp_path / "scores.json").read_text())["mean"]
    assert {name: round(value, 5) for name, value in means.items()} == printed
    queries = sgpt.evaluate(qrels, run, [10], per_query=True)
    judged = [q for q in qrels if q in run]
    assert sorted(queries) == sorted(judged)
    assert np.mean([queries[q]["NDCG@10"] for q in judged]) == pytest.approx(means["NDCG@10"])


@pytest.mark.parametrize(
    "qrels, run, sentence",
    [
        ({"q": {"d": 1.5}}, {}, r"qrels: query q, document d has a float; expected a relevance"),
        ({"q": {"d": "1"}}, {}, r"qrels: query q, document d has a str"),
        ({"q": ["d"]}, {}, r"qrels: query q has a list; expected a dict"),
        ([], {}, r"qrels is a list; expected a dict of dicts"),
        ({1: {}}, {}, r"qrels: a query's id is 1 \(int\); expected str"),
        ({"q": {2: 1}}, {}, r"qrels: query q: a document's id is 2 \(int\)"),
        ({"q": {"d": 1}}, {"q": {"d": "x"}}, r"run: query q, document d has a str; expected a score"),
    ],
)
def test_runs_and_qrels_that_are_none(qrels, run, sentence):
    with pytest.raises(sgpt.UserError, match=sentence):
        sgpt.evaluate(qrels, run)


def test_cutoffs():
    with pytest.raises(sgpt.UserError):
        sgpt.evaluate({"q": {"d": 1}}, {"q": {"d": 1.0}}, [10, 5])
    with pytest.raises(sgpt.UserError, match="a cutoff is 0"):
        sgpt.evaluate({"q": {"d": 1}}, {"q": {"d": 1.0}}, [0])


def test_quantize():
    e = RANDOM.standard_normal((40, 12)).astype(np.float32)
    e[:, 3] = 0.25  # no range
    levels = quantize(e, "uint8")
    assert levels.dtype == np.uint8 and levels.min() == 0 and levels.max() == 255
    for column in (0, 1, 2):
        order = np.argsort(e[:, column])
        assert (np.diff(levels[order, column].astype(int)) >= 0).all()
        assert levels[order[0], column] == 0 and levels[order[-1], column] == 255
    assert not levels[:, 3].any()
    assert np.array_equal(quantize(e, "int8").astype(int), levels.astype(int) - 128)
    bits = quantize(e, "ubinary")
    assert bits.shape == (40, 2) and np.array_equal(np.unpackbits(bits, axis=1)[:, :12], e > 0)
    assert np.array_equal(quantize(e, "binary").astype(int), bits.astype(int) - 128)


@pytest.fixture
def data_set(tmp_path):
    folder = tmp_path / "small"
    (folder / "qrels").mkdir(parents=True)
    with open(folder / "corpus.jsonl", "w") as corpus, open(folder / "queries.jsonl", "w") as queries:
        with open(folder / "qrels" / "test.tsv", "w") as qrels:
            qrels.write("query-id\tcorpus-id\tscore\n")
            for i in range(40):
                title = f"thing {i}" if i % 2 else ""
                document = {"_id": f"d{i}", "title": title, "text": f"the ring number {i} in the air"}
                corpus.write(json.dumps(document) + "\n")
                queries.write(json.dumps({"_id": f"q{i}", "text": f"where is ring {i}"}) + "\n")
                qrels.write(f"q{i}\td{i}\t1\n")
    return folder


def test_evaluate_beir_is_what_the_program_prints(folder, data_set, tmp_path):
    printed = json.loads(run_program("eval", "--model", folder, "--data_path", data_set, "--specb"))
    model = sgpt.SentenceTransformer(folder, brackets=True)
    tables = sgpt.evaluate_beir(model, data_set, run_file=tmp_path / "run.trec", cache=tmp_path / "cache")
    assert list(tables) == ["small"]
    for name, value in next(iter(printed["ndcgs"].values()))["small"].items():
        assert tables["small"][name] == value
    assert (tmp_path / "run.trec").exists() and (tmp_path / "cache").exists()
    with pytest.raises(sgpt.UserError):
        sgpt.evaluate_beir(model, tmp_path / "none")
    with pytest.raises(sgpt.UserError, match="expected an Encoder"):
        sgpt.evaluate_beir(5, data_set)


def test_beirs_model_gives_the_same_run(folder, data_set):
    documents = [json.loads(line) for line in open(data_set / "corpus.jsonl")]
    queries = [json.loads(line) for line in open(data_set / "queries.jsonl")]
    qrels = {f"q{i}": {f"d{i}": 1} for i in range(40)}
    model = Model(folder, brackets=True)
    d = model.encode_corpus(documents)
    assert np.array_equal(d, model.encode_corpus({name: [x[name] for x in documents] for name in ("title", "text")}))
    texts = [f"{x['title']} {x['text']}" if x["title"] else x["text"] for x in documents]
    assert np.array_equal(d, model.encode_corpus(texts))
    places, scores = sgpt.exact_search(model.encode_queries([x["text"] for x in queries]), d, 40)
    run = {
        query["_id"]: {documents[p]["_id"]: float(s) for p, s in zip(places[i], scores[i])}
        for i, query in enumerate(queries)
    }
    means = sgpt.evaluate(qrels, run)
    tables = sgpt.evaluate_beir(model.model, data_set)
    assert round(means["NDCG@10"], 5) == tables["small"]["NDCG@10"]
