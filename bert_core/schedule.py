"""The learning rate of each step, as a closure over plain numbers.

Rates are computed on the host and handed to the step as numbers: the traced step
does not depend on how long a run will be.
"""

from collections.abc import Callable

Schedule = Callable[[int], float]


def warmup_then_decay(
    peak: float, num_steps: int, warmup_steps: int, power: float = 1.0
) -> Schedule:
    """Linear warmup, then polynomial decay.

        rate(s) = peak * (s + 1) / W                    for s < W
        rate(s) = peak * ((T - s) / (T - W)) ** power   for W <= s < T

    with s the number of updates made, W = warmup_steps, T = num_steps. No step has
    rate 0: the first gets peak / W and the last peak * (1 / (T - W)) ** power.
    BERT's (Devlin et al. 2018, appendix A.2) is power 1. Needs 0 <= W < T.
    """
    if not 0 <= warmup_steps < num_steps:
        raise ValueError(f"needs 0 <= warmup {warmup_steps} < steps {num_steps}")

    def rate(step: int) -> float:
        if step < warmup_steps:
            return peak * (step + 1) / warmup_steps
        return peak * ((num_steps - step) / (num_steps - warmup_steps)) ** power

    return rate


def pretraining_peak(hidden_size: int) -> float:
    """A peak rate for masked language modelling: 2e-3 at H = 128, 1.4e-4 at H = 768.

    The line, in logarithms, through what suits L2 H128 (docs/recipe.md) and roughly what
    BERT-base was trained with (Devlin et al. 2018, appendix A.2).
    """
    return min(2e-3, 2e-3 * (128 / hidden_size) ** 1.5)


def finetuning_peak(hidden_size: int) -> float:
    """A peak rate for fine-tuning: 1e-3 at H = 128, 3.3e-5 at H = 768.

    The line, in logarithms, through what suits L2 H128 (docs/recipe.md) and the
    3e-5 that BERT was fine-tuned with (Devlin et al. 2018, appendix A.3).
    """
    return min(1e-3, 1e-3 * (128 / hidden_size) ** 1.9)
