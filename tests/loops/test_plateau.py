"""The warning comes on the plateau, and only there."""

from types import SimpleNamespace

import pytest

from loops.plateau import PlateauWatch, plateau_warning

ENTROPY, TOP_SHARE = 6.6, 0.05


@pytest.mark.parametrize(
    ("loss", "accuracy", "warns"),
    [
        (6.6, 0.05, True),
        (6.1, 0.06, True),
        (0.91 * ENTROPY, 0.05, True),
        (0.89 * ENTROPY, 0.05, False),  # left it by its loss
        (6.6, 0.08, False),  # left it by its accuracy
        (4.8, 0.25, False),
    ],
)
def test_when(loss: float, accuracy: float, warns: bool) -> None:
    warning = plateau_warning(loss, accuracy, ENTROPY, TOP_SHARE, (), 1e-3)
    assert bool(warning) == warns


@pytest.mark.parametrize("slopes", [(), (0.06, 0.004)])
def test_the_likely_causes_come_in_order(slopes: tuple[float, ...]) -> None:
    without = plateau_warning(6.6, 0.05, ENTROPY, TOP_SHARE, slopes, 1e-3)
    with_locality = plateau_warning(6.6, 0.05, ENTROPY, TOP_SHARE, (2.0, 0.02), 1e-3)
    assert without is not None
    assert with_locality is not None
    assert "(1) nothing has to look at neighbours: train with --locality=neighbours" in without
    assert "; (2) learning rate 1.0e-03: try half" in without
    assert "locality" not in with_locality
    assert "(1) learning rate" in with_locality
    assert "\n" not in without
    beside = plateau_warning(6.6, 0.05, ENTROPY, TOP_SHARE, slopes, 1e-3, neighbours=(-1,))
    assert beside == with_locality


def test_a_run_is_warned_once_when_it_should_have_left() -> None:
    notes: list[str] = []
    config = SimpleNamespace(alibi_slopes=(), neighbour_offsets=(-1, 1))
    session = SimpleNamespace(
        num_train_steps=100,
        peak_rate=1e-3,
        state=SimpleNamespace(model=SimpleNamespace(config=config)),
        run=SimpleNamespace(recorded=dict),
        recorder=SimpleNamespace(progress=SimpleNamespace(note=notes.append)),
    )
    statistics = SimpleNamespace(unigram_entropy=ENTROPY, most_frequent_share=TOP_SHARE)
    watch = PlateauWatch(session, statistics)
    said = []
    for step in (20, 25, 50):
        watch(step, {"loss": ENTROPY, "masked_accuracy": TOP_SHARE})
        said.append(len(notes))
    assert said == [0, 1, 1]
    assert "locality" not in notes[0]


def test_words_that_began_at_random_are_a_cause() -> None:
    warning = plateau_warning(6.6, 0.05, ENTROPY, TOP_SHARE, (2.0,), 1e-3, random_words=True)
    assert warning is not None
    assert "(1) word embeddings began at random: train with --word_init=cooccurrence" in warning
    assert "; (2) learning rate" in warning
