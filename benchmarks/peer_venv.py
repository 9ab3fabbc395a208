"""Virtual environments of the programs this project is measured against.

Made on first use, by pip, so that its settings count (PIP_INDEX_URL, pip.conf, ...):
PyTorch for the CPU only, which is smaller by gigabytes, is not on every index.
"""

import os
import subprocess
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEFAULT_DIRECTORY = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "bert-bench"


def peer_python(requirements: str, directory: Path = DEFAULT_DIRECTORY) -> Path:
    """The interpreter of directory/NAME, which has what requirements-NAME.txt lists."""
    listed = HERE / requirements
    place = directory.expanduser() / listed.stem.removeprefix("requirements-")
    python, made_from = place / "bin" / "python", place / "made-from.txt"
    if not made_from.exists() or made_from.read_text() != listed.read_text():
        print(f"installing {listed} into {place}", flush=True)
        venv.create(place, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "-r", str(listed)]
        subprocess.run(install, check=True)
        made_from.write_text(listed.read_text())
    return python
