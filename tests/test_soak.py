"""Three thousand steps: no memory, no open file and no trace more than at the beginning."""

import gc
import os
from pathlib import Path

import pytest

from bert_core.config import BertConfig
from bert_core.models import MaskedLanguageModel
from loops.evaluate import Evaluator
from loops.length import num_parameters
from loops.run_directory import RunDirectory
from loops.samples import MaskedSamples
from loops.session import Plan, Session, open_session
from loops.train_loop import train
from pipelines import cached_store, mlm_batches
from pipelines.corpus_check import check_corpus
from pipelines.options import CorpusOptions, MlmOptions, StoreOptions
from pipelines.tokenizer import Tokenizer
from tests import toy
from tests.programs import MODEL

STEPS, SETTLED = 3000, 500


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def open_tiny_run(data: Path, path: Path) -> tuple[Session, Evaluator, MaskedSamples, list]:
    corpus, store = CorpusOptions(data / "corpus"), StoreOptions(path / "cache", 200)
    checked = check_corpus(corpus, store, print)
    prepared = cached_store.prepare(corpus, checked, store, print)
    options = MlmOptions(seq_length=16, batch_size=4)
    vocabulary, stream = prepared.vocabulary, prepared.store.split("train")
    config = BertConfig(
        vocabulary.size, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1, **MODEL
    )
    model = MaskedLanguageModel(config)
    assert num_parameters(model) < 10_000
    session = open_session(
        RunDirectory(path / "run"),
        Plan(
            model=model,
            make_batches=lambda first, end: mlm_batches.training_batches(
                stream, vocabulary, options, first, end
            ),
            steps_per_epoch=100,
            batch_size=4,
            seq_length=16,
            unit="tokens",
            training=toy.options(STEPS, eval_steps=100, checkpoint_steps=50),
            evaluate_each_epoch=False,
            seed=0,
            record={"program": "soak"},
            files={},
        ),
    )
    dev = mlm_batches.evaluation_batches(
        prepared.store.split("dev"), vocabulary, options, max_sequences=16
    )
    words = Tokenizer(vocabulary).words
    samples = MaskedSamples(model, dev, vocabulary.tokens, words)
    return session, Evaluator(model), samples, dev


@pytest.mark.soak
def test_nothing_grows(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    session, evaluator, samples, dev = open_tiny_run(data, tmp_path)
    seen: dict[int, tuple[int, int]] = {}

    def evaluate(step: int) -> dict[str, float]:
        gc.collect()
        seen[step] = resident_bytes(), len(os.listdir("/proc/self/fd"))
        session.recorder.tensorboard.text("masked_predictions", step, samples.markdown())
        return evaluator(dev)

    train(session, evaluate)
    memory = {step: resident for step, (resident, _) in seen.items()}
    growth = memory[STEPS] / memory[SETTLED] - 1
    files = {count for step, (_, count) in seen.items() if step >= SETTLED}
    with capsys.disabled():
        print(
            f"\n{STEPS} steps: resident {memory[SETTLED] / 1e6:.1f} MB at step {SETTLED}, "
            f"{memory[STEPS] / 1e6:.1f} MB at the end ({growth:+.2%}); open files {files}; "
            f"traces {session.steps.num_traces}"
        )
    assert growth < 0.01
    assert len(files) == 1
    assert session.steps.num_traces == 1
