"""The learning rates against their closed form."""

import numpy as np
import pytest

from bert_core.schedule import finetuning_peak, pretraining_peak, warmup_then_decay
from tests import oracles

CASES = [(1, 0), (2, 1), (10, 0), (10, 9), (100, 6), (1000, 60)]


@pytest.mark.parametrize(("total", "warmup"), CASES)
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_every_step_has_the_rate_of_the_closed_form(total, warmup, power):
    rate = warmup_then_decay(3e-4, total, warmup, power)
    rates = np.array([rate(step) for step in range(total)])
    expected = oracles.schedule(np.arange(total), 3e-4, total, warmup, power)
    np.testing.assert_allclose(rates, expected, rtol=1e-12)
    assert (rates > 0).all()
    assert rates.max() == pytest.approx(3e-4)
    assert rates.argmax() == max(warmup - 1, 0)


def test_by_hand():
    rate = warmup_then_decay(1.0, num_steps=6, warmup_steps=2)
    assert [rate(s) for s in range(6)] == [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    rate = warmup_then_decay(1.0, num_steps=4, warmup_steps=0, power=2.0)
    assert [rate(s) for s in range(4)] == [1.0, 0.5625, 0.25, 0.0625]


@pytest.mark.parametrize(("total", "warmup"), [(0, 0), (5, 5), (5, 6), (5, -1)])
def test_a_warmup_that_does_not_fit_is_refused(total, warmup):
    with pytest.raises(ValueError, match="warmup"):
        warmup_then_decay(1.0, total, warmup)


def test_peaks():
    assert [pretraining_peak(h) for h in (32, 128, 512)] == pytest.approx([2e-3, 2e-3, 2.5e-4])
    assert pretraining_peak(768) == pytest.approx(1.4e-4, rel=0.05)
    assert [finetuning_peak(h) for h in (32, 128, 256)] == pytest.approx(
        [1e-3, 1e-3, 2.68e-4], rel=1e-3
    )
    assert finetuning_peak(768) == pytest.approx(3.3e-5, rel=0.01)
