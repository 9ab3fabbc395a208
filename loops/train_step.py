"""One optimiser step, and several of them in one call from the host.

A step is a pure function of its state, batch and learning rate: dropout draws from
(seed, step), so the same step gives the same result whenever it is run.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_core.adamw import AdamW, clip_scale, global_norm
from bert_core.adamw_options import AdamWOptions
from bert_core.lamb import Lamb
from bert_core.layers import fold_in
from bert_core.losses import Sums
from loops.distribution import Replicas
from loops.failures import memory_errors
from loops.loss_scale import loss_scale
from loops.micro_batches import added_up

OPTIMIZERS = {"adamw": AdamW, "lamb": Lamb}


class TrainState(tf.Module):
    """All that a step changes, and all that a checkpoint holds."""

    def __init__(
        self,
        model: tf.Module,
        options: AdamWOptions,
        optimizer: str = "adamw",
        precision: str = "float32",
    ):
        super().__init__(name="train_state")
        self.model = model
        self.optimizer = OPTIMIZERS[optimizer](model.trainable_variables, options)
        self.loss_scale = loss_scale(precision)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    def reset(self) -> None:
        """Back to step 0, except for the model."""
        self.optimizer.reset()
        self.loss_scale.reset()
        self.step.assign(0)


class TrainSteps:
    """Takes one step per learning rate that it is given, all in one `tf.function`.

    steps(iterator, learning_rates) -> {name: float32 [n]}, one value per step: "x_sum"
    and "x_weight" for each entry of the model's `sums`, and "gradient_norm" before
    clipping. A step whose loss or gradients are not finite changes nothing but the
    step count and, in float16, the loss scale.
    """

    def __init__(
        self,
        state: TrainState,
        seed: int,
        jit_compile: bool,
        batch_size: int,
        micro_batch_size: int | None = None,
        replicas: Replicas | None = None,
    ):
        """All batches have `batch_size` rows, and are taken `micro_batch_size` rows at a
        time (None: a replica's share), which divides it."""
        self.num_traces = 0
        self._columns: list[str] = []  # of the rows; set when traced
        self._state = state
        self._seed = seed
        self._replicas = replicas or Replicas()
        self._batch_size = batch_size
        self.micro_batch_size = micro_batch_size or batch_size // self._replicas.count
        alone = self._replicas.count == 1
        # XLA cannot compile what waits for other replicas, only each one's share.
        self._compiles_share = jit_compile and not alone
        whole = tf.function(self._one_step, jit_compile=jit_compile, autograph=False)
        self._update = whole if alone else self._one_step

    def __call__(self, iterator: Any, learning_rates: Sequence[float]) -> dict[str, np.ndarray]:
        with memory_errors(self.micro_batch_size), self._replicas.team.waiting():
            rows = self._many_steps(iterator, learning_rates).numpy()
        return dict(zip(self._columns, rows.T, strict=True))

    def _many_steps(self, iterator: Any, learning_rates: Sequence[float]) -> tf.Tensor:
        """The rows of the steps, [n, columns]; traced once, whatever n is."""
        any_number = tf.TensorSpec([None], tf.float32)
        traced = self._traced.get_concrete_function(iterator, any_number)
        return traced(iterator, tf.constant(learning_rates, tf.float32))

    @tf.function(autograph=False)
    def _traced(self, iterator: Any, learning_rates: tf.Tensor) -> tf.Tensor:
        count = tf.shape(learning_rates)[0]

        def one_more(i: tf.Tensor, rows: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            row = self._replicas.run(self._update, next(iterator), learning_rates[i])
            return i + 1, rows.write(i, row)

        start = tf.constant(0), tf.TensorArray(tf.float32, size=count)
        _, rows = tf.while_loop(lambda i, _: i < count, one_more, start, parallel_iterations=1)
        return rows.stack()

    def _one_step(self, batch: Any, learning_rate: tf.Tensor) -> tf.Tensor:
        self.num_traces += 1  # runs when traced, not when called
        state = self._state
        variables = state.model.trainable_variables
        step_seed = fold_in([self._seed, 0], state.step)

        def differentiate(part: Any, i: Any) -> tuple[Sums, list[tf.Tensor]]:
            with tf.GradientTape() as tape:
                sums = state.model.sums(part, fold_in(step_seed, i))
                target = state.loss_scale.up(sums["loss"][0])
            # Dense: the tied embedding is read by rows and as a whole, and its norm
            # must count each row once.
            gradients = tape.gradient(target, variables)
            return sums, [tf.convert_to_tensor(g) for g in gradients]

        def of_share(batch: Any, replica: Any) -> tuple[Sums, list[tf.Tensor]]:
            num_parts = self._batch_size // self.micro_batch_size
            return added_up(differentiate, batch, num_parts, replica, self._replicas.count)

        if self._compiles_share:
            of_share = tf.function(of_share, jit_compile=True, autograph=False)
        sums, gradients = self._replicas.all_reduced(of_share(batch, self._replicas.number()))
        loss_sum, weight = sums["loss"]
        # Sums up to here, however the batch was cut; here they become means.
        share = tf.math.divide_no_nan(1.0, weight)
        gradient_share = state.loss_scale.down(share)
        loss, norm = loss_sum * share, global_norm(gradients) * gradient_share

        def apply() -> None:
            scale = gradient_share * clip_scale(norm, state.optimizer.options.clip_norm)
            state.optimizer.apply(variables, gradients, state.step, learning_rate, scale)

        finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)
        tf.cond(finite, apply, lambda: None)
        state.step.assign_add(1)
        values: dict[str, tf.Tensor] = {"gradient_norm": norm}
        values |= state.loss_scale.update(finite)
        for name, (total, total_weight) in sums.items():
            values |= {f"{name}_sum": total, f"{name}_weight": total_weight}
        self._columns = list(values)
        return tf.stack(list(values.values()))
