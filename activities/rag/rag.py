"""Node types `rag.*`: passages of documents, found by what they mean."""

from __future__ import annotations

from activities.attempt import Attempt
from activities.declaration import AnyImplementation, declare
from activities.errors import EXTRA_MISSING
from activities.llm.errors import ENDPOINT_ERRORS
from activities.pieces import CONTENT_TOO_LARGE
from activities.rag.options import (
    COLLECTION_MISSING,
    OTHER_MODEL,
    VECTORS_UNAVAILABLE,
    VECTORS_UNSUPPORTED,
)
from activities.rag.params import (
    DeleteParams,
    DeleteResult,
    IndexParams,
    IndexResult,
    SearchParams,
    SearchResult,
)
from activities.store.options import SPACE_REFUSED
from flowspec.catalogue import RetryDefaults

__all__ = ["NODE_TYPES", "RAG_DELETE", "RAG_INDEX", "RAG_SEARCH"]

_ERRORS = (VECTORS_UNAVAILABLE, VECTORS_UNSUPPORTED, SPACE_REFUSED, EXTRA_MISSING)
_RETRY = RetryDefaults(attempts=5, interval=2, factor=3, max_interval=120, jitter=0.2)


async def index(params: IndexParams, attempt: Attempt) -> IndexResult:
    from activities.rag.indexing import indexed

    return await indexed(params, attempt)


async def search(params: SearchParams, attempt: Attempt) -> SearchResult:
    from activities.rag.searching import searched

    return await searched(params, attempt)


async def delete(params: DeleteParams, attempt: Attempt) -> DeleteResult:
    from activities.rag.searching import deleted

    return await deleted(params, attempt)


RAG_INDEX = declare(
    name="rag.index",
    summary="Index documents, to find passages by what they mean",
    description=(
        "Cuts each text into passages, has a model make vectors of them, and keeps both in the "
        "worker's store of vectors (`FLOWRUNNER_VECTORS`). A document that is indexed again "
        "replaces itself, at once; if its text and `chunking` are the same, no vectors are made, "
        "and only its title, source and metadata are written. An attempt goes on where the one "
        "before has ended. A collection is the flow's own: name a space by `shared`, one of "
        "`FLOWRUNNER_STORE_SHARED`, for other flows to search in it."
    ),
    example="""\
flow: index-note
input:
  required: [path, text]
  properties: {path: {type: string}, text: {type: string}, year: {type: integer, default: 2026}}
secrets: [OPENAI_KEY]
nodes:
  index:
    type: rag.index
    params:
      collection: notes
      shared: knowledge
      documents:
        - {id: "${input.path}", text: "${input.text}", metadata: {year: "${input.year}"}}
      embedding:
        model: text-embedding-3-small
        api_key: ${secrets.OPENAI_KEY}
output: ${pick(nodes.index.output, ["documents", "unchanged", "chunks"])}
""",
    params=IndexParams,
    result=IndexResult,
    handler=index,
    errors=(*_ERRORS, OTHER_MODEL, CONTENT_TOO_LARGE, *ENDPOINT_ERRORS),
    secret_params=("embedding",),
    retry=_RETRY,
    attempt_timeout=7200,
    heartbeat=30,
)

RAG_SEARCH = declare(
    name="rag.search",
    summary="Find the passages that are nearest to a question",
    description=(
        "Compares the vector of `query` with those of all passages. `context` has what was found "
        "as a text for a prompt, under the numbers `[1]`, `[2]` and so on; `citation` of the match "
        "with that number says where it stands: `text[start:end]` of the document's text. What "
        "documents say is input from outside, also in a prompt."
    ),
    example="""\
flow: look-up
input: {required: [question], properties: {question: {type: string}}}
secrets: [OPENAI_KEY]
nodes:
  find:
    type: rag.search
    params:
      collection: notes
      shared: knowledge
      query: ${input.question}
      embedding:
        model: text-embedding-3-small
        api_key: ${secrets.OPENAI_KEY}
      limit: 3
output: "${[match.citation.id for match in nodes.find.output.matches]}"
""",
    params=SearchParams,
    result=SearchResult,
    handler=search,
    errors=(*_ERRORS, COLLECTION_MISSING, OTHER_MODEL, *ENDPOINT_ERRORS),
    exclusive=(("query", "vector"), ("embedding", "vector")),
    require_one=(("query", "vector"),),
    secret_params=("embedding",),
    retry=_RETRY,
    attempt_timeout=600,
    heartbeat=30,
)

RAG_DELETE = declare(
    name="rag.delete",
    summary="Delete documents that were indexed",
    description=(
        "With their passages, at once. What is not there is nothing to delete, and no error. A "
        "collection ends with its last document: then another model may begin it."
    ),
    example="""\
flow: forget-old-notes
nodes:
  forget:
    type: rag.delete
    params:
      collection: notes
      shared: knowledge
      where: [{field: metadata.year, lt: 2020}]
output: ${nodes.forget.output.documents}
""",
    params=DeleteParams,
    result=DeleteResult,
    handler=delete,
    errors=_ERRORS,
    exclusive=(("ids", "where", "all"),),
    require_one=(("ids", "where", "all"),),
    retry=_RETRY,
    attempt_timeout=300,
    heartbeat=30,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (RAG_INDEX, RAG_SEARCH, RAG_DELETE)
