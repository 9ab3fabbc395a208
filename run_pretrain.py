"""Pretrains BERT by masked language modelling on a folder of text.

  python run_pretrain.py --corpus_dir=my_texts --output_dir=runs/pretrain
  python run_pretrain.py --corpus_dir=my_texts --output_dir=runs/small \\
      --model=small --seq_length=256 --max_minutes=120
  python run_pretrain.py --flagfile=runs/pretrain/flags.txt

The same command again goes on where a stopped run was. Watch it with
  tensorboard --logdir=runs
"""

import dataclasses
import json
import math

import flags


def main() -> None:
    corpus, store_options = flags.corpus_options(), flags.store_options()
    mlm, runtime = flags.mlm_options(), flags.runtime_options()
    flags.length_options(num_train_steps=1)  # mistakes show before any work
    from loops import startup

    startup.before_tensorflow(runtime)
    from loops.run_directory import RunDirectory, check_output_dir
    from pipelines.cached_store import prepare

    if not flags.FLAGS.prepare_only:
        check_output_dir(flags.output_dir())
    startup.configure_tensorflow(runtime)
    prepared = prepare(corpus, store_options, say=lambda line: print(line, flush=True))
    if not flags.FLAGS.prepare_only:
        pretrain(RunDirectory(flags.output_dir()), prepared, mlm, store_options, runtime)


def pretrain(run, prepared, mlm, store_options, runtime) -> None:
    from bert_core.models import MaskedLanguageModel
    from loops import pictures, train_loop
    from loops.session import Plan, open_session
    from loops.startup import default_learning_rate
    from bert_core.schedule import warmup_then_decay
    from pipelines import mlm_batches

    vocabulary, stream = prepared.vocabulary, prepared.store.split("train")
    config = flags.model_config(vocabulary.size)
