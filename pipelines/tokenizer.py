"""Texts to WordPiece ids and back, inside or outside TensorFlow graphs."""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from bert_core.errors import UserError
from pipelines.vocabulary import CONTINUATION, UNK, Vocabulary
from pipelines.words import MAX_WORD_BYTES, clean_text


class Tokenizer(tf.Module):
    """Google's BERT tokenisation, with the splitting done by tensorflow-text's fast WordPiece.

    Works eagerly, in `tf.data` and in exported models. Special tokens are neither
    added nor found: a text that says "[MASK]" is punctuation around a word.

    The ids are those of Google's and Hugging Face's tokenisers but for:
    - words of over 100 characters: here [UNK] over 400 bytes, with Google over 200
      characters, with Hugging Face over 100; shorter words never, being 400 bytes at most;
    - Unicode newer than TensorFlow's or theirs; private characters are dropped, as by
      Hugging Face;
    - a capital sigma that ends a word, lower-cased to a final one as by Google;
      Hugging Face's fast tokeniser makes it a plain one;
    - U+2B820 to U+2B91F, CJK for Google but not for Hugging Face's fast tokeniser;
    - text of cased models that is not NFC, which Hugging Face's slow tokeniser composes.
    tests/pipelines/test_tokenizer_golden.py holds 500 nasty strings to this.

    Not `tf_text.FastBertTokenizer`: its normaliser folds compatibility characters
    ("…" to "...", "½" to three characters) and turns control characters to spaces.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(name="tokenizer")
        self.vocabulary = vocabulary
        try:
            self._wordpiece = tf_text.FastWordpieceTokenizer(
                vocab=list(vocabulary.tokens),
                suffix_indicator=CONTINUATION,
                max_bytes_per_word=MAX_WORD_BYTES,
                token_out_type=tf.int32,
                unknown_token=UNK,
            )
        except RuntimeError as error:
            raise UserError(f"the vocabulary cannot be used: {error}") from None

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """[n] string, UTF-8 -> [n, (tokens)] int32."""
        return self._wordpiece.tokenize(clean_text(texts, self.vocabulary.lower_case))

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """One int32 array of ids per text."""
        ids = self(tf.constant(list(texts), tf.string))
        values, splits = ids.values.numpy(), ids.row_splits.numpy()
        return [values[start:end] for start, end in itertools.pairwise(splits)]

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
