"""Pretrains BERT by masked language modelling on a folder of text.

  python run_pretrain.py --corpus_dir=my_texts --output_dir=runs/pretrain
  python run_pretrain.py --corpus_dir=my_texts --output_dir=runs/small \\
      --model=small --seq_length=256 --max_minutes=120
  python run_pretrain.py --corpus_dir=my_texts --output_dir=runs/longer \\
      --init_checkpoint=runs/pretrain --seq_length=512 --batch_size=8
  python run_pretrain.py --flagfile=runs/pretrain/flags.txt

The same command resumes a stopped run; tensorboard --logdir=runs shows it.
"""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flags
from loops import stopping

if TYPE_CHECKING:  # what imports TensorFlow is imported where it is used
    from bert_core.models import MaskedLanguageModel
    from loops.distribution import Replicas
    from loops.plan import Plan
    from loops.session import Session
    from pipelines.cached_store import PreparedCorpus
    from pipelines.options import MlmOptions, StoreOptions
    from pipelines.vocabulary import Vocabulary

DEFAULT_STEPS = 3000
# What has a row for each token or position, of which --init_checkpoint may have fewer.
GROWING = ("encoder/embeddings/", "head/bias")
CHARTED = "unigram_entropy"  # a flat line in the chart of the loss


def say(text: str, end: str = "\n") -> None:
    """Prints; raises Stopped after a signal, so that work which prints can be stopped."""
    print(text, end=end, flush=True)
    stopping.check()


def main() -> None:
    corpus, mlm, start = flags.corpus_options(), flags.mlm_options(), flags.start_of_phase()
    store_options = flags.store_options()
    runtime = flags.training_runtime(num_train_steps=DEFAULT_STEPS)
    flags.check_pretraining_flags()
    distribution = None if flags.FLAGS.prepare_only else flags.distribution_options()
    from loops import peers, run_directory, startup
    from pipelines.corpus_check import check_corpus, check_outside
    from pipelines.vocabulary import read_tokens

    if start is None:
        # Made again once the vocabulary is known; here so that a mistake shows early.
        size = len(read_tokens(file)) if (file := store_options.vocab_file) else None
        flags.word_init(flags.model_config(size, mlm.seq_length).hidden_size)
    else:
        store_options = vocabulary_of(start, store_options)
    written = {"cache_dir": store_options.cache_dir}
    if distribution:
        written["output_dir"] = flags.output_dir()
    with peers.team(distribution) as team:
        checked = None
        if team.is_chief:
            if distribution:
                run_directory.check_output_dir(flags.output_dir(), "pretrain")
            check_outside(corpus.corpus_dir, written)
            checked = check_corpus(corpus, store_options, say)
        replicas = startup.start_devices(runtime, distribution, team)
        from pipelines.cached_store import prepare_together  # imports TensorFlow

        prepared = prepare_together(corpus, checked, store_options, team, say)
        if distribution:
            return pretrain(flags.output_dir(), prepared, mlm, start, replicas)
        say("\n".join(prepared.report.details()))
        say(outlook(prepared, mlm, start))


def vocabulary_of(start: Path, options: StoreOptions) -> StoreOptions:
    """`options` with the vocabulary of `start`; UserError if it is not a usable run."""
    from loops import run_directory
    from pipelines.vocabulary import read_vocabulary

    config = run_directory.read_run_config(start)
    run_directory.check_weights(start, config)
    lower_case = run_directory.read_lower_case(start)
    file = start / "vocab.txt"
    read_vocabulary(file, lower_case, config.vocab_size)
    return dataclasses.replace(options, vocab_file=file, lower_case=lower_case)


