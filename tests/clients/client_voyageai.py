from common import DOCUMENTS, QUERIES, TEXTS, URL, package, same

voyageai = package("voyageai")
voyageai.api_base = URL + "/v1"
client = voyageai.Client(api_key="-")
for kind, expected in (("query", QUERIES), ("document", DOCUMENTS)):
    same(client.embed(TEXTS[:100], model="sgpt", input_type=kind).embeddings, expected[:100], f"voyageai, {kind}")
