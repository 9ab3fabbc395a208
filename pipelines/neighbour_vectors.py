"""Initial values for tables of neighbours: what stands next to each token, by counting.

In the table of the token before, the row of "of" is a mean of the words that follow "of",
weighted by how far above chance they do: a masked token after "of" starts near its likely
words (bert_core/neighbours.py).
"""

import numpy as np

from pipelines.token_store import TokenStream
from pipelines.word_vectors import LENGTH, pieces_of

PAIRS_AT_A_TIME = 2**16


def neighbour_vectors(
    stream: TokenStream, offset: int, word: np.ndarray, sep_id: int
) -> np.ndarray:
    """[V, H] float32: for each token, the words that have it `offset` places on; 0 if none.

    word: [V, H], the word embeddings. stream: ids below V, each document closed by `sep_id`.
    """
    vocab_size, hidden_size = word.shape
    pieces = pieces_of(stream)
    here, there = pieces[:, : -abs(offset)].ravel(), pieces[:, abs(offset) :].ravel()
    if offset < 0:
        here, there = there, here
    within = (here != sep_id) & (there != sep_id)
    pairs = there[within].astype(np.int64) * vocab_size + here[within]
    pairs, counts = np.unique(pairs, return_counts=True)
    there, here = pairs // vocab_size, pairs % vocab_size
    expected = (
        np.bincount(there, counts, vocab_size)[there]
        * np.bincount(here, counts, vocab_size)[here]
        / max(1, counts.sum())
    )
    # Positive pointwise mutual information, weighted up for pairs seen more often.
    weights = np.log(np.maximum(counts / np.maximum(expected, 1e-9), 1.0)) * np.sqrt(counts)
    vectors = np.zeros((vocab_size, hidden_size))
    for start in range(0, len(pairs), PAIRS_AT_A_TIME):
        rows = slice(start, start + PAIRS_AT_A_TIME)
        said, first = np.unique(there[rows], return_index=True)  # `there` ascends
        vectors[said] += np.add.reduceat(
            weights[rows, np.newaxis] * word[here[rows]], first, axis=0
        )
    told = vectors.any(axis=1, keepdims=True)
    vectors -= told * (vectors.sum(axis=0) / max(1, told.sum()))
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    return (LENGTH * hidden_size**0.5 * vectors / lengths).astype(np.float32)
