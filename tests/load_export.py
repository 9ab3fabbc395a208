"""Loads SavedModels as a stranger would, and prints what they answer.

  load_export.py REQUESTS.json

REQUESTS.json: [{"model": directory, "signature": name, "inputs": {name: texts}}, ...].
Prints a JSON list of {output name: nested lists}. Of this project's code nothing is
there: importing it ends the program.
"""

import json
import sys
from pathlib import Path
from typing import Any

OURS = ("bert_core", "pipelines", "loops", "flags")


class _NoneOfOurs:
    def find_spec(self, name: str, *_: object) -> None:
        if name.split(".")[0] in OURS:
            raise SystemExit(f"would import {name}")


def main() -> None:
    assert not [name for name in sys.modules if name.split(".")[0] in OURS]
    sys.meta_path.insert(0, _NoneOfOurs())
    import tensorflow as tf
    import tensorflow_text  # noqa: F401  (registers its operations)

    answers, loaded = [], {}
    for request in json.loads(Path(sys.argv[1]).read_text()):
        directory = request["model"]
        loaded[directory] = loaded.get(directory) or tf.saved_model.load(directory)
        signature = loaded[directory].signatures[request["signature"]]
        tensors = {k: tf.constant(x, tf.string) for k, x in request["inputs"].items()}
        answers.append({k: _plain(x.numpy().tolist()) for k, x in signature(**tensors).items()})
    print(json.dumps(answers))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(x) for x in value]
    return value.decode() if isinstance(value, bytes) else value


if __name__ == "__main__":
    main()
