"""What TensorBoard shows of a masked-language model at an evaluation, besides figures."""

from collections.abc import Callable, Iterable
from typing import Any

from bert_core.batch import MlmBatch
from bert_core.models import MaskedLanguageModel
from loops.attention_maps import log_attention
from loops.samples import MaskedSamples
from loops.tensorboard import TensorBoard


class Views:
    """Masked words of the same few sequences, word embeddings, attention if wanted."""

    def __init__(
        self,
        model: MaskedLanguageModel,
        batches: Iterable[MlmBatch],
        tokens: tuple[str, ...],
        to_words: Callable[[Iterable[int]], str],
        looked_at: Any,
    ):
        """looked_at: [S] ids of a text whose attention is drawn; None to draw none."""
        self._model, self._tokens, self._looked_at = model, tokens, looked_at
        self._samples = MaskedSamples(model, batches, tokens, to_words)

    def show(self, board: TensorBoard, step: int) -> None:
        encoder = self._model.encoder
        board.text("masked_predictions", step, self._samples.markdown())
        board.embeddings(encoder.embeddings.word.numpy(), self._tokens)
        if self._looked_at is not None:
            log_attention(board, step, encoder, self._looked_at, self._tokens)
