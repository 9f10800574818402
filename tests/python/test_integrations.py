"""The models for other packages, each where its package is installed."""

import asyncio

import numpy as np
import pytest

import sgpt
from conftest import run_python

TEXTS = ["the ring", "in the air", "on and on"]


def test_none_is_imported_before_it_is_asked_for():
    code = "import sys, sgpt, sgpt.integrations, sgpt.integrations.beir; print('torch' in sys.modules, 'mteb' in sys.modules)"
    assert run_python(code).stdout.split() == ["False", "False"]


def test_langchain(folder):
    pytest.importorskip("langchain_core", reason="langchain-core is not installed")
    from langchain_core.embeddings import Embeddings

    from sgpt.integrations.langchain import SgptEmbeddings

    made = SgptEmbeddings(folder, brackets=True)
    assert isinstance(made, Embeddings)
    d = made.embed_documents(TEXTS)
    assert all(type(number) is float for row in d for number in row)
    assert np.array_equal(np.array(d, np.float32), made.model.encode_document(TEXTS))
    assert np.array_equal(np.array(made.embed_query("on"), np.float32), made.model.encode_query("on"))
    assert made.embed_documents([]) == []
    assert asyncio.run(made.aembed_documents(TEXTS)) == d


def test_llama_index(folder):
    pytest.importorskip("llama_index.core", reason="llama-index-core is not installed")
    from sgpt.integrations.llama_index import SgptEmbedding

    made = SgptEmbedding(model_name=folder, options={"brackets": True}, normalize=False)
    model = sgpt.SentenceTransformer(folder, brackets=True)
    assert made.class_name() == "SgptEmbedding"
    assert np.array_equal(np.array(made.get_query_embedding("on"), np.float32), model.encode_query("on"))
    batch = made.get_text_embedding_batch(TEXTS)
    assert np.array_equal(np.array(batch, np.float32), model.encode_document(TEXTS))
    assert asyncio.run(made.aget_text_embedding_batch(TEXTS)) == batch
    assert asyncio.run(made.aget_query_embedding("on")) == made.get_query_embedding("on")


def test_haystack(folder):
    pytest.importorskip("haystack", reason="haystack-ai is not installed")
    from haystack import Document, Pipeline

    from sgpt.integrations.haystack import SgptDocumentEmbedder, SgptTextEmbedder

    model = sgpt.SentenceTransformer(folder, brackets=True)
    text = SgptTextEmbedder(folder, options={"brackets": True})
    text.warm_up()
    assert np.array_equal(np.array(text.run("on")["embedding"], np.float32), model.encode_query("on"))
    documents = [Document(content=content) for content in TEXTS]
    embedder = SgptDocumentEmbedder.from_dict(SgptDocumentEmbedder(folder, options={"brackets": True}).to_dict())
    got = embedder.run(documents)["documents"]
    assert np.array_equal(np.array([document.embedding for document in got], np.float32), model.encode_document(TEXTS))
    assert documents[0].embedding is None and got[0].content == TEXTS[0]
    pipeline = Pipeline()
    pipeline.add_component("embedder", text)
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=["sgpt.integrations.haystack"])
    assert again.run({"embedder": {"text": "on"}})["embedder"]["embedding"] == text.run("on")["embedding"]


def test_mteb(folder):
    pytest.importorskip("mteb", reason="mteb is not installed")
    import mteb
    from mteb.types import PromptType

    from sgpt.integrations.mteb import SgptModel

    made = SgptModel(folder, brackets=True)
    model = made.model
    batches = [{"text": TEXTS[:2]}, {"text": TEXTS[2:]}]
    for prompt_type, expected in (
        (PromptType.query, model.encode_query(TEXTS)),
        (PromptType.document, model.encode_document(TEXTS)),
        (None, model.encode_query(TEXTS)),
    ):
        got = made.encode(batches, task_metadata=None, hf_split="test", hf_subset="default", prompt_type=prompt_type)
        assert np.array_equal(got, expected)
    assert isinstance(made, mteb.EncoderProtocol)
    assert made.mteb_model_meta.embed_dim == 24 and made.mteb_model_meta.name == "sgpt/golden-bloom"


def test_beir(folder):
    pytest.importorskip("beir", reason="beir is not installed")
    from beir.retrieval.evaluation import EvaluateRetrieval
    from beir.retrieval.search.dense import DenseRetrievalExactSearch

    from sgpt.integrations.beir import Model

    corpus = {f"d{i}": {"title": "", "text": f"the ring number {i}"} for i in range(30)}
    queries = {f"q{i}": f"where is ring {i}" for i in range(30)}
    qrels = {f"q{i}": {f"d{i}": 1} for i in range(30)}
    model = Model(folder, brackets=True)
    retriever = EvaluateRetrieval(DenseRetrievalExactSearch(model, batch_size=16), score_function="cos_sim")
    results = retriever.retrieve(corpus, queries)
    ndcg, *_ = retriever.evaluate(qrels, results, [10])
    assert ndcg["NDCG@10"] == pytest.approx(sgpt.evaluate(qrels, results, [10])["NDCG@10"], abs=1e-5)


def test_a_real_sentence_transformer(folder):
    there = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    import sgpt.torch

    real = sgpt.torch.sentence_transformer(folder, brackets=True)
    ours = sgpt.SentenceTransformer(folder, brackets=True)
    assert isinstance(real, there.SentenceTransformer)
    assert np.array_equal(real.encode_query(TEXTS), ours.encode_query(TEXTS))
    assert np.array_equal(real.encode_document(TEXTS), ours.encode_document(TEXTS))
    assert real.get_embedding_dimension() == 24 and real.max_seq_length == 40
    real.max_seq_length = 5
    ours.max_seq_length = 5
    assert np.array_equal(real.encode_query(TEXTS * 5), ours.encode_query(TEXTS * 5))


@pytest.mark.parametrize("order", ["before", "after"])
def test_torch_beside_it(folder, order):
    pytest.importorskip("torch", reason="torch is not installed")
    code = f"""
{"import torch" if order == "before" else ""}
import os, signal, sys, sgpt
model = sgpt.SentenceTransformer(sys.argv[1])
{"import torch" if order == "after" else ""}
a = torch.rand(300, 300) @ torch.rand(300, 300)
e = model.encode(["the ring"] * 100, convert_to_tensor=True)
child = os.fork()
if child == 0:
    signal.alarm(60)
    a @ a
    os._exit(0 if torch.equal(model.encode(["the ring"] * 100, convert_to_tensor=True), e) else 1)
assert os.waitpid(child, 0)[1] == 0
print(e[0].numpy().tobytes().hex())
"""
    done = run_python(code, folder, seconds=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == sgpt.SentenceTransformer(folder).encode("the ring").tobytes().hex()
