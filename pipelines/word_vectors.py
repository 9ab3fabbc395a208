"""Initial values for word embeddings: vectors of the company that tokens keep, by counting.

The positive pointwise mutual information of each token with those around it, factorised
(Levy and Goldberg 2014, https://papers.nips.cc/paper/5477, section 4.2). What a masked
language model learns last, that "dull" and "wasted" belong to one kind of text, is in these
from the first step.
"""

import numpy as np

from pipelines.token_store import TokenStream

# The distances at which two tokens are counted together, both ways.
OFFSETS = (1, 2, 3, 5, 7, 10, 14, 20, 28, 40, 56, 80)
COMMON = 100  # the most frequent tokens keep company with all, and so say nothing of any
COMPANY = 4096  # the most frequent of the others, which each token is counted with
MOST_TOKENS = 2**24  # of the stream: a longer one is read in evenly spaced pieces
PIECE = 2**13  # tokens
LENGTH = 0.05  # of a vector, in square roots of H: about where training leaves them
COUNTS_AT_A_TIME = 2**18  # as many as stay in a core's cache


def word_vectors(
    stream: TokenStream, vocab_size: int, hidden_size: int, sep_id: int, seed: int
) -> np.ndarray:
    """[V, H] float32; 0 for a token without informative neighbours, or not in the stream.

    stream: ids below V, each document closed by `sep_id`. seed: of the factorisation's start.
    A pure function of its arguments but for rounding.
    """
    pieces = pieces_of(stream)  # [pieces, tokens]
    frequency = np.bincount(pieces.ravel(), minlength=vocab_size)
    frequency[sep_id] = 0  # the end of a document, where company ends
    most_frequent = np.argsort(-frequency, kind="stable")
    common = min(COMMON, vocab_size // 10)
    company = most_frequent[common : common + COMPANY]
    company = company[frequency[company] > 0]
    information = _information(pieces, frequency, company, sep_id)  # [V, company]
    told = information.any(axis=1)  # [V]
    vectors = np.zeros((vocab_size, hidden_size), np.float32)
    if told.any():
        factor = _factor(information, hidden_size, seed)[told]
        factor -= factor.mean(axis=0)
        lengths = np.maximum(np.linalg.norm(factor, axis=1, keepdims=True), 1e-6)
        vectors[told, : factor.shape[1]] = LENGTH * hidden_size**0.5 * factor / lengths
    return vectors


def pieces_of(stream: TokenStream) -> np.ndarray:
    """[pieces, tokens] int32: the stream, or as much of it as is counted.

    A few tokens between pieces are left out, where equal lengths do not add up to it.
    """
    num_tokens = stream.num_tokens
    count = min(MOST_TOKENS // PIECE, -(-num_tokens // PIECE))
    length = min(PIECE, num_tokens // count)
    return stream.windows(np.linspace(0, num_tokens - length, count, dtype=int), length)


def _information(
    pieces: np.ndarray, frequency: np.ndarray, company: np.ndarray, sep_id: int
) -> np.ndarray:
    """[V, company] float32: max(0, log p(token, other) / (p(token) p(other))), in nats.

    Tokens are taken in the order of their ids, about COUNTS_AT_A_TIME counts at once.
    """
    vocab_size, width = len(frequency), len(company)
    column_of = np.full(vocab_size, -1)
    column_of[company] = np.arange(width)
    # Padded with document ends, so that the company of no token reaches into another piece.
    margin = max(OFFSETS)
    ids = np.pad(pieces, ((0, 0), (margin, margin)), constant_values=sep_id).ravel()
    document = np.cumsum(ids == sep_id, dtype=np.int32)
    column = np.where(ids == sep_id, -1, column_of[ids]).astype(np.int32)
    places = np.argsort(ids, kind="stable")
    starts = np.searchsorted(ids[places], np.arange(vocab_size + 1))
    counts = np.zeros((vocab_size, width), np.float32)
    rows = max(1, COUNTS_AT_A_TIME // max(1, width))
    for first in range(0, vocab_size, rows):
        block = counts[first : first + rows]
        here = places[starts[first] : starts[min(first + rows, vocab_size)]]
        here = here[ids[here] != sep_id]
        cells_here, document_here = (ids[here] - first) * width, document[here]
        found = np.zeros(block.size, np.int64)
        for offset in (*OFFSETS, *(-offset for offset in OFFSETS)):
            there = here + offset
            beside = (document[there] == document_here) & (column[there] >= 0)
            cells = cells_here[beside] + column[there[beside]]
            found += np.bincount(cells, minlength=block.size)
        block[:] = found.reshape(block.shape)
    of_token = np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    of_other = np.maximum(counts.sum(axis=0), 1.0)
    # In place: the array is the largest there is.
    counts *= of_other.sum(dtype=np.float64) / of_other
    counts /= of_token
    return np.log(np.maximum(counts, 1.0, out=counts), out=counts)


def _factor(information: np.ndarray, size: int, seed: int) -> np.ndarray:
    """[V, at most `size`]: U sqrt(S) of the largest singular values S of U S W^T.

    By a random subspace and power iterations (Halko et al. 2011,
    https://arxiv.org/abs/0909.4061, algorithm 4.4 and section 5.1).
    """
    width = min(size + size // 8, *information.shape)
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 8])))
    start = random.standard_normal((information.shape[1], width), dtype=np.float32)
    basis, _ = np.linalg.qr(information @ start)
    for _ in range(2):
        basis, _ = np.linalg.qr(information @ (information.T @ basis))
    small = basis.T @ information  # [width, company]
    squares, left = np.linalg.eigh(small @ small.T)  # ascending
    kept = slice(None, -size - 1, -1)
    return (basis @ left[:, kept]) * np.maximum(squares[kept], 0.0) ** 0.25
