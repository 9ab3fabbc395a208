"""Words to pieces with their tags, and answers back to words."""

from types import SimpleNamespace

import numpy as np
import pytest

from bert_core.errors import UserError
from pipelines.examples import Example
from pipelines.options import TextOptions
from pipelines.text_batches import (
    answer_order,
    evaluation_batches,
    training_batches,
)
from pipelines.token_classification import TokenClassification

UNK = 6


class Letters:
    """A tokenizer: a piece a letter, and none for a "-"."""

    vocabulary = SimpleNamespace(pad_id=7, cls_id=8, sep_id=9, unk_id=UNK)

    def encode(self, texts: list[str]) -> list[np.ndarray]:
        return [np.array([ord(x) for x in text if x != "-"], np.int32) for text in texts]


def sentence(words: str, tags: str) -> Example:
    return Example(words, None, tags)


EXAMPLES = [
    sentence("Ann saw Bob", "B-P O B-P"),
    sentence("in - Rome", "O B-L I-L"),
    sentence("a very-very long one", "B-L I-L O B-P"),
]
TASK = TokenClassification(EXAMPLES, "train.conll")
# Outside, then each kind with each prefix.
OUT, B_L, I_L, B_P, I_P = range(5)


def tokenize(length: int, truncation: str = "head"):
    options = TextOptions(max_seq_length=length, truncation=truncation)
    return TASK.tokenize(EXAMPLES, "train.conll", Letters(), options)


def test_every_kind_has_every_prefix() -> None:
    assert TASK.labels == ["O", "B-L", "I-L", "B-P", "I-P"]  # I-P stands nowhere
    with pytest.raises(UserError, match=r"^train.conll: every tag is O; there is no entity"):
        TokenClassification([sentence("a b", "O O")], "train.conll")
    with pytest.raises(UserError, match=r"^dev.conll: tag 'B-X' of sentence 2 is not among"):
        TASK.targets([EXAMPLES[0], sentence("a b", "O B-X")], "dev.conll")


def test_the_first_piece_of_a_word_has_its_tag() -> None:
    split = tokenize(64)
    no = -1
    assert split.texts.first[0].tolist() == [ord(x) for x in "AnnsawBob"]
    assert split.labels[0].tolist() == [B_P, no, no, OUT, no, no, B_P, no, no]
    # A word that tokenisation leaves nothing of is [UNK], and has a tag to learn.
    assert split.texts.first[1].tolist() == [ord("i"), ord("n"), UNK, *map(ord, "Rome")]
    assert split.labels[1].tolist() == [OUT, no, B_L, I_L, no, no, no]
    assert split.num_answers.tolist() == [3, 3, 4]
    assert " ".join(split.truth.words) == "Ann saw Bob in - Rome a very-very long one"
    assert split.truth.tag_ids[2].tolist() == [B_L, I_L, OUT, B_P]
    assert split.truth.read.all()
    assert split.note == ""


def test_what_is_cut_is_counted_and_said() -> None:
    split = tokenize(10)  # eight pieces
    assert [len(split.texts.first[i]) for i in range(3)] == [8, 7, 8]
    # Of "Bob" a piece is left: it is read. "long" and "one" are not.
    assert split.truth.read.tolist() == [True] * 8 + [False] * 2
    assert split.num_answers.tolist() == [3, 3, 2]
    assert split.note == ", 2 of them cut to length: 2 words are not read and count as O"
    tail = tokenize(10, "head_tail")  # two pieces of the head and six of the tail
    assert tail.texts.first[2].tolist() == [ord("a"), ord("v"), *map(ord, "ongone")]
    assert tail.labels[2].tolist() == [B_L, I_L, -1, -1, -1, B_P, -1, -1]
    assert tail.truth.read.tolist()[6:] == [True, True, False, True]


