from common import DOCUMENTS, QUERIES, TEXTS, URL, package, same

ollama = package("ollama")
client = ollama.Client(URL)
same(client.embed(model="sgpt", input=TEXTS).embeddings, DOCUMENTS, "ollama")
same(client.embed(model="sgpt:query", input=TEXTS[0]).embeddings, QUERIES[:1], "ollama, a query")
same([client.embeddings(model="sgpt", prompt=TEXTS[0]).embedding], DOCUMENTS[:1], "ollama, the old route")
assert "sgpt" in [model.model for model in client.list().models]
print("ok: ollama, list")
