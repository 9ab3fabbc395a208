"""The useful work of a pretraining step, in floating-point operations."""

from bert_core.config import BertConfig


def training_flops(
    config: BertConfig, batch_size: int, seq_length: int, num_predictions: int
) -> float:
    """Multiplications and additions of the matrix products, forward and backward:

      6 B (L - 1) S (4 H^2 + 2 H F) + 12 B (L - 1) S^2 H         all blocks but the last
      + 6 B (S 2 H^2 + P (2 H^2 + 2 H F)) + 12 B P S H           the last, for P positions
      + 6 B P (H^2 + H V)                                        the head

    A backward pass counts as two forward passes.
    """
    b, s, p = batch_size, seq_length, num_predictions
    h, f, v = config.hidden_size, config.intermediate_size, config.vocab_size
    layers = config.num_hidden_layers
    blocks = (layers - 1) * (6 * b * s * (4 * h * h + 2 * h * f) + 12 * b * s * s * h)
    last = 6 * b * (s * 2 * h * h + p * (2 * h * h + 2 * h * f)) + 12 * b * p * s * h
    return blocks + last + 6 * b * p * (h * h + h * v)
