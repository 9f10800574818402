from common import DOCUMENTS, QUERIES, TEXTS, URL, package, same

cohere = package("cohere")
new = cohere.ClientV2(base_url=URL, api_key="-")
for kind, expected in (("search_query", QUERIES), ("search_document", DOCUMENTS)):
    answer = new.embed(model="sgpt", texts=TEXTS[:96], input_type=kind, embedding_types=["float", "int8", "ubinary"])
    same(answer.embeddings.float_, expected[:96], f"cohere v2, {kind}")
    assert len(answer.embeddings.int8[0]) == expected.shape[1]
old = cohere.Client(base_url=URL, api_key="-")
same(old.embed(model="sgpt", texts=TEXTS[:100], input_type="search_query").embeddings, QUERIES[:100],
     "cohere v1, 100 texts")
ranked = new.rerank(model="sgpt", query=TEXTS[0], documents=TEXTS[:5], top_n=2).results
scores = DOCUMENTS[:5] @ QUERIES[0]
assert [hit.index for hit in ranked] == list((-scores).argsort()[:2]), ranked
print("ok: cohere, rerank")