def outlook(prepared: PreparedCorpus, mlm: MlmOptions, start: Path | None) -> str:
    """How long training with these flags would take."""
    from loops.estimate import estimate
    from loops.run_directory import read_run_config
    from pipelines.mlm_batches import num_windows, steps_per_epoch

    store, size = prepared.store, prepared.vocabulary.size
    num_windows(store.split("dev"), mlm)  # UserError if it is too short to evaluate on
    earlier = read_run_config(start) if start else None
    config = flags.pretraining_config(earlier, size, mlm.seq_length)
    shape = mlm.batch_size, mlm.seq_length, mlm.num_predictions
    length = flags.length_options(num_train_steps=DEFAULT_STEPS)
    return estimate(config, shape, steps_per_epoch(store.split("train"), mlm), length)


@stopping.deferred()
def pretrain(
    output_dir: Path,
    prepared: PreparedCorpus,
    mlm: MlmOptions,
    start: Path | None,
    replicas: Replicas,
) -> None:
    """Trains in a run directory on a prepared corpus, and draws the curves."""
    from loops.checkpoints import marked_steps
    from loops.follower import follow
    from loops.pretraining import report
    from loops.run_directory import RunDirectory
    from loops.session import open_session
    from loops.train_loop import train

    # First, so that nothing is written if this fails.
    planned = plan(prepared, mlm, start, replicas)
    if not replicas.team.is_chief:
        return follow(planned)
    run = RunDirectory(output_dir)
    if planned.record.get("word_init") == "cooccurrence" and not marked_steps(run.checkpoints):
        begin_words(planned.model, prepared, mlm.seed)
    session = open_session(run, planned)
    train(session, Evaluation(session, prepared, mlm))
    report(session, prepared.store.split("train").statistics.unigram_entropy)


def model_and_source(
    vocabulary: Vocabulary, mlm: MlmOptions, start: Path | None
) -> tuple[MaskedLanguageModel, dict[str, Any]]:
    """The model, new or with the weights of `start`, and what to record about them."""
    from bert_core.models import MaskedLanguageModel
    from loops.run_directory import read_record, read_run_config
    from loops.warm_start import load_run
    from pipelines.tokenizer import Tokenizer
    from pipelines.vocabulary_extension import extension_lines

    earlier = read_run_config(start) if start else None
    config = flags.pretraining_config(earlier, vocabulary.size, mlm.seq_length)
    model = MaskedLanguageModel(config, mlm.seed)
    if start is None or earlier is None:
        return model, {"init_checkpoint": None}
    loaded = load_run(model, start, may_grow=GROWING)
    say("\n".join([f"weights only from {loaded.where}:", *loaded.lines()]))
    positions = earlier.max_position_embeddings
    trained = read_record(start).get("mlm", {}).get("seq_length", positions)
    if trained < mlm.seq_length:
        say(f"positions from {trained:,} on have never been trained")
    if vocabulary.size > earlier.vocab_size:
        encode = Tokenizer(vocabulary).encode
        say("\n".join(extension_lines(vocabulary, earlier.vocab_size, encode)))
    return model, loaded.source


def begin_words(model: MaskedLanguageModel, prepared: PreparedCorpus, seed: int) -> None:
    """Adds what is counted in the corpus to the random embeddings; shows how long it took."""
    from pipelines.word_init import begin_as_counted

    started = time.monotonic()
    stream, sep_id = prepared.store.split("train"), prepared.vocabulary.sep_id
    begin_as_counted(model.encoder.embeddings, stream, sep_id, seed)
    say(f"word embeddings begin from co-occurrence counts ({time.monotonic() - started:.0f} s)")


