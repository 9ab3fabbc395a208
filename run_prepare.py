"""Writes a public dataset as plain files that run_pretrain.py and run_finetune.py read.

  python run_prepare.py --dataset=docstrings --data_dir=data/docstrings
  python run_prepare.py --dataset=imdb_reviews --data_dir=data/imdb
  python run_prepare.py --dataset=imdb_reviews --data_dir=data/imdb \\
      --tfds_data_dir=~/tensorflow_datasets --nodownload

`docstrings` is embedded: the docstrings of the installed Python packages, labelled by
package; it needs no network. Any other name is a text dataset of TensorFlow Datasets.

--data_dir then holds corpus/*.txt (one document per line, never from the test split) and, if
the dataset has labels, train.jsonl, test.jsonl, labels.txt and unlabelled.txt, the texts of
the corpus that have none. It is written whole or not at all.
Your own text needs no preparation: give its folder to run_pretrain.py.
"""

import shlex

import flags
from loops import startup
from loops.options import RuntimeOptions
from pipelines.options import EMBEDDED


def main() -> None:
    options = flags.prepare_options()
    startup.set_environment(RuntimeOptions())
    from pipelines.datasets import find_dataset
    from pipelines.prepared import describe, write_source

    source = find_dataset(options)
    if options.dataset != EMBEDDED:  # which needs no TensorFlow
        startup.start_tensorflow(RuntimeOptions())
    record = write_source(source, options.data_dir, options.overwrite)
    print("\n".join(describe(record, options.data_dir)))
    corpus = shlex.quote(str(options.data_dir / "corpus"))
    print(f"next: python run_pretrain.py --corpus_dir={corpus} --output_dir=RUN")


if __name__ == "__main__":
    flags.launch(main, flags.dataset_flags, flags.prepare_flags)
