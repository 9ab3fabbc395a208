"""A sentence with [MASK] in it, as a batch of one."""

import numpy as np

from bert_core.batch import MlmBatch
from bert_core.errors import UserError
from pipelines.tokenizer import Tokenizer
from pipelines.vocabulary import MASK


def masked_batch(text: str, tokenizer: Tokenizer, max_length: int) -> MlmBatch:
    """`[CLS] text [SEP]` with each "[MASK]" of the text as a position to predict.

    Returns numpy fields with B = 1 and P the number of masks; masked_lm_ids, which
    nobody knows, are 0. Raises UserError when there is no mask, or the text is longer
    than `max_length` tokens.
    """
    vocabulary = tokenizer.vocabulary
    if MASK not in text:
        raise UserError(f"{text!r}: has no {MASK} to fill in")
    # Split first: the tokeniser never makes special tokens out of text.
    ids = [vocabulary.cls_id]
    for number, part in enumerate(tokenizer.encode(text.split(MASK))):
        if number:
            ids.append(vocabulary.mask_id)
        ids += part.tolist()
    ids.append(vocabulary.sep_id)
    if len(ids) > max_length:
        raise UserError(
            f"{text[:40]!r}...: has {len(ids)} tokens, the model takes {max_length}; shorten it"
        )
    input_ids = np.array([ids], np.int32)
    positions = np.flatnonzero(input_ids[0] == vocabulary.mask_id).astype(np.int32)[np.newaxis]
    return MlmBatch(
        input_ids=input_ids,
        masked_lm_positions=positions,
        masked_lm_ids=np.zeros_like(positions),
        masked_lm_weights=np.ones(positions.shape, np.float32),
    )
