"""A process that has imported TensorFlow and forks a child for each program to run.

Importing takes six to ten seconds, a run of a tiny model two: so tests that start and
kill programs by the dozen share the import. Nothing of TensorFlow has run before the
fork (no thread, no device), so a child is as good as a process of its own.

tests/programs.py talks to it: a JSON object a line, {"argv", "environment", "input",
"output"}, is answered with {"pid"}, and once that has ended with {"status"}. Input and
output are paths. With --without_tensorflow, a program that imports it is ended.
"""

import gc
import importlib.abc
import importlib.machinery
import json
import os
import runpy
import sys
import types
from typing import Any, NoReturn


def main() -> None:
    if "--without_tensorflow" in sys.argv:
        sys.meta_path.insert(0, _NoTensorFlow())
        import tensorflow_datasets  # noqa: F401

        import pipelines.corpus_check
        import pipelines.labelled
        import pipelines.unlabelled  # noqa: F401
    else:
        import tensorflow_text  # noqa: F401

        # What every training program imports, of others', when it draws and logs.
        importlib.import_module("matplotlib.backends.backend_agg")
        importlib.import_module("tensorboard.plugins.hparams.summary_v2")

    # Children neither look through what is imported for garbage nor copy its pages.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            _become(request)
        print(json.dumps({"pid": child}), flush=True)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), flush=True)


class _NoTensorFlow(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Ends a program that gets as far as importing TensorFlow, its first long work.

    To look whether it is installed, as others do, is not an import.
    """

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self) if name == "tensorflow" else None

    def exec_module(self, module: types.ModuleType) -> NoReturn:
        raise SystemExit("would import TensorFlow now")


def _become(request: dict[str, Any]) -> None:
    """Runs the program as `__main__`, and ends the process as Python would."""
    read = os.open(request["input"], os.O_RDONLY)
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor, target in ((read, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, target)
    os.environ.update(request["environment"])
    sys.argv = request["argv"]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if "tensorflow" in sys.modules or not isinstance(end.code, int):
            raise
        # Nothing to be brought down in order: Python's own end takes ten times as long.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)
    sys.exit(0)


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    main()
