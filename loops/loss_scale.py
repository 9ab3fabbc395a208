"""Loss scaling: how gradients keep within the range of float16.

Numbers below 6e-8 are 0 in float16 and those above 65,504 infinite. So the loss is
multiplied by a power of two, and the gradients, which are float32 by then, divided by
it: that changes no bit of a number that stayed in range. The scale is found during training
(Micikevicius et al. 2017, https://arxiv.org/abs/1710.03740, section 3.2, and its
sequel at https://docs.nvidia.com/deeplearning/performance/mixed-precision-training):
halved when a gradient overflows, and that step skipped; doubled after many good ones.
"""

import tensorflow as tf

# The loss is a sum over the rows, so its gradients are larger than a mean's to begin with.
START = 2.0**10
FLOOR, CEILING = 1.0, 2.0**16
DOUBLED_AFTER = 2000  # good steps in a row
MOST_SKIPPED = 20  # steps in a row; enough to get from any scale down to the floor


class LossScale(tf.Module):
    """The scale and how it has fared: part of the train state, so that a resume is exact."""

    def __init__(self, start: float = START, doubled_after: int = DOUBLED_AFTER):
        super().__init__(name="loss_scale")
        self._start, self._doubled_after = start, doubled_after
        self.scale = tf.Variable(start, trainable=False, name="scale")
        # Good steps in a row, or minus the number of skipped ones.
        self.streak = tf.Variable(0, trainable=False, name="streak")

    def up(self, loss: tf.Tensor) -> tf.Tensor:
        """The loss to differentiate."""
        return loss * self.scale

    def down(self, share: tf.Tensor) -> tf.Tensor:
        """What to multiply gradients by, with the scale undone."""
        return share / self.scale

    def update(self, finite: tf.Tensor) -> dict[str, tf.Tensor]:
        """Counts a step, good or not; returns what to report of it."""
        used = self.scale.read_value()
        streak = tf.where(
            finite, tf.maximum(self.streak, 0) + 1, tf.minimum(self.streak, 0) - 1
        )
        doubled = tf.minimum(2.0 * used, CEILING)
        due = streak % self._doubled_after == 0
        kept = tf.where(due, doubled, used)
        self.scale.assign(tf.where(finite, kept, tf.maximum(0.5 * used, FLOOR)))
        self.streak.assign(streak)
        skipped = tf.cast(tf.maximum(-streak, 0), tf.float32)
        return {"loss_scale": used, "skipped_in_a_row": skipped}

    def reset(self) -> None:
        """Back to step 0."""
        self.scale.assign(self._start)
        self.streak.assign(0)


class Unscaled:
    """Where gradients have float32's range, as bfloat16's do: no scale, no variables."""

    def up(self, loss: tf.Tensor) -> tf.Tensor:
        return loss

    def down(self, share: tf.Tensor) -> tf.Tensor:
        return share

    def update(self, finite: tf.Tensor) -> dict[str, tf.Tensor]:
        return {}

    def reset(self) -> None:
        pass


def loss_scale(precision: str) -> LossScale | Unscaled:
    """What a precision needs."""
    return LossScale() if precision == "float16" else Unscaled()
