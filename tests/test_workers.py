"""Training on two workers: what one process would do, bit for bit, and on from there."""

import signal
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.programs import Zygote, finetune_command, pretrain_command
from tests.test_resume import result_of
from tests.workers import Workers

STEPS = ("--num_train_steps=300", "--eval_steps=300", "--checkpoint_steps=100")


def stopped_on_two_workers(zygote: Zygote, command: list[str], directory: Path) -> Path:
    """Starts a run, and has worker 1 asked to stop; the run's directory."""
    (run,) = [Path(x.partition("=")[2]) for x in command if x.startswith("--output_dir=")]
    workers = Workers(zygote, directory / "workers", command, 2)
    log = run / "metrics.jsonl"
    workers.until(lambda: log.exists() and log.stat().st_size > 0)
    workers.send(1, signal.SIGTERM)
    chief, other = workers.end().values()
    for ended in (chief, other):
        assert ended.status == 143, ended.output
        assert "Traceback" not in ended.output
    assert "saved at step" in chief.output
    assert "saved at step" not in other.output
    return run


@pytest.mark.soak
def test_begun_on_two_workers_and_ended_on_one(
    zygote: Zygote, data: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    command = pretrain_command(data, tmp_path / "run", cache, *STEPS)
    run = stopped_on_two_workers(zygote, command, tmp_path)
    assert zygote.run(*command).status == 0
    alone = tmp_path / "alone"
    # Half of --batch_size=4 was each worker's share.
    ended = zygote.run(*pretrain_command(data, alone, cache, *STEPS, "--micro_batch_size=2"))
    assert ended.status == 0, ended.output
    assert result_of(run) == result_of(alone)


@pytest.mark.soak
def test_begun_on_two_workers_and_ended_on_four(
    zygote: Zygote, data: Path, tmp_path: Path
) -> None:
    """No two orders of a sum of four numbers need to agree: to rounding."""
    more = (*STEPS, "--micro_batch_size=1")
    command = pretrain_command(data, tmp_path / "run", tmp_path / "cache", *more)
    run = stopped_on_two_workers(zygote, command, tmp_path)
    for ended in Workers(zygote, tmp_path / "four", command, 4).end().values():
        assert ended.status == 0, ended.output
    alone = tmp_path / "alone"
    ended = zygote.run(*pretrain_command(data, alone, tmp_path / "cache", *more))
    assert ended.status == 0, ended.output
    ends = [tf.train.load_checkpoint(str(x / "checkpoints" / "ckpt-300")) for x in (run, alone)]
    names = [x for x in ends[0].get_variable_to_shape_map() if x.startswith("state/model")]
    assert len(names) > 20
    for name in names:
        one, other = (end.get_tensor(name) for end in ends)
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-3, err_msg=name)


@pytest.mark.soak
def test_fine_tuning_on_two_workers(
    zygote: Zygote, data: Path, untouched, tmp_path: Path
) -> None:
    more = ("--micro_batch_size=2", "--num_train_steps=100")
    paths = [tmp_path / name for name in ("alone", "two", "again")]
    commands = [finetune_command(data, untouched.pretrain, path, *more) for path in paths]
    ended = zygote.run(*commands[0])
    assert ended.status == 0, ended.output
    for path, command in zip(paths[1:], commands[1:], strict=True):
        for ended in Workers(zygote, tmp_path / f"w-{path.name}", command, 2).end().values():
            assert ended.status == 0, ended.output
        assert result_of(path) == result_of(paths[0])


@pytest.mark.soak
def test_devices_of_one_machine(zygote: Zygote, tmp_path: Path) -> None:
    """20 steps on 2 and 4 devices; without dropout also the whole batch at once."""

    def run(devices: int, micro: int, dropout: float) -> dict[str, np.ndarray]:
        out = tmp_path / f"{devices}-{micro}-{dropout}-{len(list(tmp_path.iterdir()))}.npz"
        arguments = (str(devices), str(micro), str(dropout), str(out))
        ended = zygote.run("tests/mirrored_steps.py", *arguments)
        assert ended.status == 0, ended.output
        return dict(np.load(out))

    def difference(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
        return max(float(np.max(np.abs(one[name] - other[name]))) for name in one)

    whole = run(1, 8, 0.0)
    for devices in (2, 4):
        assert 0 < difference(run(devices, 8 // devices, 0.0), whole) < 1e-5
    with_dropout = run(1, 2, 0.1)
    assert difference(with_dropout, whole) > 1e-3
    assert difference(run(2, 2, 0.1), with_dropout) == 0.0
    four = run(4, 2, 0.1)
    assert 0 < difference(four, with_dropout) < 1e-5
    assert difference(run(4, 2, 0.1), four) == 0.0
