"""Writes tests/golden/run/: a run made by the code of its day, to be read by that of later.

  python tests/golden/make_run.py

run/           what run_pretrain.py leaves in a run directory, without logs and pictures
expected.npz   its model's logits for a batch, and the batch

To be made again only when the format changes on purpose, with a note in CHANGELOG.md:
runs that people keep then need a way to be read as well.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "golden" / "run"
KEPT = (
    *("config.json", "vocab.txt", "tokenizer_config.json", "run.json", "flags.txt"),
    *("metrics.jsonl", "checkpoints"),
)
MODEL = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 24,
}


def main() -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        write_inputs(here)
        command = [
            *(sys.executable, "run_pretrain.py", f"--corpus_dir={here / 'corpus'}"),
            *(f"--model_config={here / 'model.json'}", f"--cache_dir={here / 'cache'}"),
            *(f"--output_dir={here / 'run'}", "--vocab_size=200", "--seq_length=16"),
            *("--batch_size=4", "--num_train_steps=20", "--dropout=0.1", "--num_threads=1"),
            *("--checkpoint_steps=10", "--eval_sequences=8", "--locality=alibi"),
        ]
        subprocess.run(command, cwd=ROOT, check=True)
        (HERE / "run").mkdir(parents=True)
        for name in KEPT:
            source = here / "run" / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, HERE / "run" / name)
    keep_newest(HERE / "run" / "checkpoints")
    flags_file = HERE / "run" / "flags.txt"
    flags_file.write_text(flags_file.read_text().replace(directory, "/somewhere"))
    np.savez_compressed(HERE / "expected.npz", **expected())


def write_inputs(directory: Path) -> None:
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefgh"), rng.integers(1, 5))) for _ in range(60)]
    lines = [" ".join(rng.choice(words, 12)) for _ in range(120)]
    (directory / "corpus").mkdir()
    (directory / "corpus" / "a.txt").write_text("\n".join(lines) + "\n")
    (directory / "model.json").write_text(json.dumps(MODEL))


def keep_newest(checkpoints: Path) -> None:
    """One checkpoint is enough; opening the directory sets `checkpoint` right."""
    newest = max(int(x.stem.removeprefix("ckpt-")) for x in checkpoints.glob("ckpt-*.json"))
    for file in checkpoints.glob("ckpt-*"):
        if not file.name.startswith(f"ckpt-{newest}."):
            file.unlink()


def expected() -> dict[str, np.ndarray]:
    sys.path.insert(0, str(ROOT))
    from bert_core.batch import MlmBatch
    from bert_core.models import MaskedLanguageModel
    from loops.run_directory import read_run_config
    from loops.warm_start import load_run

    config = read_run_config(HERE / "run")
    model = MaskedLanguageModel(config)
    load_run(model, HERE / "run", required=("encoder/", "head/"))
    rng = np.random.default_rng(1)
    ids = rng.integers(0, config.vocab_size, (3, 16)).astype(np.int32)
    places = np.tile(np.array([[0, 3, 15]], np.int32), (3, 1))
    batch = MlmBatch(ids, places, ids[:, :3], np.ones((3, 3), np.float32))
    return {"input_ids": ids, "positions": places, "logits": model.logits(batch).numpy()}


if __name__ == "__main__":
    main()
