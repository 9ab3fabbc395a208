"""Uses a trained run.

  python run_predict.py --checkpoint=runs/pretrain --fill_mask="a [MASK] of two [MASK]"
  python run_predict.py --checkpoint=runs/classify --classify "a good film" "a bad one"
  tail -f reviews.txt | python run_predict.py --checkpoint=runs/classify --classify
  python run_predict.py --checkpoint=runs/classify --classify \\
      --input=reviews.csv --text_column=review --output=classes.csv
  python run_predict.py --checkpoint=runs/pretrain --embed \\
      --input=reviews.txt --output=vectors.npy

Prints the best words for each [MASK], or the classes of each text, with probabilities.
Of a file, everything is written in its order, whole or not at all. Texts are cut to the
length the run was trained on.
"""

import io
import sys
from collections.abc import Iterable
from typing import Any

import flags
from bert_core.errors import UserError
from loops import console, stopping


def main() -> None:
    options, columns = flags.predict_options(), flags.unlabelled_columns()
    checkpoint, runtime = flags.checkpoint(), flags.runtime_options()
    from loops import startup
    from loops.trained_run import read_trained_run

    run = read_trained_run(checkpoint)
    run.check_can(options.action)
    if options.action == "classify":
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
    if options.action == "fill_mask":
        fill_masks(run, vocabulary, options)
    elif options.input:
        work_through(run, vocabulary, options, reading, columns, examples)
    else:
        classify_lines(run, vocabulary, options, reading)


def fill_masks(run: Any, vocabulary: Any, options: Any) -> None:
    """Prints each sentence, and the best words for each [MASK] of it."""
    from bert_core.models import MaskedLanguageModel
    from loops.evaluate import top_fillings
    from loops.warm_start import load_run
    from pipelines.masked_text import masked_batch
    from pipelines.tokenizer import Tokenizer

    tokenizer, longest = Tokenizer(vocabulary), run.config.max_position_embeddings
    batches = [masked_batch(text, tokenizer, longest) for text in options.texts]
    model = MaskedLanguageModel(run.config)
    load_run(model, run.path, required=("encoder/", "head/"))
    for text, batch in zip(options.texts, batches, strict=True):
        print(text)
        for fillings in top_fillings(model, batch, min(options.top_k, vocabulary.size)):
            words = (f"{vocabulary.tokens[i]} {share:.3f}" for i, share in fillings)
            print("  [MASK]: " + ", ".join(words))


@stopping.deferred()
def work_through(
    run: Any, vocabulary: Any, options: Any, reading: Any, columns: Any, examples: Any
) -> None:
    """Writes the classes, or the vectors, of a whole file."""
    from bert_core import scores
    from loops import prediction_files
    from loops.predict import predict_all
    from pipelines.classification_batches import evaluation_batches
    from pipelines.tokenized import tokenize_examples
    from pipelines.tokenizer import Tokenizer
    from pipelines.unlabelled import text_columns

    function = logits_of(run) if options.action == "classify" else vectors_of(run)
    print(f"{options.input}: {len(examples):,} texts", flush=True)
    tokenized = tokenize_examples(
        examples, Tokenizer(vocabulary), reading.max_seq_length, reading.truncation
    )
    warn(run.truncation_warning(tokenized.num_truncated, reading.max_seq_length))
    batches, order = evaluation_batches(tokenized, None, vocabulary, reading)
    rows = predict_all(function, batches, order)
    if options.action == "embed":
        prediction_files.write_vectors(options.output, rows)
    else:
        shown = text_columns(examples, columns)
        prediction_files.write_classes(options.output, shown, run.labels, scores.softmax(rows))
    print(f"wrote {options.output}")


def classify_lines(run: Any, vocabulary: Any, options: Any, reading: Any) -> None:
    """Prints the classes of texts one by one: arguments, or lines of standard input."""
    from bert_core import scores
    from loops.evaluate import Predictor
    from loops.predict import as_line
    from pipelines.classification_batches import batch_of_all
    from pipelines.tokenized import tokenize_examples
    from pipelines.tokenizer import Tokenizer
    from pipelines.unlabelled import Example

    tokenizer, predict = Tokenizer(vocabulary), Predictor(logits_of(run))
    num_truncated = 0
    for text in options.texts or lines_of_stdin():
        tokenized = tokenize_examples(
            [Example(text, None, None)], tokenizer, reading.max_seq_length, reading.truncation
        )
        num_truncated += tokenized.num_truncated
        batch = batch_of_all(tokenized, vocabulary, reading)
        line = as_line(scores.softmax(predict([batch]))[0], run.labels, options.top_k)
        print(f"{text}\n  {line}" if options.texts else line, flush=True)
        if console.reader_is_gone():  # there may be no end to standard input
            break
    warn(run.truncation_warning(num_truncated, reading.max_seq_length))


def lines_of_stdin() -> Iterable[str]:
    """Standard input, a text a line."""
    from pipelines.unlabelled import texts_of_stream

    if sys.stdin and sys.stdin.isatty():
        warn("a text a line, please; Ctrl-D ends")
    return texts_of_stream(sys.stdin.buffer if sys.stdin else io.BytesIO())


def logits_of(run: Any) -> Any:
    """The run's classifier, as a function of batches."""
    from bert_core.models import Classifier
    from loops.warm_start import load_run

    model = Classifier(run.config, len(run.labels))
    load_run(model, run.path, required=("encoder/", "pooler/", "output/"))
    return model.logits


def vectors_of(run: Any) -> Any:
    """The run's encoder and a mean, as a function of batches."""
    from bert_core.models import SentenceEncoder
    from loops.warm_start import load_run

    model = SentenceEncoder(run.config)
    load_run(model, run.path)
    return model.vectors


def warn(line: str | None) -> None:
    """A line for the person, kept out of the answers."""
    if line:
        print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    flags.launch(main, flags.predict_flags, flags.runtime_flags, takes_texts=True)
