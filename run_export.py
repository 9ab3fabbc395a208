"""Exports a trained run for serving: a SavedModel that takes raw strings.

  python run_export.py --checkpoint=runs/classify --output_dir=served/reviews/1
  python run_export.py --checkpoint=runs/classify --output_dir=served/reviews/1 \\
      --quantize=dynamic --eval_file=test.csv --text_column=review --label_column=stars

A classifier answers with label names and probabilities, a regressor with a number, a
pretrained model with the best words for each [MASK], and all with sentence vectors.
TensorFlow with tensorflow-text loads it, as does TensorFlow Serving, without this project's
code. The directory is written whole or not at all.
"""

from pathlib import Path
from typing import Any

import flags
from bert_core.errors import UserError


def main() -> None:
    options, columns = flags.export_options(), flags.examples_options()
    checkpoint, runtime = flags.checkpoint(), flags.runtime_options()
    from loops import startup
    from loops.trained_run import read_trained_run

    run = read_trained_run(checkpoint)
    if run.task not in (None, "classification", "regression"):
        raise UserError(
            f"{checkpoint}: was fine-tuned for {run.task}; only runs that classify texts, give "
            "numbers for them, fill in masks or make vectors can be exported"
        )
    length = run.sequence_length(flags.FLAGS.max_seq_length)
    reading = flags.reading_options(length, run.truncation)
    from pipelines.examples import label_ids, read_examples
    from pipelines.vocabulary import read_vocabulary

    vocabulary = read_vocabulary(run.path / "vocab.txt", run.lower_case, run.config.vocab_size)
    examples, labels = [], None
    if options.eval_file:
        run.check_can("classify")
        run.check_pairs(bool(columns.text_pair_column))
        examples = read_examples(options.eval_file, columns)
        labels = label_ids(examples, run.labels, str(options.eval_file))
    startup.start_tensorflow(runtime)
    from loops import export
    from loops.new_directory import new_directory

    exported, signatures = build(run, vocabulary, reading, options.top_k)
    with new_directory(options.output_dir) as directory:
        name = options.output_dir.absolute().parent.name
        export.save(directory, name, exported, signatures, warmup_texts(vocabulary, length))
        if options.quantize:
            write_tflite(
                directory / "tflite", exported.model, vocabulary, run, reading, examples, labels
            )
    print("\n".join([f"SavedModel in {options.output_dir}:", *export.described(signatures)]))


def build(run: Any, vocabulary: Any, reading: Any, top_k: int) -> tuple[Any, Any]:
    """The module to save, and its signatures by name."""
    from bert_core.models import Classifier, MaskedLanguageModel, Regressor, SentenceEncoder
    from loops import exported
    from loops.warm_start import loaded
    from pipelines.graph_batches import MaskedBatcher, TextBatcher
    from pipelines.tokenizer import Tokenizer

    tokenizer = Tokenizer(vocabulary)
    to_batch = TextBatcher(tokenizer, reading)
    to_masked = MaskedBatcher(tokenizer, reading.max_seq_length)
    signatures: dict[str, Any]
    pairs = bool(run.reads_pairs)
    if run.task == "classification":
        model: Any = loaded(Classifier(run.config, len(run.labels)), run.path)
        signatures = exported.classifying(model, to_batch, run.labels, pairs)
    elif run.task == "regression":
        model = loaded(Regressor(run.config, 1), run.path)
        signatures = exported.regressing(model, to_batch, run.target_scale, pairs)
    elif run.fills_masks:
        model = loaded(MaskedLanguageModel(run.config), run.path)
        signatures = exported.filling_masks(model, to_masked, vocabulary.tokens, top_k)
    else:
        model = loaded(SentenceEncoder(run.config), run.path)
        signatures = exported.embedding(model.encoder, to_batch, exported.DEFAULT)
    signatures |= exported.embedding(model.encoder, to_batch)
    return exported.Exported(model, [to_batch, to_masked]), signatures


def warmup_texts(vocabulary: Any, max_seq_length: int) -> list[str]:
    """A short text and one of full length, each of one vocabulary word and a [MASK]."""
    ids = vocabulary.ordinary_ids
    words = [vocabulary.tokens[i] for i in ids if not vocabulary.is_continuation[i]]
    word = words[-1] if words else vocabulary.tokens[ids[-1]]
    return [f"{word} [MASK]", f"[MASK] {word}" + f" {word}" * max_seq_length]


def write_tflite(
    directory: Path,
    model: Any,
    vocabulary: Any,
    run: Any,
    reading: Any,
    examples: Any,
    labels: Any,
) -> None:
    """The classifier with 8-bit weights, and a line on what that costs."""
    from bert_core import scores
    from bert_core.names import named_variables
    from loops import startup, tflite
    from loops.files import write_whole
    from loops.portable import as_lines
    from loops.predict import predict_all
    from pipelines.text_batches import evaluation_batches, unpadded
    from pipelines.tokenized import tokenize_examples
    from pipelines.tokenizer import Tokenizer

    content = tflite.quantised(model, vocabulary.pad_id, vocabulary.sep_id)
    directory.mkdir()
    write_whole(directory / "classifier.tflite", content)
    write_whole(directory / "vocab.txt", as_lines(vocabulary.tokens))
    write_whole(directory / "labels.txt", as_lines(run.labels))
    size = sum(
        4 * variable.shape.num_elements() for variable in named_variables(model).values()
    )
    print(f"tflite/classifier.tflite: {len(content):,} bytes for {size:,} of weights")
    texts = tokenize_examples(
        examples, Tokenizer(vocabulary), reading.max_seq_length, reading.truncation
    )
    batches, order = evaluation_batches(texts, labels, vocabulary, reading)
    before = scores.softmax(predict_all(model.logits, batches, order))
    num_threads = startup.num_threads(flags.runtime_options())
    after = tflite.run(content, unpadded(texts, vocabulary), num_threads)
    print(tflite.comparison(after, labels, before).line())


if __name__ == "__main__":
    flags.launch(main, flags.export_flags, flags.column_flags, flags.runtime_flags)
