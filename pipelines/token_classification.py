"""The task of token classification: one tag per word, such as those of names.

As an Example, a sentence is its words and its tags, each joined by single blanks.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bert_core import scores
from bert_core.batch import TokenClassificationBatch
from bert_core.entities import OUTSIDE, entity_scores
from bert_core.errors import UserError
from bert_core.escapes import cell
from pipelines.conll import read_conll
from pipelines.examples import Example
from pipelines.options import ExamplesOptions, TextOptions
from pipelines.task import Inputs, Split, Task
from pipelines.tokenized import ENCODE_AT_ONCE, Rows, TextEncoder, TokenizedTexts, cut

NO_TAG = -1  # of a piece that is not a word's first


class Pieces(NamedTuple):
    """n sentences as word pieces, cut to length."""

    texts: TokenizedTexts
    words: Rows  # of each piece: the word it is the first of, NO_TAG for a later one
    read: Rows  # of each word: 1, or 0 where it was cut off


class Words(NamedTuple):
    """The words of n sentences end to end, and which of them the model gets to see."""

    words: list[str]
    tag_ids: Rows  # one row per sentence
    read: np.ndarray  # [words] bool; False for what was cut off


class TokenClassification(Task):
    """Each word's first piece has its tag. Words that are cut off count as tagged O."""

    metric = "f1"
    pools = False

    def __init__(self, examples: Sequence[Example], where: str):
        tags = {tag for example in examples for tag in (example.label or "").split(" ")}
        kinds = sorted({tag.partition("-")[2] for tag in tags} - {""})
        if not kinds:
            raise UserError(f"{where}: every tag is {OUTSIDE}; there is no entity to learn")
        # Every prefix with every kind: a rare I-MISC may occur only in the test file.
        prefixes = sorted({tag.partition("-")[0] for tag in tags} - {OUTSIDE})
        self.labels = [OUTSIDE, *(f"{p}-{kind}" for kind in kinds for p in prefixes)]
        self.record = {"tags": self.labels}

    @classmethod
    def read(cls, path: Path, columns: ExamplesOptions) -> list[Example]:
        if columns != ExamplesOptions():
            raise UserError(
                "--text_column, --text_pair_column and --label_column have no meaning for "
                "--task=token_classification: the first column is the word, the last its tag"
            )
        return read_conll(path)

    def targets(self, examples: Sequence[Example], where: str) -> np.ndarray:
        """[words] int32, of all sentences end to end."""
        ids = {tag: index for index, tag in enumerate(self.labels)}
        found: list[int] = []
        for number, example in enumerate(examples, start=1):
            for tag in (example.label or "").split(" "):
                if tag not in ids:
                    raise UserError(
                        f"{where}: tag {tag!r} of sentence {number} is not among the tags "
                        f"trained on: {', '.join(self.labels)[:200]}; correct it, or train on "
                        "sentences with it"
                    )
                found.append(ids[tag])
        return np.array(found, np.int32)

    def tokenize(
        self,
        examples: Sequence[Example],
        where: str,
        tokenizer: TextEncoder,
        options: TextOptions,
    ) -> Split:
        """Word by word; what is too long loses its last pieces, or those in its middle."""
        sentences = [example.text.split(" ") for example in examples]
        pieces = tokenize_words(sentences, tokenizer, options)
        tag_ids = Rows(self.targets(examples, where), pieces.read.row_splits)
        labels = []
        for row in range(len(sentences)):
            words = pieces.words[row]
            labels.append(np.where(words == NO_TAG, NO_TAG, tag_ids[row][words]))
        is_read = pieces.read.ids > 0
        return Split(
            pieces.texts,
            Rows.of(labels),
            Words(list(itertools.chain(*sentences)), tag_ids, is_read),
            num_read(pieces),
            _note(pieces.texts.num_truncated, int((~is_read).sum())),
        )

    def batch(
        self, inputs: Inputs, labels: Rows, indices: np.ndarray
    ) -> TokenClassificationBatch:
        return tagged(inputs, labels, indices)

    def score(self, truth: Words, answers: np.ndarray) -> dict[str, float]:
        tag_ids, predicted = truth.tag_ids.ids, self._predicted(truth, answers)
        return {
            "loss": scores.mean_cross_entropy(scores.softmax(answers), tag_ids[truth.read]),
            **entity_scores(self._tags(truth.tag_ids), self._tags(predicted)),
            "word_accuracy": float(np.mean(predicted.ids == tag_ids)),
        }

    def table(self, truth: Words, answers: np.ndarray) -> str:
        """One line per word: its tag, what it is taken for, and how surely (0 if cut off)."""
        odds = np.zeros(len(truth.words))
        odds[truth.read] = scores.softmax(answers).max(axis=1)
        predicted = self._predicted(truth, answers).ids
        sentence = np.repeat(np.arange(len(truth.tag_ids)), truth.tag_ids.lengths)
        rows = zip(sentence, truth.words, truth.tag_ids.ids, predicted, odds, strict=True)
        shown = [cell(label) for label in self.labels]
        lines = ["sentence\tword\tlabel\tpredicted\tp"]
        for number, word, label, guess, share in rows:
            cells = [str(number), cell(word), shown[label], shown[guess]]
            lines.append("\t".join([*cells, f"{share:.6f}"]))
        return "\n".join(lines) + "\n"

    def description(self) -> str:
        return f"tags: {', '.join(self.labels)}"

    def baseline(self, truth: Words) -> float:
        """The share of the words that are O."""
        return float(np.mean(truth.tag_ids.ids == 0))

    def summary(self, truth: Words, values: dict[str, float]) -> str:
        return (
            f"entity F1 {values['f1']:.4f} (precision {values['precision']:.4f}, recall "
            f"{values['recall']:.4f}), word accuracy {values['word_accuracy']:.4f} (all "
            f"{OUTSIDE}: {self.baseline(truth):.4f}), loss {values['loss']:.4f}"
        )

    def confusion(self, truth: Words, answers: np.ndarray) -> np.ndarray:
        predicted = self._predicted(truth, answers).ids
        return scores.confusion_matrix(truth.tag_ids.ids, predicted, len(self.labels))

    def warning(self, truth: Words, answers: np.ndarray) -> str | None:
        if answers.argmax(axis=1).any():
            return None
        return (
            f"warning: every word is taken for {OUTSIDE}; try more --num_epochs, a higher "
            "--learning_rate, or more sentences with entities"
        )

    def _predicted(self, truth: Words, answers: np.ndarray) -> Rows:
        return Rows(predicted_ids(truth.read, answers), truth.tag_ids.row_splits)

    def _tags(self, rows: Rows) -> Iterator[list[str]]:
        return ([self.labels[i] for i in rows[row]] for row in range(len(rows)))


