from common import DOCUMENTS, TEXTS, URL, package, same

litellm = package("litellm")
answer = litellm.embedding(model="openai/sgpt", input=TEXTS[:5], api_base=URL + "/v1", api_key="-")
same([item["embedding"] for item in answer.data], DOCUMENTS[:5], "litellm")
