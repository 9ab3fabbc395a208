"""Embeddings of a new model that begin from counts of the corpus: --word_init=cooccurrence."""

from typing import Any

from pipelines.neighbour_vectors import neighbour_vectors
from pipelines.token_store import TokenStream
from pipelines.word_vectors import word_vectors


def begin_as_counted(embeddings: Any, stream: TokenStream, sep_id: int, seed: int) -> None:
    """Adds what is counted in `stream` to the random values, also of neighbours' tables.

    embeddings: bert_core.encoder.Embeddings.
    """
    word = embeddings.word
    vocab_size, hidden_size = word.shape
    word.assign(word.numpy() + word_vectors(stream, vocab_size, hidden_size, sep_id, seed))
    if embeddings.neighbours is not None:
        for offset, table in embeddings.neighbours.by_offset():
            said = neighbour_vectors(stream, offset, word.numpy(), sep_id)
            table.assign(table.numpy() + said)
