"""The project's pretraining loop, as a contestant of benchmarks/epoch.py.

A turn is some steps of the loop as run_pretrain.py runs it, with log, checkpoints and
an evaluation at the end; before and after it, half as many bare steps on a ready batch.
"""

import dataclasses
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import flags
import run_pretrain
from benchmarks import turns

GROUPS = (
    flags.corpus_flags,
    flags.store_flags,
    flags.cache_flags,
    flags.model_flags,
    flags.mlm_flags,
    flags.output_flags,
    flags.training_flags,
    flags.runtime_flags,
)
WARM_UP_BATCHES = 20


def prepare(job: dict[str, Any]) -> Any:
    for group in GROUPS:
        group()
    flags.FLAGS(["own_epoch.py", *job["arguments"]])
    from loops import run_directory, startup
    from pipelines.corpus_check import check_corpus

    corpus, store_options = flags.corpus_options(), flags.store_options()
    checked = check_corpus(corpus, store_options, print)
    startup.start_tensorflow(flags.runtime_options())
    from loops.distribution import Replicas
    from loops.session import open_session
    from pipelines.cached_store import prepare as prepare_corpus

    prepared = prepare_corpus(corpus, checked, store_options, print)
    mlm = flags.mlm_options()
    run = run_directory.RunDirectory(flags.output_dir())
    session = open_session(run, run_pretrain.plan(prepared, mlm, None, Replicas()))
    write_rows(prepared, job)
    stream = prepared.store.split("train")
    # In a window, the [SEP] between documents is not text.
    text_share = 1 - stream.statistics.documents / stream.num_tokens
    useful = mlm.batch_size * (mlm.seq_length - 2) * text_share
    evaluation = run_pretrain.Evaluation(session, prepared, mlm)

    def turn(n: int) -> turns.Answer:
        bare = bare_seconds(session, n // 2)
        loop = loop_seconds(session, evaluation, n)
        bare += bare_seconds(session, n - n // 2)
        return {
            # Without those that a run spends once.
            "seconds": [loop["stepping"], loop["saving"], loop["logging"]],
            "useful_tokens": useful * n,
            "bare": bare,
            "batching": batch_seconds(session, n),
            **loop,
        }

    turn(4)  # traces the evaluation, and warms up
    return turn


def loop_seconds(session: Any, evaluation: Any, n: int) -> dict[str, float]:
    """Seconds of n steps in the loop: by parts, and the rest, which is logging."""
    from loops.train_loop import train

    seconds = {"opening": 0.0, "stepping": 0.0, "saving": 0.0, "evaluating": 0.0}

    def timed(name: str, function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            started = time.perf_counter()
            result = function(*arguments)
            seconds[name] += time.perf_counter() - started
            return result

        return call

    end = int(session.state.step.numpy()) + n
    watched = dataclasses.replace(
        session,
        num_train_steps=end,
        make_batches=timed("opening", lambda *steps: iter(session.make_batches(*steps))),
        steps=timed("stepping", session.steps),
        checkpoints=SimpleNamespace(save=timed("saving", session.checkpoints.save)),
        recorder=SimpleNamespace(
            metrics=session.recorder.metrics,
            progress=session.recorder.progress,
            add=session.recorder.add,
            sync=timed("saving", session.recorder.sync),  # due before each checkpoint
        ),
    )
    started = time.perf_counter()
    train(watched, timed("evaluating", evaluation))
    return {**seconds, "logging": time.perf_counter() - started - sum(seconds.values())}


def batch_seconds(session: Any, n: int) -> float:
    """Seconds of making n batches with nothing else to do, once they flow."""
    batches = iter(session.make_batches(0, WARM_UP_BATCHES + n))
    for _ in range(WARM_UP_BATCHES):
        next(batches)
    started = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - started


def bare_seconds(session: Any, n: int) -> float:
    """Seconds of n steps on a ready batch, as many per host call as in the loop."""
    import tensorflow as tf

    batch = next(iter(session.make_batches(0, 1)))
    batches = iter(tf.data.Dataset.from_tensors(batch).repeat())
    started = time.perf_counter()
    for first in range(0, n, session.loop.steps_per_loop):
        session.steps(batches, [1e-4] * min(session.loop.steps_per_loop, n - first))
    return time.perf_counter() - started


def write_rows(prepared: Any, job: dict[str, Any]) -> None:
    """The first reviews, one per row, as peers are fed: [CLS] text [SEP] [PAD] ..."""
    import numpy as np

    vocabulary, stream = prepared.vocabulary, prepared.store.split("train")
    ids = stream.windows(np.array([0]), min(stream.num_tokens, job["tokens_to_keep"]))[0]
    ends = np.flatnonzero(ids == vocabulary.sep_id)
    length = job["seq_length"]
    rows = np.full((len(ends), length), vocabulary.pad_id, np.int32)
    for row, start, end in zip(rows, [0, *(ends + 1)], ends, strict=False):
        text = ids[start:end][: length - 2]
        row[: len(text) + 2] = [vocabulary.cls_id, *text, vocabulary.sep_id]
    special = [vocabulary.pad_id, vocabulary.cls_id, vocabulary.sep_id]
    np.savez(
        job["reviews"],
        rows=rows,
        useful=(~np.isin(rows, special)).sum() / len(rows),
        special=special,
        mask_id=vocabulary.mask_id,
    )


if __name__ == "__main__":
    turns.serve(prepare)
