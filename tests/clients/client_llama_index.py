from common import DOCUMENTS, TEXTS, URL, package, same

package("llama_index.embeddings.text_embeddings_inference")
from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference  # noqa: E402

client = TextEmbeddingsInference(model_name="sgpt", base_url=URL)
same(client.get_text_embedding_batch(TEXTS[:20]), DOCUMENTS[:20], "llama-index, TEI")
