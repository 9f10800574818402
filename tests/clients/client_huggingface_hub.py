import numpy as np

from common import DOCUMENTS, QUERIES, TEXTS, URL, package, same

hub = package("huggingface_hub")
for url in (URL, URL + "/embed"):
    client = hub.InferenceClient(url)
    same(client.feature_extraction(TEXTS[:3]), DOCUMENTS[:3], f"huggingface_hub, {url[len(URL):] or '/'}")
    same(client.feature_extraction(TEXTS[0], prompt_name="query"), QUERIES[:1], "huggingface_hub, prompt_name")
scores = hub.InferenceClient(URL).sentence_similarity(TEXTS[0], TEXTS[1:4])
assert np.allclose(scores, DOCUMENTS[1:4] @ QUERIES[0], atol=1e-6), scores
print("ok: huggingface_hub, similarity")
