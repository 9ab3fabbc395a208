"""Combines labels guessed by fine-tuned runs with those of NB-SVM on words and bigrams.

  python run_predict.py --checkpoint=runs/classify --classify \\
      --input=more.txt --output=guessed.jsonl
  python run_second_opinion.py --train_file=train.jsonl \\
      --guessed_file=guessed.jsonl --output=agreed.jsonl
  python run_finetune.py --init_checkpoint=runs/pretrain --output_dir=runs/student \\
      --train_file=train.jsonl --guessed_file=agreed.jsonl

With several runs, one --guessed_file each, their mean counts. NB-SVM is trained on
the labelled texts that run_finetune.py trains on, not on those that it sets aside. Two labels
only. Needs no TensorFlow, and about a minute for 12,000 labelled reviews and 50,000 others.
"""

import time

import flags


def main() -> None:
    options, columns = flags.second_opinion_options(), flags.examples_options()
    from loops.prediction_files import write_classes
    from pipelines.dev_split import split_dev
    from pipelines.examples import read_examples
    from pipelines.labelled import guess_columns
    from pipelines.nb_svm import NbSvm
    from pipelines.second_opinion import both_opinions, read_all_guesses, two_labels
    from pipelines.unlabelled import text_columns

    started = time.monotonic()
    train = read_examples(options.train_file, columns)
    labels = two_labels(train, str(options.train_file))
    guesses = read_all_guesses(options.guessed_files, guess_columns(columns), labels)
    if options.dev_share:
        train, _ = split_dev(train, options.dev_share, seed=0)
    print(f"NB-SVM learns from {len(train):,} texts", flush=True)
    agreed = both_opinions(guesses, NbSvm(train, labels))
    shown = text_columns(guesses.examples, columns)
    write_classes(options.output, shown, labels, agreed)
    changed = (agreed[:, 1] > 0.5) != (guesses.log_odds > 0)
    print(
        f"wrote {options.output}: {changed.sum():,} of {len(changed):,} texts have another "
        f"label now ({time.monotonic() - started:.0f} s)"
    )


if __name__ == "__main__":
    flags.launch(main, flags.second_opinion_flags, flags.column_flags)
