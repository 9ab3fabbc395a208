"""The commonest failure of masked-language-model pretraining, noticed and explained."""

from collections.abc import Sequence
from typing import Any

NEAR = 0.90  # loss above this share of the unigram entropy counts as on the plateau
CHECK_AT = 0.25  # share of the steps after which a run should have left it
STEEP = 0.5  # a head with at least this distance penalty has to look at its neighbours


def plateau_warning(
    loss: float,
    accuracy: float,
    unigram_entropy: float,
    top_token_share: float,
    slopes: Sequence[float],
    learning_rate: float,
    neighbours: Sequence[int] = (),
    random_words: bool = False,
) -> str | None:
    """Why a run that has learned only word frequencies may be stuck; None if it is not.

    loss and unigram_entropy are nats per token; a model that knows nothing but token
    frequencies has loss = unigram entropy and accuracy = the most frequent token's share.
    slopes: the heads' distance penalties. neighbours: those whose vectors embeddings hold too.
    random_words: whether word embeddings began at random.
    What helps, and how much: docs/recipe.md.
    """
    if loss < NEAR * unigram_entropy or accuracy > 1.5 * top_token_share:
        return None
    causes = []
    if max(slopes, default=0.0) < STEEP and not neighbours:
        causes.append("nothing has to look at neighbours: train with --locality=neighbours")
    if random_words:
        causes.append("word embeddings began at random: train with --word_init=cooccurrence")
    causes.append(
        f"learning rate {learning_rate:.1e}: try half; one too high stays on it, one too "
        "low leaves it later"
    )
    causes.append("too few steps: train longer, with a smaller --batch_size")
    causes.append("text that has no order: look into the corpus files")
    reasons = "; ".join(f"({i}) {cause}" for i, cause in enumerate(causes, 1))
    return (
        f"warning: still on the unigram plateau (dev loss {loss:.2f}, unigram entropy "
        f"{unigram_entropy:.2f}, masked accuracy {accuracy:.3f}). Likely causes in order: "
        f"{reasons}"
    )


class PlateauWatch:
    """Warns once, on the screen, when a run should have left the plateau and has not.

    statistics: `unigram_entropy` and `most_frequent_share` of the training split.
    """

    def __init__(self, session: Any, statistics: Any):
        self._session, self._statistics = session, statistics
        self._warned = False

    def __call__(self, step: int, values: dict[str, float]) -> None:
        """values: dev figures of that step."""
        if self._warned or step < CHECK_AT * self._session.num_train_steps:
            return
        config = self._session.state.model.config
        warning = plateau_warning(
            values["loss"],
            values["masked_accuracy"],
            self._statistics.unigram_entropy,
            self._statistics.most_frequent_share,
            config.alibi_slopes,
            self._session.peak_rate,
            config.neighbour_offsets,
            self._session.run.recorded().get("word_init") == "random",
        )
        if warning:
            self._warned = True
            self._session.recorder.progress.note(warning)
