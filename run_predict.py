"""Uses a trained run.

  python run_predict.py --checkpoint=runs/pretrain --fill_mask="a [MASK] of two [MASK]"
  python run_predict.py --checkpoint=runs/classify --classify "a good film" "a bad one"
  tail -f reviews.txt | python run_predict.py --checkpoint=runs/classify --classify
  python run_predict.py --checkpoint=runs/classify --classify \\
      --input=reviews.csv --text_column=review --output=classes.csv
  python run_predict.py --checkpoint=runs/similar --regress \\
      --input=pairs.tsv --text_column=question --text_pair_column=answer --output=scores.tsv
  python run_predict.py --checkpoint=runs/names --tag "Jane Austen wrote it ."
  python run_predict.py --checkpoint=runs/pretrain --embed \\
      --input=reviews.txt --output=vectors.npy

Prints the best words for each [MASK], the classes of each text with probabilities, a number
for each, or a tag for each word, depending on what the run was trained for.
The answers to a file are written in its order, whole or not at all. Texts are cut to the
length the run was trained on.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import flags
from bert_core.errors import UserError
from loops import console, stopping

if TYPE_CHECKING:  # what imports TensorFlow is imported where it is used
    from loops.evaluate import Predictor
    from loops.trained_run import TrainedRun
    from loops.use_options import PredictOptions
    from pipelines.examples import Example
    from pipelines.options import ExamplesOptions, TextOptions
    from pipelines.tokenizer import Tokenizer


class Reader(NamedTuple):
    """A trained run, what it is asked, and how it reads texts."""

    run: TrainedRun
    options: PredictOptions
    tokenizer: Tokenizer  # of the run's vocabulary
    reading: TextOptions


def main() -> None:
    options, columns = flags.predict_options(), flags.unlabelled_columns()
    checkpoint, runtime = flags.checkpoint(), flags.runtime_options()
    from loops import startup
    from loops.trained_run import TASK_OF, read_trained_run

    run = read_trained_run(checkpoint)
    run.check_can(options.action)
    if columns.text_pair_column:
        run.config.check_pairs(str(run.path))
    if options.action in TASK_OF:
        run.check_pairs(bool(columns.text_pair_column))
        if columns.text_pair_column and not options.input:
            raise UserError("--text_pair_column: names a column of a file; give --input")
    length = run.sequence_length(flags.FLAGS.max_seq_length)
    reading = flags.reading_options(length, run.truncation)
    from pipelines.unlabelled import read_texts
    from pipelines.vocabulary import read_vocabulary

    vocabulary = read_vocabulary(run.path / "vocab.txt", run.lower_case, run.config.vocab_size)
    examples = read_texts(options.input, columns) if options.input else []
    startup.start_tensorflow(runtime)
    from pipelines.tokenizer import Tokenizer  # imports TensorFlow

    reader = Reader(run, options, Tokenizer(vocabulary), reading)
    if options.action == "fill_mask":
        fill_masks(reader)
    elif options.input:
        work_through(reader, columns, examples)
    else:
        answer_lines(reader)


def fill_masks(reader: Reader) -> None:
    """Prints each sentence, and the best words for each [MASK] in it."""
    from bert_core.models import MaskedLanguageModel
    from loops.inspection import best_words
    from loops.warm_start import loaded
    from pipelines.masked_text import masked_batch

    run, options, tokenizer, reading = reader
    longest = reading.max_seq_length
    batches = [masked_batch(text, tokenizer, longest) for text in options.texts]
    model = loaded(MaskedLanguageModel(run.config), run.path)
    for text, batch in zip(options.texts, batches, strict=True):
        print(text)
        for guesses in best_words(
            model.logits(batch), tokenizer.vocabulary.tokens, options.top_k
        ):
            words = (f"{word} {share:.3f}" for word, share in guesses)
            print("  [MASK]: " + ", ".join(words))


@stopping.deferred()
def work_through(reader: Reader, columns: ExamplesOptions, examples: Sequence[Example]) -> None:
    """Writes what the run says about a whole file."""
    from bert_core import scores
    from loops import prediction_files
    from loops.predict import predict_all
    from pipelines.text_batches import evaluation_batches
    from pipelines.tokenized import tokenize_examples, unknown_warning
    from pipelines.unlabelled import text_columns

    run, options, tokenizer, reading = reader
    assert options.output  # --input requires it
    print(f"{options.input}: {len(examples):,} texts", flush=True)
    if options.action == "tag":
        return tag_file(reader, examples)
    function = function_of(run, options.action)
    tokenized = tokenize_examples(
        examples, tokenizer, reading.max_seq_length, reading.truncation
    )
    warn(run.truncation_warning(tokenized.num_truncated, reading.max_seq_length))
    warn("\n".join(unknown_warning(tokenized, tokenizer.vocabulary)))
    batches, order = evaluation_batches(tokenized, None, tokenizer.vocabulary, reading)
    rows, shown = predict_all(function, batches, order), text_columns(examples, columns)
    if options.action == "embed":
        prediction_files.write_vectors(options.output, rows)
    elif options.action == "regress":
        prediction_files.write_numbers(options.output, shown, run.in_units(rows))
    else:
        prediction_files.write_classes(options.output, shown, run.labels, scores.softmax(rows))
    print(f"wrote {options.output}")


def tag_file(reader: Reader, examples: Sequence[Example]) -> None:
    """Writes the tag of each word of a file."""
    from loops.predict import predict_all
    from loops.prediction_files import write_tags
    from pipelines import token_classification as tagging
    from pipelines.conll import words_in
    from pipelines.text_batches import answer_order, evaluation_batches

    run, options, tokenizer, reading = reader
    assert options.output
    sentences = [words_in(example.text) for example in examples]
    if not any(sentences):
        raise UserError(f"{options.input}: holds no words; put spaces between them")
    pieces = tagging.tokenize_words(sentences, tokenizer, reading)
    warn(run.truncation_warning(pieces.texts.num_truncated, reading.max_seq_length))
    batches, order = evaluation_batches(
        pieces.texts, pieces.words, tokenizer.vocabulary, reading, tagging.tagged
    )
    order = answer_order(order, tagging.num_read(pieces))
    answers = predict_all(function_of(run, "tag"), batches, order, "words")
    write_tags(options.output, tagging.words_with_tags(sentences, pieces, answers, run.labels))
    print(f"wrote {options.output}")


def answer_lines(reader: Reader) -> None:
    """Prints what the run says about texts, one by one: arguments, or lines of stdin."""
    from loops.evaluate import Predictor

    run, options, _, reading = reader
    predict = Predictor(function_of(run, options.action))
    answer = tagged_line if options.action == "tag" else answered_line
    num_truncated = 0
    for text in options.texts or lines_of_stdin():
        line, truncated = answer(text, reader, predict)
        num_truncated += truncated
        print(f"{text}\n  {line}" if options.texts else line, flush=True)
        if console.reader_is_gone():  # there may be no end to standard input
            break
    warn(run.truncation_warning(num_truncated, reading.max_seq_length))


def answered_line(text: str, reader: Reader, predict: Predictor) -> tuple[str, int]:
    """A text's number, or its likeliest classes; and 1 if it was cut to length."""
    from bert_core import scores
    from loops.predict import as_line
    from pipelines.text_batches import batch_of_all
    from pipelines.tokenized import tokenize_examples
    from pipelines.unlabelled import Example

    run, options, tokenizer, reading = reader
    tokenized = tokenize_examples(
        [Example(text, None, None)], tokenizer, reading.max_seq_length, reading.truncation
    )
    rows = predict([batch_of_all(tokenized, tokenizer.vocabulary, reading)])
    if options.action == "regress":
        return str(float(run.in_units(rows)[0])), tokenized.num_truncated
    line = as_line(scores.softmax(rows)[0], run.labels, options.top_k)
    return line, tokenized.num_truncated