def test_a_batch_has_tags_behind_cls_and_weights_for_them_alone() -> None:
    split = tokenize(64)
    options = TextOptions(max_seq_length=64, batch_size=4, seed=0)
    batches, order = evaluation_batches(
        split.texts, split.labels, Letters.vocabulary, options, TASK.batch
    )
    (batch,) = batches.as_numpy_iterator()
    assert [len(field.shape) for field in batches.element_spec] == [2] * 5
    for row, index in enumerate(order):
        tags = split.labels[index]
        expected = [0, *np.maximum(tags, 0)]
        assert batch.label_ids[row].tolist() == expected + [0] * (32 - len(expected))
        weights = [0, *(tags >= 0)]
        assert batch.example_weights[row].tolist() == weights + [0] * (32 - len(weights))
    assert not batch.example_weights[3].any()
    assert batch.label_ids.dtype == np.int32
    training = training_batches(
        split.texts, split.labels, Letters.vocabulary, options, 0, 1, TASK.batch
    )
    (batch,) = training.as_numpy_iterator()
    assert batch.example_weights.sum() == 10


def test_answers_find_back_to_their_words() -> None:
    """A model that answers with the word's own piece gives back the words."""
    split = tokenize(10)
    options = TextOptions(max_seq_length=10, batch_size=2)
    batches, order = evaluation_batches(
        split.texts, split.labels, Letters.vocabulary, options, TASK.batch
    )
    answers = np.concatenate(
        [batch.input_ids[batch.example_weights > 0] for batch in batches.as_numpy_iterator()]
    )
    restored = np.empty_like(answers)
    restored[answer_order(order, split.num_answers)] = answers
    read = np.array(split.truth.words)[split.truth.read]
    firsts = [chr(i) if i != UNK else "-" for i in restored]
    assert firsts == [word[0] for word in read]


def test_answer_order_of_one_answer_each_is_the_order() -> None:
    order = np.array([2, 0, 1])
    assert answer_order(order, np.ones(3, np.int64)).tolist() == [2, 0, 1]
    # Example 0 has places 0 and 1, example 1 none, example 2 places 2 to 4.
    assert answer_order(order, np.array([2, 0, 3])).tolist() == [2, 3, 4, 0, 1]


def test_scores_are_of_all_words_also_those_cut_off() -> None:
    split = tokenize(10)
    truth = split.truth
    said = [B_P, OUT, B_P, OUT, B_L, I_L, B_L, OUT]  # of the eight words that are read
    answers = np.full((8, 5), -20.0, np.float32)
    answers[np.arange(8), said] = 20.0
    values = TASK.score(truth, answers)
    # Entities: Ann, Bob, "- Rome", "a very-very", one. The fourth is said one word short,
    # the last was not read.
    assert values["precision"] == 3 / 4
    assert values["recall"] == 3 / 5
    assert values["f1"] == 2 * 3 / 9
    assert values["word_accuracy"] == 8 / 10
    assert values["loss"] == pytest.approx(40 / 8)  # one of eight, by 40 nats
    assert TASK.baseline(truth) == 3 / 10
    assert TASK.confusion(truth, answers).sum() == 10
    lines = [line.split("\t") for line in TASK.table(truth, answers).splitlines()]
    assert lines[0] == ["sentence", "word", "label", "predicted", "p"]
    assert lines[1] == ["0", "Ann", "B-P", "B-P", "1.000000"]
    assert lines[5] == ["1", "-", "B-L", "B-L", "1.000000"]
    assert lines[8] == ["2", "very-very", "I-L", "O", "1.000000"]
    assert lines[10] == ["2", "one", "B-P", "O", "0.000000"]


def test_what_is_cut_out_of_the_middle_moves_no_answer() -> None:
    truth = tokenize(10, "head_tail").truth  # without "long"
    said = [B_P, OUT, B_P, OUT, B_L, I_L, B_L, I_L, B_P]
    answers = np.zeros((9, 5), np.float32)
    answers[np.arange(9), said] = [20, 20, 20, 20, 20, 20, 20, 20, 0.1]
    values = TASK.score(truth, answers)
    assert (values["f1"], values["word_accuracy"]) == (1.0, 1.0)
    lines = [line.split("\t") for line in TASK.table(truth, answers).splitlines()[-2:]]
    assert lines[0] == ["2", "long", "O", "O", "0.000000"]
    assert lines[1][1:4] == ["one", "B-P", "B-P"]
    assert 0.2 < float(lines[1][4]) < 0.25


def test_no_entity_at_all_is_warned_of() -> None:
    truth = tokenize(64).truth
    answers = np.zeros((10, 5), np.float32)
    assert "every word is taken for O" in str(TASK.warning(truth, answers))
    answers[3, 2] = 1
    assert TASK.warning(truth, answers) is None
