"""A sentence with [MASK] in it as a batch of one, or with each token hidden in turn."""

import numpy as np

from bert_core.batch import MlmBatch
from bert_core.errors import UserError
from pipelines.tokenizer import Tokenizer
from pipelines.vocabulary import MASK


def marked_ids(text: str, tokenizer: Tokenizer) -> np.ndarray:
    """`[CLS] text [SEP]`, [S] int32, each "[MASK]" of the text as that token."""
    vocabulary = tokenizer.vocabulary
    # Split first: the tokeniser never makes special tokens out of text.
    ids = [vocabulary.cls_id]
    for number, part in enumerate(tokenizer.encode(text.split(MASK))):
        if number:
            ids.append(vocabulary.mask_id)
        ids += part.tolist()
    return np.array([*ids, vocabulary.sep_id], np.int32)


def masked_batch(text: str, tokenizer: Tokenizer, max_length: int) -> MlmBatch:
    """`[CLS] text [SEP]` with each "[MASK]" of the text as a position to predict.

    Returns numpy fields with B = 1 and P the number of masks; masked_lm_ids, which
    nobody knows, are 0. Raises UserError when there is no mask, or the text is longer
    than `max_length` tokens.
    """
    if MASK not in text:
        raise UserError(f"{text!r}: has no {MASK} to fill in")
    ids = marked_ids(text, tokenizer)
    if len(ids) > max_length:
        raise UserError(
            f"{text[:40]!r}...: has {len(ids)} tokens, the model takes {max_length}; "
            "shorten it, or give --max_seq_length"
        )
    return with_gaps(ids, tokenizer.vocabulary.mask_id)


def with_gaps(ids: np.ndarray, mask_id: int) -> MlmBatch:
    """[S] ids -> a batch of one whose P positions are those that are masked; see above."""
    positions = np.flatnonzero(ids == mask_id).astype(np.int32)
    return MlmBatch(
        input_ids=ids[np.newaxis],
        masked_lm_positions=positions[np.newaxis],
        masked_lm_ids=np.zeros([1, len(positions)], np.int32),
        masked_lm_weights=np.ones([1, len(positions)], np.float32),
    )


def masked_in_turn(ids: np.ndarray, mask_id: int) -> MlmBatch:
    """`[CLS] text [SEP]`, [S] -> a row for each token between the two, hidden in that row.

    Returns numpy fields with B = S - 2 and P = 1.
    """
    places = np.arange(1, len(ids) - 1, dtype=np.int32)
    input_ids = np.tile(ids, (len(places), 1))
    input_ids[places - 1, places] = mask_id
    return MlmBatch(
        input_ids=input_ids,
        masked_lm_positions=places[:, np.newaxis],
        masked_lm_ids=ids[places][:, np.newaxis],
        masked_lm_weights=np.ones([len(places), 1], np.float32),
    )
