"""The results of a recipe: the figures that its runs recorded."""

from pathlib import Path
from typing import Any

from loops.metrics_log import last_of, read_metrics
from loops.run_directory import read_record

LEARNED = ("", ", with guessed labels as well")  # by the runs of a recipe's classifiers


def summary(pretrained: Path, finetuned: list[Path], scratch: list[Path]) -> list[str]:
    """What the runs recorded, side by side."""
    dev: dict[str, Any] = last_of(pretrained / "metrics.jsonl", "dev")
    entropy = read_record(pretrained)["unigram_entropy"]
    majority = read_record(runs_of(finetuned[0])[0])["test_baseline"]
    lines = [
        f"dev masked loss       {dev['loss']:.3f} nats per token; knowing word frequencies "
        f"only: {entropy:.3f}"
    ]
    for tuned, random, learned in zip(finetuned, scratch, LEARNED, strict=False):
        lines += [
            f"test accuracy         {test_accuracies(tuned)}{learned}",
            f"  from random weights {test_accuracies(random)}, same network and training",
        ]
    return [*lines, f"  majority class      {majority:.4f}"]


def runs_of(directory: Path) -> list[Path]:
    """The runs of a fine-tuning: one per seed, or the directory itself."""
    return sorted(directory.glob("seed-*")) or [directory]


def test_accuracies(directory: Path) -> str:
    """The test accuracy; for several seeds the mean, then each."""
    logs = [x / "metrics.jsonl" for x in runs_of(directory)]
    # A run that was stopped, and is not needed any more with fewer seeds, has none.
    ended = [x for x in logs if any(line["split"] == "test" for line in read_metrics(x))]
    values = [last_of(x, "test")["accuracy"] for x in ended]
    mean = f"{sum(values) / len(values):.4f}"
    return mean if len(values) == 1 else f"{mean} ({', '.join(f'{x:.4f}' for x in values)})"
