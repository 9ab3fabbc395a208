"""The estimate of a training's length, by the numbers it says it is made of."""

import re

import pytest

from bert_core.config import BertConfig
from bert_core.flops import training_flops
from loops import estimate as module
from loops.options import LengthOptions

CONFIG = BertConfig(
    vocab_size=1000,
    hidden_size=64,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=96,
)


def test_flops_product_by_product() -> None:
    """A product [m, k] x [k, n] is 2 m k n, and three times that with its gradients."""
    batch, length, masked = 2, 16, 3

    def layer(readers: int) -> list[tuple[int, int, int]]:
        """Key and value of all positions; query, output and feed-forward of the readers."""
        products = [(batch * length, 64, 64)] * 2 + [(batch * readers, 64, 64)] * 2
        products += [(batch * readers, 64, 96), (batch * readers, 96, 64)]
        return products + [(readers, 16, length), (readers, length, 16)] * 4 * batch

    products = layer(length) * 2 + layer(masked)  # heads of 16
    products += [(batch * masked, 64, 64), (batch * masked, 64, 1000)]
    expected = sum(6 * m * k * n for m, k, n in products)
    assert training_flops(CONFIG, batch, length, masked) == expected


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "matmul_gflops", lambda **_: 50.0)


def test_the_line_adds_up(slow: None) -> None:
    shape = (512, 128, 19)
    line = module.estimate(CONFIG, shape, 100, LengthOptions(num_epochs=400))
    seconds = 40_000 * training_flops(CONFIG, *shape) / 25e9
    minutes = round(seconds) // 60
    assert line.startswith(
        "training would be 40,000 steps of 65,536 tokens, 400.0 epochs, in about "
        f"{minutes // 60} h {minutes % 60} min; this assumes that a step reaches 50% of the 50 "
    )


def test_minutes_become_steps(slow: None) -> None:
    line = module.estimate(CONFIG, (512, 128, 19), 100, LengthOptions(max_minutes=30))
    assert re.search(r"in about (30 min 0 s|29 min 5\d s|30 min \d s)", line), line


def test_a_product_takes_some_time() -> None:
    assert 0 < module.matmul_gflops(size=256, repeats=2) < 1e6
