"""A run's logs in a real TensorBoard in a real browser. Runs where Chromium is installed."""

import contextlib
import html
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from loops import pictures
from loops.tensorboard import TensorBoard

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = (
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-sync"),
    *("disable-background-networking", "disable-component-update"),
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


def write_logs(logs: Path) -> None:
    board = TensorBoard(logs, last_step=-1)
    board.hparams("runs/pretrain", {"mlm.batch_size": 16, "schedule.learning_rate": 1e-3})
    board.embeddings(np.eye(5, 3, dtype=np.float32), [f"word{i}" for i in range(5)])
    for step in (10, 20, 30):
        board.scalars("train", step, {"loss": 6.0 - step / 10, "masked_accuracy": step / 100})
    board.scalars("dev", 30, {"loss": 3.3, "masked_accuracy": 0.29})
    board.scalars("unigram_entropy", 30, {"loss": 5.8})
    board.text("masked_predictions", 30, "the film was &#91;MASK&#93;\n\n| at | was |\n|-|-|\n")
    board.image("confusion_test", 30, pictures.confusion(np.eye(2, dtype=int), ["neg", "pos"]))
    board.sync()


@contextlib.contextmanager
def tensorboard(logs: Path) -> Iterator[str]:
    """The address of a server that has read the logs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("tensorboard")
    server = subprocess.Popen(
        [str(program), f"--logdir={logs}", f"--port={port}", "--load_fast=false"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                address = f"http://127.0.0.1:{port}"
                with urllib.request.urlopen(f"{address}/data/runs", timeout=5) as answer:
                    if {"train", "dev", "unigram_entropy"} <= set(json.load(answer)):
                        yield address
                        return
            time.sleep(0.5)
        pytest.fail("TensorBoard did not come up")
    finally:
        server.kill()
        server.wait()


def page(address: str, profile: Path) -> str:
    """The page's document after its scripts have run."""
    done = subprocess.run(
        [
            str(CHROMIUM),
            *(f"--{option}" for option in OPTIONS),
            "--dump-dom",
            f"--user-data-dir={profile}",
            "--window-size=1500,1600",
            "--virtual-time-budget=30000",
            address,
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def test_panels(tmp_path: Path) -> None:
    write_logs(tmp_path / "logs")
    with tensorboard(tmp_path / "logs") as address:
        series = page(f"{address}/#timeseries", tmp_path / "profile")
        for shown in ("masked_accuracy", "confusion_test", "unigram_entropy", "dev", "train"):
            assert shown in series, shown
        assert "<img" in series  # the picture, not only its title
        for tab in ("Text", "HParams", "Images"):
            assert tab.lower() in series.lower(), tab
        # The text and hparams panels draw into a shadow document that the browser does
        # not dump; this is what they draw.
        text = fetched(f"{address}/data/plugin/text/text?run=dev&tag=masked_predictions")
        assert "the film was [MASK]" in html.unescape(text)
        assert "<table>" in text
        words = fetched(f"{address}/data/plugin/projector/metadata?run=dev&name=words")
        assert words.split() == [f"word{i}" for i in range(5)]
        active = json.loads(fetched(f"{address}/data/plugins_listing"))
        assert active["hparams"]["enabled"]
        assert active["projector"]["enabled"]
