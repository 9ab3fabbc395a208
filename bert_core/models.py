"""The models: encoder and head, with the loss of their batches.

Every model has `sums(batch, seed) -> Sums`; that is all a training step knows of it.
"""

import tensorflow as tf

from bert_core.batch import (
    ClassificationBatch,
    MlmBatch,
    RegressionBatch,
    TokenClassificationBatch,
)
from bert_core.config import BertConfig
from bert_core.encoder import Encoder
from bert_core.heads import MeanPooler, MlmHead, pooler
from bert_core.layers import Dense, Initializer, dropout, fold_in
from bert_core.losses import Sums, cross_entropy, squared_error, tied_cross_entropy


class MaskedLanguageModel(tf.Module):
    """BERT with its masked-language-model head."""

    compute_dtype = tf.float32  # of the loss's products; see bert_core/compute.py

    def __init__(self, config: BertConfig, seed: int = 0):
        super().__init__(name="masked_language_model")
        init = Initializer(seed, config.initializer_range)
        self.config = config
        self.encoder = Encoder(init, config)
        self.head = MlmHead(init, config)

    def logits(
        self,
        batch: MlmBatch,
        seed: tf.Tensor | None = None,
        input_mask: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """[B * P, V] for the masked positions, row after row.

        input_mask: [B, S], 1 for a token, 0 for padding; None where nothing is padded.
        """
        x = self._masked_vectors(batch, seed, input_mask)
        return self.head(x, self.encoder.embeddings.word)

    def sums(self, batch: MlmBatch, seed: tf.Tensor | None = None) -> Sums:
        """The masked tokens' "loss" in nats and "masked_accuracy"."""
        loss, accuracy = tied_cross_entropy(
            self.head.transformed(self._masked_vectors(batch, seed)),
            self.encoder.embeddings.word,
            self.head.bias,
            tf.reshape(batch.masked_lm_ids, [-1]),
            tf.reshape(batch.masked_lm_weights, [-1]),
            self.compute_dtype,
        )
        return {"loss": loss, "masked_accuracy": accuracy}

    def _masked_vectors(
        self, batch: MlmBatch, seed: tf.Tensor | None, input_mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        """[B * P, H]: the head, and most of the last block, are computed for the masked
        positions only."""
        positions = batch.masked_lm_positions
        return self.encoder(batch.input_ids, input_mask, seed=seed, positions=positions)


class TextModel(tf.Module):
    """BERT with a pooler and one linear layer: C numbers per text. Subclasses add the loss."""

    def __init__(self, config: BertConfig, num_outputs: int, seed: int = 0):
        super().__init__()
        init = Initializer(seed, config.initializer_range)
        self.config = config
        self.encoder = Encoder(init, config)
        self.pooler = pooler(init, config)
        self.output = Dense(init, self.pooler.width, num_outputs, "output")

    def logits(
        self, batch: ClassificationBatch | RegressionBatch, seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """[B, C] float32, before softmax or units. seed: int32 [2]; None: no dropout."""
        encoder_seed, pool_seed = _two_seeds(seed)
        pooled_mask, positions = batch.input_mask, None
        if self.config.pooling == "cls":  # nothing reads the last block's other positions
            pooled_mask = pooled_mask[:, :1]
            positions = tf.zeros_like(pooled_mask)
        x = self.encoder(
            batch.input_ids, batch.input_mask, batch.segment_ids, encoder_seed, positions
        )
        pooled = self.pooler(x, pooled_mask)
        return self.output(dropout(pooled, self.config.hidden_dropout_prob, pool_seed))


class Classifier(TextModel):
    """One of C classes per text."""

    def sums(self, batch: ClassificationBatch, seed: tf.Tensor | None = None) -> Sums:
        """The texts' "loss" in nats and "accuracy"."""
        loss, accuracy = cross_entropy(
            self.logits(batch, seed), batch.label_ids, batch.example_weights
        )
        return {"loss": loss, "accuracy": accuracy}


class SentenceEncoder(tf.Module):
    """BERT without a head: one vector per text."""

    def __init__(self, config: BertConfig, seed: int = 0):
        super().__init__(name="sentence_encoder")
        self.config = config
        self.encoder = Encoder(Initializer(seed, config.initializer_range), config)

    def vectors(self, batch: ClassificationBatch) -> tf.Tensor:
        """[B, H]; see `mean_vectors`."""
        return mean_vectors(self.encoder, batch)


def mean_vectors(encoder: Encoder, batch: ClassificationBatch) -> tf.Tensor:
    """[B, H]: the mean of the last layer over each text's tokens."""
    x = encoder(batch.input_ids, batch.input_mask, batch.segment_ids)
    return MeanPooler(encoder.config.hidden_size)(x, batch.input_mask)


class Regressor(TextModel):
    """One number per text; C is 1."""

    def sums(self, batch: RegressionBatch, seed: tf.Tensor | None = None) -> Sums:
        """The texts' "loss", the squared error in units of the targets' variance."""
        predictions = tf.squeeze(self.logits(batch, seed), axis=1)
        return {"loss": squared_error(predictions, batch.targets, batch.example_weights)}


class TokenClassifier(tf.Module):
    """BERT with one linear layer on each token: one of C classes per token."""

    def __init__(self, config: BertConfig, num_outputs: int, seed: int = 0):
        super().__init__()
        init = Initializer(seed, config.initializer_range)
        self.config = config
        self.encoder = Encoder(init, config)
        self.output = Dense(init, config.hidden_size, num_outputs, "output")

    def logits(
        self, batch: TokenClassificationBatch, seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """[B, S, C]."""
        encoder_seed, output_seed = _two_seeds(seed)
        x = self.encoder(batch.input_ids, batch.input_mask, batch.segment_ids, encoder_seed)
        x = self.output(dropout(x, self.config.hidden_dropout_prob, output_seed))  # [B * S, C]
        return tf.reshape(x, [*tf.unstack(tf.shape(batch.input_ids)), x.shape[1]])

    def sums(self, batch: TokenClassificationBatch, seed: tf.Tensor | None = None) -> Sums:
        """The words' "loss" in nats and "accuracy"."""
        logits = self.logits(batch, seed)
        loss, accuracy = cross_entropy(
            tf.reshape(logits, [-1, logits.shape[2]]),
            tf.reshape(batch.label_ids, [-1]),
            tf.reshape(batch.example_weights, [-1]),
        )
        return {"loss": loss, "accuracy": accuracy}


def _two_seeds(seed: tf.Tensor | None) -> tuple[tf.Tensor | None, tf.Tensor | None]:
    """For dropout in the encoder and after it."""
    return (None, None) if seed is None else (fold_in(seed, 0), fold_in(seed, 1))
