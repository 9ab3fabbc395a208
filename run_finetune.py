"""Fine-tunes a pretrained run: on labels, numbers, or tags of words.

  python run_finetune.py --init_checkpoint=runs/pretrain --output_dir=runs/classify \\
      --train_file=train.jsonl --test_file=test.jsonl
  python run_finetune.py --init_checkpoint=runs/pretrain --output_dir=runs/similar \\
      --task=regression --train_file=pairs.tsv --text_column=question \\
      --text_pair_column=answer --label_column=score
  python run_finetune.py --init_checkpoint=runs/pretrain --output_dir=runs/names \\
      --task=token_classification --train_file=train.conll --test_file=test.conll
  python run_finetune.py --init_checkpoint=runs/pretrain --output_dir=runs/imdb \\
      --dataset=imdb_reviews --num_seeds=3

Architecture and vocabulary come from the pretrained run. The weights with the best evaluation
on the dev split are kept, and scored once on the test file. The same command resumes a run.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flags
from loops import stopping
from pipelines.classification import Classification
from pipelines.regression import Regression
from pipelines.token_classification import TokenClassification

if TYPE_CHECKING:  # what imports TensorFlow is imported where it is used
    from bert_core.config import BertConfig
    from loops.distribution import Replicas
    from loops.finetuning import Questions, Scorer
    from loops.plan import Plan
    from loops.session import Session
    from pipelines.labelled import LabelledData, LabelledExamples
    from pipelines.options import ExamplesOptions
    from pipelines.task import Split, Task
    from pipelines.vocabulary import Vocabulary

# --task: how it is read, batched and judged, and the model of bert_core/models.py
TASKS: dict[str, tuple[type[Task], str]] = {
    "classification": (Classification, "Classifier"),
    "regression": (Regression, "Regressor"),
    "token_classification": (TokenClassification, "TokenClassifier"),
}
DEFAULT_EPOCHS = 3.0


def main() -> None:
    start, output_dir = flags.init_checkpoint(), flags.output_dir()
    task, _ = TASKS[flags.task(tuple(TASKS))]
    columns, options = flags.examples_options(), flags.text_options(flags.FLAGS.seed)
    num_seeds, dev_share = flags.num_seeds(), flags.dev_share()
    flags.check_finetuning_flags(task.pools)
    runtime = flags.training_runtime(num_epochs=DEFAULT_EPOCHS)
    distribution = flags.distribution_options()
    from pipelines.labelled import read_labelled, tokenize_labelled

    if flags.FLAGS.only_check_flags is not None:
        files = {} if flags.reads_dataset() else flags.labelled_files()
        if (train := files.get("train")) and train.exists():
            read_labelled(task, files, columns, dev_share)
        return
    from loops import peers, run_directory, startup

    paths = [output_dir / f"seed-{flags.FLAGS.seed + i}" for i in range(num_seeds)]
    # One seed of a run begun with several resumes in that seed's directory.
    paths = [output_dir] if num_seeds == 1 and not paths[0].exists() else paths
    config = flags.finetuning_config(
        run_directory.read_run_config(start), run_directory.trained_pooling(start), task.pools
    )
    if not flags.FLAGS.from_scratch:
        run_directory.check_weights(start, config)
    from pipelines.vocabulary import read_vocabulary

    lower_case = run_directory.read_lower_case(start)
    vocabulary = read_vocabulary(start / "vocab.txt", lower_case, config.vocab_size)
    startup.set_environment(runtime)
    with peers.team(distribution) as team:
        for path in paths if team.is_chief else []:
            run_directory.check_output_dir(path, "finetune")
        devices = functools.partial(startup.start_devices, runtime, distribution, team)
        labelled, replicas = read_data(task, columns, dev_share, devices)
        from loops.finetuning import over_seeds
        from pipelines.tokenized import unknown_warning
        from pipelines.tokenizer import Tokenizer

        data = tokenize_labelled(labelled, options, Tokenizer(vocabulary))
        unknown = unknown_warning(data.train.texts, vocabulary)
        print("\n".join([*data.lines(), *unknown]), flush=True)
        results = []
        for seed, path in enumerate(paths, start=flags.FLAGS.seed):
            results.append(finetune(path, start, config, vocabulary, data, seed, replicas))
        if num_seeds > 1 and team.is_chief:
            print(over_seeds("dev" if data.test is None else "test", results))


def read_data(
    task: type[Task],
    columns: ExamplesOptions,
    dev_share: float,
    start_devices: Callable[[], Replicas],
) -> tuple[LabelledExamples, Replicas]:
    """The labelled texts, and TensorFlow, started only after mistakes have been looked for."""
    from pipelines.datasets import find_labelled
    from pipelines.labelled import files_of_dataset, read_labelled
    from pipelines.prepared import write_source

    if not flags.reads_dataset():
        labelled = read_labelled(task, flags.labelled_files(), columns, dev_share)
        return labelled, start_devices()
    source, directory = find_labelled(flags.dataset_options(flags.dataset_cache()))
    replicas = start_devices()
    write_source(source, directory, overwrite=False)
    return read_labelled(task, files_of_dataset(directory), columns, dev_share), replicas


@stopping.deferred()
def finetune(
    path: Path,
    start: Path,
    config: BertConfig,
    vocabulary: Vocabulary,
    data: LabelledData,
    seed: int,
    replicas: Replicas,
) -> dict[str, float]:
    """Trains in `path` from the weights in `start`; returns the chief's final scores."""
    from loops.attention_maps import log_attention
    from loops.finetuning import BestWeights, Scorer, best_at
    from loops.follower import follow
    from loops.run_directory import RunDirectory
    from loops.session import open_session
    from loops.train_loop import train
    from pipelines import sample_texts

    task = data.task
    with replicas.scope():
        model, source = model_and_source(config, start, task.labels, seed)
    planned = plan(model, source, vocabulary, data, seed, replicas)
    if not replicas.team.is_chief:
        follow(planned)
        return {}
    run = RunDirectory(path)
    session = open_session(run, planned)
    scorer = Scorer(model, task.score)
    best = BestWeights(run.best, model, session.recorder.metrics.evaluations, task.metric)
    dev = questions(session, task, data.dev, vocabulary, seed)
    shown = flags.FLAGS.attention_images
    samples = sample_texts.of_texts(data.dev.texts.first, vocabulary) if shown else ()
    longest = config.attention_window or flags.FLAGS.max_seq_length
    looked_at = sample_texts.looked_at(samples, vocabulary, longest)

    def evaluate(step: int) -> dict[str, float]:
        values = scorer(dev).values
        kept = "  (best so far)" if best.offer(step, values) else ""
        figures = "  ".join(f"dev {name} {value:.4f}" for name, value in values.items())
        session.recorder.progress.note(f"step {step:,}  {figures}{kept}")
        if looked_at is not None:
            board = session.recorder.tensorboard
            log_attention(board, step, model.encoder, looked_at, vocabulary.tokens)
        return values

    train(session, evaluate)
    print(best_at(best.restore(), session.num_train_steps))
    return report(session, scorer, vocabulary, data, seed)


