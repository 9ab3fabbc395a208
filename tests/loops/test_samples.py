"""Sample predictions: what is shown is what the model says, and never Markdown or HTML."""

import numpy as np
import tensorflow as tf

from bert_core.batch import MlmBatch
from loops.samples import MaskedSamples

TOKENS = ("[PAD]", "[MASK]", "<script>", "a|b", "*bold*", "word")


class Fixed(tf.Module):
    """Always the same guesses, whatever is asked."""

    def logits(self, batch: MlmBatch) -> tf.Tensor:
        places = tf.size(batch.masked_lm_positions)
        return tf.tile(tf.constant([[0.0, 0.0, 3.0, 2.0, 1.0, 0.0]]), [places, 1])


def sample(rows: int = 2) -> str:
    shape = [rows, 3]
    batch = MlmBatch(
        input_ids=tf.fill(shape, 1),
        masked_lm_positions=tf.constant([[0, 2, 0]] * rows),
        masked_lm_ids=tf.constant([[5, 3, 0]] * rows),
        masked_lm_weights=tf.constant([[1.0, 1.0, 0.0]] * rows),
    )
    words = MaskedSamples(
        Fixed(),
        tf.data.Dataset.from_tensors(batch),
        TOKENS,
        lambda ids: " ".join(TOKENS[i] for i in ids) + " <b>_x_</b>",
    )
    return words.markdown()


def test_the_table() -> None:
    lines = sample(1).splitlines()
    assert lines[2:4] == ["| at | was | guesses |", "| --- | --- | --- |"]
    assert len(lines) == 6  # the place of weight 0 is not shown
    odds = np.exp([3.0, 2.0, 1.0]) / np.exp([0, 0, 3.0, 2.0, 1.0, 0]).sum()
    assert lines[4].startswith("| 0 | word | &lt;script&gt; ")
    shown = [float(part.split()[-1].rstrip(" |")) for part in lines[4][:-2].split(", ")]
    np.testing.assert_allclose(shown, odds, atol=0.005)


def test_text_of_a_corpus_is_escaped() -> None:
    text = sample()
    assert "<" not in text
    assert "&lt;b&gt;&#95;x&#95;&lt;/b&gt;" in text
    assert "a&#124;b" in text
    assert "&#42;bold&#42;" in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.count("|") == 4 for line in table)  # no cell breaks out


def test_a_few_rows_only() -> None:
    assert sample(9).count("| at |") == 4