def plan(
    prepared: PreparedCorpus, mlm: MlmOptions, start: Path | None, replicas: Replicas
) -> Plan:
    """The model, its batches, and what to record about them."""
    from bert_core.schedule import pretraining_peak
    from loops.plan import Plan
    from loops.portable import model_files
    from pipelines import mlm_batches, sample_texts
    from pipelines.tokenizer import Tokenizer

    vocabulary, stream = prepared.vocabulary, prepared.store.split("train")
    dev = prepared.store.split("dev")
    mlm_batches.num_windows(dev, mlm)  # UserError if it is too short to evaluate on
    samples = sample_texts.of_stream(dev, vocabulary)
    with replicas.scope():
        model, source = model_and_source(vocabulary, mlm, start)
    return Plan(
        model=model,
        make_batches=lambda first, end: mlm_batches.training_batches(
            stream, vocabulary, mlm, first, end
        ),
        steps_per_epoch=mlm_batches.steps_per_epoch(stream, mlm),
        batch_size=mlm.batch_size,
        seq_length=mlm.seq_length,
        unit="tokens",
        training=flags.training_options(
            pretraining_peak(model.config.hidden_size), num_train_steps=DEFAULT_STEPS
        ),
        evaluate_each_epoch=False,
        seed=mlm.seed,
        replicas=replicas,
        record={
            "program": "pretrain",
            "model": dataclasses.asdict(model.config),
            "mlm": dataclasses.asdict(mlm),
            **source,
            **({} if start else {"word_init": flags.word_init(model.config.hidden_size)}),
            "vocabulary": vocabulary.sha256,
            "corpus": prepared.fingerprint,
            "eval_sequences": flags.eval_sequences(),
            "dev_fraction": prepared.store.manifest["dev_fraction"],
            "unigram_entropy": stream.statistics.unigram_entropy,
        },
        files={
            **model_files(model.config, vocabulary.tokens, vocabulary.lower_case),
            "flags.txt": flags.as_flagfile(),
            "corpus.json": prepared.report.to_json(),
            sample_texts.FILE: sample_texts.as_lines(samples, Tokenizer(vocabulary).words),
        },
    )


class Evaluation:
    """Dev figures, sample predictions and the plateau warning, at a step."""

    def __init__(self, session: Session, prepared: PreparedCorpus, mlm: MlmOptions):
        from loops.evaluate import Evaluator
        from loops.plateau import PlateauWatch
        from loops.views import Views
        from pipelines import mlm_batches, sample_texts
        from pipelines.tokenizer import Tokenizer

        vocabulary, dev = prepared.vocabulary, prepared.store.split("dev")
        mlm = dataclasses.replace(mlm, batch_size=session.steps.micro_batch_size)  # it fits
        self._batches = mlm_batches.evaluation_batches(
            dev, vocabulary, mlm, flags.eval_sequences()
        )
        texts = sample_texts.of_stream(dev, vocabulary) if flags.FLAGS.attention_images else ()
        looked_at = sample_texts.looked_at(texts, vocabulary, mlm.seq_length)
        model, words = session.state.model, Tokenizer(vocabulary).words
        self._views = Views(model, self._batches, vocabulary.tokens, words, looked_at)
        self._evaluator = Evaluator(model)
        self._statistics = prepared.store.split("train").statistics
        self._session = session
        self._watch = PlateauWatch(session, self._statistics)

    def __call__(self, step: int) -> dict[str, float]:
        recorder, statistics = self._session.recorder, self._statistics
        values = self._evaluator(self._batches)
        values["perplexity"] = math.exp(min(values["loss"], 700.0))
        recorder.tensorboard.scalars(CHARTED, step, {"loss": statistics.unigram_entropy})
        self._views.show(recorder.tensorboard, step)
        recorder.progress.note(
            f"step {step:,}  dev loss {values['loss']:.3f} (unigram entropy "
            f"{statistics.unigram_entropy:.3f})  dev masked accuracy "
            f"{values['masked_accuracy']:.3f}"
        )
        self._watch(step, values)
        return values


if __name__ == "__main__":
    flags.launch(
        main,
        flags.corpus_flags,
        flags.store_flags,
        flags.cache_flags,
        flags.model_flags,
        flags.phase_flags,
        flags.mlm_flags,
        flags.output_flags,
        flags.training_flags,
        flags.distribution_flags,
        flags.runtime_flags,
    )