def model_and_source(
    config: BertConfig, start: Path, labels: Sequence[str], seed: int
) -> tuple[Any, dict[str, Any]]:
    """The model, and what to record about where its weights come from."""
    from bert_core import models
    from loops.finetuning import same_outputs
    from loops.warm_start import load_run

    model = getattr(models, TASKS[flags.FLAGS.task][1])(config, len(labels), seed)
    if flags.FLAGS.from_scratch:
        print(f"random weights in the shape of {start}")
        return model, {"init_checkpoint": "random"}
    same = same_outputs(start, flags.FLAGS.task, labels, config.pooling)
    loaded = load_run(model, start, left=() if same else ("output/",))
    print("\n".join([f"weights only from {loaded.where}:", *loaded.lines()]))
    return model, loaded.source


def plan(
    model: Any,
    source: dict[str, Any],
    vocabulary: Vocabulary,
    data: LabelledData,
    seed: int,
    replicas: Replicas,
) -> Plan:
    """The model, its batches, and what to record about them."""
    from bert_core.schedule import finetuning_peak
    from loops.plan import Plan
    from loops.portable import model_files
    from pipelines import sample_texts, text_batches
    from pipelines.tokenizer import Tokenizer

    task, train = data.task, data.train
    samples = sample_texts.of_texts(data.dev.texts.first, vocabulary)
    options = flags.text_options(seed)
    return Plan(
        model=model,
        make_batches=lambda first, end: text_batches.training_batches(
            train.texts, train.labels, vocabulary, options, first, end, task.batch
        ),
        steps_per_epoch=math.ceil(len(train.texts) / options.batch_size),
        batch_size=options.batch_size,
        seq_length=options.max_seq_length,
        unit="texts",
        training=flags.training_options(
            finetuning_peak(model.config.hidden_size), num_epochs=DEFAULT_EPOCHS
        ),
        evaluate_each_epoch=True,
        seed=seed,
        replicas=replicas,
        record={
            "program": "finetune",
            "task": flags.FLAGS.task,
            "model": dataclasses.asdict(model.config),
            "classification": dataclasses.asdict(options),
            **source,
            "vocabulary": vocabulary.sha256,
            **task.record,
            "text_pairs": train.texts.second is not None,
            "data": data.fingerprint,
        },
        files={
            **model_files(model.config, vocabulary.tokens, vocabulary.lower_case, task.labels),
            "flags.txt": flags.as_flagfile(),
            sample_texts.FILE: sample_texts.as_lines(samples, Tokenizer(vocabulary).words),
        },
    )