def tagged_line(text: str, reader: Reader, predict: Predictor) -> tuple[str, int]:
    """ "Jane/B-PER Austen/I-PER wrote/O"; and 1 if the text was cut to length."""
    from pipelines import token_classification as tagging
    from pipelines.conll import words_in
    from pipelines.text_batches import batch_of_all

    run, _, tokenizer, reading = reader
    sentences = [words_in(text)]
    pieces = tagging.tokenize_words(sentences, tokenizer, reading)
    batch = batch_of_all(
        pieces.texts, tokenizer.vocabulary, reading, pieces.words, tagging.tagged
    )
    answers = predict([batch])
    (words,) = tagging.words_with_tags(sentences, pieces, answers, run.labels)
    return " ".join(f"{word}/{tag}" for word, tag in words), pieces.texts.num_truncated


def lines_of_stdin() -> Iterable[str]:
    """Standard input, one text per line."""
    from pipelines.unlabelled import texts_of_stream

    if sys.stdin and sys.stdin.isatty():
        warn("one text per line, please; Ctrl-D ends")
    return texts_of_stream(sys.stdin.buffer if sys.stdin else io.BytesIO())


def function_of(run: TrainedRun, action: str) -> Callable[[Any], Any]:
    """What the run's model makes of a batch: logits, or vectors."""
    from bert_core import models
    from loops.warm_start import loaded

    if action == "embed":
        return loaded(models.SentenceEncoder(run.config), run.path).vectors
    kinds = {"tag": models.TokenClassifier, "regress": models.Regressor}
    kind: Any = kinds.get(action, models.Classifier)
    return loaded(kind(run.config, len(run.labels) or 1), run.path).logits


def warn(line: str | None) -> None:
    """Prints a line for the person on stderr, apart from the answers."""
    if line:
        with contextlib.suppress(OSError):  # a terminal that is gone
            print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    flags.launch(main, flags.predict_flags, flags.runtime_flags, takes_texts=True)
