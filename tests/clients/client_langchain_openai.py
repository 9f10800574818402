from common import DOCUMENTS, QUERIES, TEXTS, URL, package, same

langchain = package("langchain_openai")


def embeddings(model):
    return langchain.OpenAIEmbeddings(model=model, base_url=URL + "/v1", api_key="-", check_embedding_ctx_length=False)


same(embeddings("sgpt").embed_documents(TEXTS * 20), DOCUMENTS.repeat(20, axis=0).reshape(len(TEXTS), 20, -1)
     .transpose(1, 0, 2).reshape(-1, DOCUMENTS.shape[1]), "langchain-openai, 2,600 texts")
same([embeddings("sgpt:query").embed_query(TEXTS[0])], QUERIES[:1], "langchain-openai, a query")