def questions(
    session: Session, task: Task, split: Split, vocabulary: Vocabulary, seed: int
) -> Questions:
    """A split as batches to score, with as many rows as fit in training."""
    from loops.finetuning import Questions
    from pipelines.text_batches import answer_order, evaluation_batches

    rows = session.steps.micro_batch_size
    options = dataclasses.replace(flags.text_options(seed), batch_size=rows)
    batches, order = evaluation_batches(
        split.texts, split.labels, vocabulary, options, task.batch
    )
    return Questions(batches, answer_order(order, split.num_answers), split.truth)


def report(
    session: Session, scorer: Scorer, vocabulary: Vocabulary, data: LabelledData, seed: int
) -> dict[str, float]:
    """Scores the best weights on the test file (dev without one) and writes the results."""
    from loops import pictures
    from loops.metrics_log import read_metrics

    task, name = data.task, "dev" if data.test is None else "test"
    split = data.dev if data.test is None else data.test
    scored = scorer(questions(session, task, split, vocabulary, seed))
    run, recorder, step = session.run, session.recorder, session.num_train_steps
    if name == "test":
        recorder.add("test", step, scored.values)
        run.record({**run.recorded(), "test_baseline": task.baseline(split.truth)})
    run.write("predictions.tsv", task.table(split.truth, scored.answers))
    confusion = task.confusion(split.truth, scored.answers)
    if confusion is not None and len(confusion) <= pictures.MOST_LABELS:
        matrix = pictures.confusion(confusion, task.labels)
        recorder.tensorboard.image(f"confusion_{name}", step, matrix)
        run.write("confusion.png", matrix)
    recorder.sync()
    curves = pictures.curves(read_metrics(run.metrics), {}, task.metric)
    run.write("curves.png", curves)
    warning = task.warning(split.truth, scored.answers)
    if warning:
        print(warning)
    print(f"{name} {task.summary(split.truth, scored.values)}; {run.path / 'predictions.tsv'}")
    return scored.values


if __name__ == "__main__":
    flags.launch(
        main,
        flags.finetune_flags,
        flags.column_flags,
        flags.dataset_flags,
        flags.cache_flags,
        flags.output_flags,
        flags.training_flags,
        flags.distribution_flags,
        flags.runtime_flags,
    )
