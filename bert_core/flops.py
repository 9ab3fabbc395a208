"""The useful work of a pretraining step, in floating-point operations."""

from bert_core.config import BertConfig


def training_flops(
    config: BertConfig, batch_size: int, seq_length: int, num_predictions: int
) -> float:
    """Multiplications and additions of the matrix products, forward and backward:

      6 B S L (4 H^2 + 2 H F) + 12 L B S^2 H + 6 B P (H V + H^2)

    A backward pass counts as two forward passes.
    """
    b, s, p = batch_size, seq_length, num_predictions
    h, f, v = config.hidden_size, config.intermediate_size, config.vocab_size
    layers = config.num_hidden_layers
    blocks = 6 * b * s * layers * (4 * h * h + 2 * h * f)
    return blocks + 12 * layers * b * s * s * h + 6 * b * p * (h * v + h * h)
