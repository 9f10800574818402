from common import DOCUMENTS, QUERIES, TEXTS, URL, package, same

openai = package("openai")
client = openai.OpenAI(base_url=URL + "/v1", api_key="-")


def rows(**arguments):
    return [item.embedding for item in client.embeddings.create(input=TEXTS, **arguments).data]


same(rows(model="sgpt"), DOCUMENTS, "openai, as it comes")
same(rows(model="sgpt:query"), QUERIES, "openai, a model's name")
same(rows(model="sgpt", encoding_format="float"), DOCUMENTS, "openai, floats")
same(rows(model="sgpt", extra_body={"input_type": "query"}), QUERIES, "openai, input_type")
short = client.embeddings.create(input=TEXTS[0], model="sgpt", dimensions=4).data[0].embedding
assert len(short) == 4
assert [model.id for model in client.models.list()] == ["sgpt", "sgpt:query", "sgpt:document"]
assert client.models.retrieve("sgpt:query").id == "sgpt:query"
try:
    client.embeddings.create(input=[[1, 2, 3]], model="sgpt")
    raise SystemExit("openai: token ids were taken")
except openai.UnprocessableEntityError as error:
    assert "check_embedding_ctx_length=False" in str(error)
print("ok: openai, models and mistakes")
