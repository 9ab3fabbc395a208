"""The end of a pretraining run: curves, the last dev figures, what to type next."""

import shlex

from loops import pictures
from loops.metrics_log import last_of, read_metrics
from loops.session import Session


def report(session: Session, unigram_entropy: float) -> None:
    """Draws the curves; prints the last dev figures and what to type next."""
    run = session.run
    baselines = {"unigram entropy": unigram_entropy}
    lines = read_metrics(run.metrics)
    run.write("curves.png", pictures.curves(lines, baselines, "masked_accuracy"))
    last = last_of(run.metrics, "dev")
    print(
        f"dev masked loss {last['loss']:.3f} nats (unigram entropy {unigram_entropy:.3f}), "
        f"masked accuracy {last['masked_accuracy']:.3f}; curves in {run.path / 'curves.png'}\n"
        f"next: python run_finetune.py --init_checkpoint={shlex.quote(str(run.path))} "
        "--train_file=FILE --output_dir=RUN"
    )
