"""Texts to WordPiece ids and back, inside or outside TensorFlow graphs."""

from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from pipelines.vocabulary import CONTINUATION, UNK, Vocabulary


class Tokenizer(tf.Module):
    """BERT's tokenisation by tensorflow-text's `FastBertTokenizer`.

    Works eagerly, in `tf.data` and in exported models. Never adds special tokens.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(name="tokenizer")
        self.vocabulary = vocabulary
        self._fast = tf_text.FastBertTokenizer(
            vocab=list(vocabulary.tokens),
            token_out_type=tf.int32,
            unknown_token=UNK,
            lower_case_nfd_strip_accents=vocabulary.lower_case,
        )

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """[n] string, UTF-8 -> [n, (tokens)] int32."""
        return self._fast.tokenize(texts)

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """One int32 array of ids a text."""
        ids = self(tf.constant(list(texts), tf.string))
        return np.split(ids.values.numpy(), ids.row_splits.numpy()[1:-1])

    def words(self, ids: Iterable[int]) -> str:
        """Ids as readable text: pieces joined to words, words by spaces."""
        pieces: list[str] = []
        for token_id in ids:
            token = self.vocabulary.tokens[token_id]
            if pieces and self.vocabulary.is_continuation[token_id]:
                pieces.append(token.removeprefix(CONTINUATION))
            else:
                pieces.append(" " + token)
        return "".join(pieces).strip()
