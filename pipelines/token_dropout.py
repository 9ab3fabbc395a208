"""Texts that look different in every epoch: some of their tokens hidden, as in pretraining.

With few labelled texts a model learns them by heart, but not tokens that it does not see.
"""

import numpy as np

from pipelines.vocabulary import Vocabulary


def hide_tokens(
    input_ids: np.ndarray, share: float, vocabulary: Vocabulary, seed: list[int]
) -> np.ndarray:
    """input_ids [B, S] int32, a `share` of all but [PAD], [CLS] and [SEP] turned to [MASK].

    A pure function of its arguments.
    """
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))
    special = [vocabulary.pad_id, vocabulary.cls_id, vocabulary.sep_id]
    hidden = (random.random(input_ids.shape) < share) & ~np.isin(input_ids, special)
    return np.where(hidden, np.int32(vocabulary.mask_id), input_ids)
