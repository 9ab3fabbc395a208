"""What pipelines hand to models.

Letters for shapes throughout the project:
  B batch, S sequence, H hidden, N heads, D head size, F feed-forward,
  V vocabulary, P predictions (masked positions per sequence), C classes, U detectors,
  Q positions whose result is wanted (S, P or 1), M rows of a flat array (B * S or B * Q),
  I and O inputs and outputs of a matrix, W tokens of a window, K windows of a text.
"""

from typing import Any, NamedTuple

Tensor = Any  # tf.Tensor or np.ndarray; TensorFlow publishes no types


class MlmBatch(NamedTuple):
    """Packed sequences `[CLS] ... [SEP]` without padding, some tokens masked."""

    input_ids: Tensor  # [B, S] int32, after masking
    masked_lm_positions: Tensor  # [B, P] int32, ascending in a row
    masked_lm_ids: Tensor  # [B, P] int32, the tokens before masking
    masked_lm_weights: Tensor  # [B, P] float32, 1 for a prediction, 0 for filler


class ClassificationBatch(NamedTuple):
    """Texts (or pairs) padded at the end to one length, with a label each."""

    input_ids: Tensor  # [B, S] int32, [PAD] after the end
    input_mask: Tensor  # [B, S] int32, 1 for a token, 0 for padding
    segment_ids: Tensor  # [B, S] int32, 1 for the second text of a pair
    label_ids: Tensor  # [B] int32
    example_weights: Tensor  # [B] float32, 0 for a row that only fills the batch


class RegressionBatch(NamedTuple):
    """Texts (or pairs) padded at the end to one length, with a number each."""

    input_ids: Tensor  # [B, S] int32, [PAD] after the end
    input_mask: Tensor  # [B, S] int32, 1 for a token, 0 for padding
    segment_ids: Tensor  # [B, S] int32, 1 for the second text of a pair
    targets: Tensor  # [B] float32, in standard deviations from the mean
    example_weights: Tensor  # [B] float32, 0 for a row that only fills the batch


class TokenClassificationBatch(NamedTuple):
    """Sentences padded at the end to one length, with a tag for each word's first piece."""

    input_ids: Tensor  # [B, S] int32, [PAD] after the end
    input_mask: Tensor  # [B, S] int32, 1 for a token, 0 for padding
    segment_ids: Tensor  # [B, S] int32, all 0
    label_ids: Tensor  # [B, S] int32, 0 where there is no tag
    example_weights: Tensor  # [B, S] float32, 1 for the first piece of a word, else 0
