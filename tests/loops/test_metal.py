"""Apple's GPU, by a device that is said to be there and results that are said to be its."""

import sys
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from bert_core.errors import UserError
from loops import metal, startup
from loops.options import RuntimeOptions


class Device(NamedTuple):
    device_type: str


CPU, GPU = Device("CPU"), Device("GPU")


def prints(line: str) -> list[str]:
    return [sys.executable, "-c", line]


def test_which_devices_are_apples() -> None:
    assert metal.has_metal([CPU, GPU], "darwin")
    assert not metal.has_metal([CPU], "darwin")
    assert not metal.has_metal([CPU, GPU], "linux")


def test_a_device_that_agrees_is_used_and_others_are_not() -> None:
    assert metal.reason_against("float32", prints("print('noise'); print(2e-4)")) is None
    assert metal.reason_against("bfloat16", prints("print(0.05)")) is None
    for line, says in (
        ("print(0.02)", "differ from the CPU's by 0.02 of their length"),
        ("print('nan')", "differ from the CPU's by nan"),
        ("raise RuntimeError('no kernel')", "fails (RuntimeError: no kernel)"),
        ("import os; os.abort()", "fails (exit code -6)"),
    ):
        assert says in str(metal.reason_against("float32", prints(line)))


def test_a_device_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metal, "_SECONDS", 0.2)
    reason = metal.reason_against("float32", prints("import time; time.sleep(60)"))
    assert reason == "a step on it did not end in 0.2 seconds"


def test_the_step_agrees_with_itself_and_shows_a_wrong_product(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = metal.loss_and_gradients("float32", "/CPU:0")
    assert all(np.all(np.isfinite(x)) and np.any(x != 0) for x in results)
    right, calls = metal.loss_and_gradients, []

    def second_is_off(precision: str, device: str) -> list[np.ndarray]:
        calls.append(device)
        if device == "/CPU:0":
            return results
        monkeypatch.setattr(tf.nn, "softmax", lambda x: tf.exp(x - 1.0))
        return right(precision, "/CPU:0")

    monkeypatch.setattr(metal, "loss_and_gradients", second_is_off)
    assert metal.difference("float32") > metal.TOLERANCE
    assert calls == ["/CPU:0", "/GPU:0"]
    monkeypatch.undo()
    again = metal.difference("float32", "/CPU:0", "/CPU:0")
    assert again <= 1e-5


@pytest.fixture
def on_a_mac(monkeypatch: pytest.MonkeyPatch) -> list:
    """TensorFlow says that there is a GPU of Apple's; returns what is made visible."""
    hidden: list = []
    monkeypatch.setattr(metal, "has_metal", lambda devices: True)
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *x: hidden.append(x))
    for pool in ("intra", "inter"):  # TensorFlow has started already
        name = f"set_{pool}_op_parallelism_threads"
        monkeypatch.setattr(tf.config.threading, name, lambda n: None)
    return hidden


def test_xla_is_refused(on_a_mac: list) -> None:
    with pytest.raises(UserError, match=r"--xla: .*leave it out"):
        startup.start_tensorflow(RuntimeOptions(xla=True))


@pytest.mark.parametrize("reason", [None, "its gradients differ"])
def test_the_cpu_is_fallen_back_to(
    on_a_mac: list,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    reason: str | None,
) -> None:
    asked = []
    monkeypatch.setattr(metal, "reason_against", lambda x: asked.append(x) or reason)
    startup.start_tensorflow(RuntimeOptions(precision="bfloat16"))
    assert asked == ["bfloat16"]
    said = capsys.readouterr().out
    if reason is None:
        assert (on_a_mac, said) == ([], "")
    else:
        assert on_a_mac == [([], "GPU")]
        assert said == f"Apple's GPU is not used: {reason}; using the CPU instead\n"