def tokenize_words(
    sentences: Sequence[list[str]], tokenizer: TextEncoder, options: TextOptions
) -> Pieces:
    """Word by word; what is too long loses its last pieces, or those in its middle."""
    budget = options.max_seq_length - 2
    texts, begun, read, num_cut = [], [], [], 0
    for pieces in _pieces_of(sentences, tokenizer):
        ids = np.concatenate([np.zeros(0, np.int32), *pieces])
        words = cut(_words_begun(pieces), budget, options.truncation)
        texts.append(cut(ids, budget, options.truncation))
        begun.append(words)
        read.append(np.isin(np.arange(len(pieces)), words))
        num_cut += len(ids) > budget
    return Pieces(TokenizedTexts(Rows.of(texts), None, num_cut), Rows.of(begun), Rows.of(read))


def num_read(pieces: Pieces) -> np.ndarray:
    """Words of each sentence that were not cut off, [n] int64."""
    sums = np.cumsum(np.append(0, pieces.read.ids))
    return np.diff(sums[pieces.read.row_splits])


def tagged(inputs: Inputs, labels: Rows, indices: np.ndarray) -> TokenClassificationBatch:
    """The batch of `inputs`, with a label per piece; those of NO_TAG have weight 0."""
    tags = np.full(inputs.input_ids.shape, NO_TAG, np.int32)
    for row, index in enumerate(indices):
        tags[row, 1 : 1 + len(labels[index])] = labels[index]  # after [CLS]
    return TokenClassificationBatch(
        *inputs,
        label_ids=np.maximum(tags, 0),
        example_weights=(tags != NO_TAG).astype(np.float32),
    )


def predicted_ids(read: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The tag of each word, [words] int32: the likeliest, and O for those not `read`."""
    predicted = np.zeros(len(read), np.int32)
    predicted[read] = answers.argmax(axis=1)
    return predicted


def words_with_tags(
    sentences: Sequence[list[str]], pieces: Pieces, answers: np.ndarray, tags: Sequence[str]
) -> Iterator[list[tuple[str, str]]]:
    """(word, tag) pairs of each sentence, from answers [words that were read, C]."""
    predicted = Rows(predicted_ids(pieces.read.ids > 0, answers), pieces.read.row_splits)
    for row, words in enumerate(sentences):
        yield [(word, tags[i]) for word, i in zip(words, predicted[row], strict=True)]


def _pieces_of(
    sentences: Sequence[list[str]], tokenizer: TextEncoder
) -> Iterator[list[np.ndarray]]:
    """The ids of each word of each sentence, at least one a word."""
    unknown = np.array([tokenizer.vocabulary.unk_id], np.int32)
    for start in range(0, len(sentences), ENCODE_AT_ONCE):
        chunk = sentences[start : start + ENCODE_AT_ONCE]
        words = iter(tokenizer.encode([word for sentence in chunk for word in sentence]))
        for sentence in chunk:
            # Cleaning leaves nothing of a word of control characters alone.
            yield [
                ids if len(ids) else unknown for ids in itertools.islice(words, len(sentence))
            ]


def _words_begun(pieces: Sequence[np.ndarray]) -> np.ndarray:
    """For each piece of a sentence, the word it is the first of, -1 for a later one."""
    lengths = np.array([len(word) for word in pieces], int)
    begun = np.full(lengths.sum(), NO_TAG)
    begun[np.cumsum(lengths) - lengths] = np.arange(len(pieces))
    return begun


def _note(num_cut: int, words: int) -> str:
    """What was cut, for the screen."""
    if not num_cut:
        return ""
    return f", {num_cut:,} of them cut to length: {words:,} words are not read and count as O"
