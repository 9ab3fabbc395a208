"""The arrows between the rooms, held by reading imports (docs/decisions.md)."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {"bert_core", "pipelines", "loops"}
ALLOWED = {
    "bert_core": set(),
    "pipelines": {
        *("bert_core.config", "bert_core.batch", "bert_core.errors", "bert_core.escapes"),
        *("bert_core.scores", "bert_core.correlation", "bert_core.entities", "bert_core.units"),
    },
    "loops": {"bert_core"},
    "flags.py": {
        "bert_core",
        "pipelines.options",
        "loops.options",
        "loops.processor",
        "loops.recipe_options",
        "loops.use_options",
        "loops.cluster",
        "loops.stopping",
        "loops.console",
    },
}
FOREIGN = {"keras", "tf_keras", "transformers", "tokenizers", "torch", "pickle"}
SHIPPED = sorted(
    path
    for pattern in ("bert_core/*.py", "pipelines/*.py", "loops/*.py", "*.py")
    for path in ROOT.glob(pattern)
)
# Read before TensorFlow is imported, so that --help and a wrong flag answer at once.
WITHOUT_TENSORFLOW = [
    "bert_core/config.py",
    "bert_core/adamw_options.py",
    "bert_core/errors.py",
    "bert_core/escapes.py",
    "pipelines/options.py",
    "loops/options.py",
    "loops/processor.py",
    "loops/recipe_options.py",
    "loops/use_options.py",
    "loops/stopping.py",
    "loops/run_directory.py",
    "loops/startup.py",
    "loops/cluster.py",
    "loops/lines.py",
    "loops/peers.py",
    "flags.py",
]


def imports_of(path: Path, top_level_only: bool = False) -> set[str]:
    """Dotted names of the modules a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            # `from bert_core import config` imports the module bert_core.config.
            whole = node.module or ""
            names |= {f"{whole}.{a.name}" if whole in ROOMS else whole for a in node.names}
    return names


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows(path: Path) -> None:
    room = path.parent.name if path.parent.name in ROOMS else path.name
    for name in imports_of(path):
        top = name.split(".")[0]
        assert top not in FOREIGN, f"{path} imports {name}"
        assert not top.startswith("run_"), f"{path} imports {name}: run_* only wire"
        if room in ALLOWED and top in ROOMS and top != room:
            allowed = ALLOWED[room]
            assert name in allowed or top in allowed, f"{path} imports {name}"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_keras_by_another_name(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [
        n.lineno for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr == "keras"
    ]
    assert not found, f"{path} uses .keras on lines {found}"


@pytest.mark.parametrize("name", WITHOUT_TENSORFLOW)
def test_flags_come_without_tensorflow(name: str) -> None:
    heavy = {"tensorflow", "tensorflow_text", "tensorflow_datasets", "numpy", "matplotlib"}
    found = {module.split(".")[0] for module in imports_of(ROOT / name, top_level_only=True)}
    assert not found & heavy


def test_init_files_are_empty() -> None:
    for room in ROOMS:
        assert (ROOT / room / "__init__.py").read_text() == ""


def test_files_stay_small() -> None:
    for path in SHIPPED:
        lines = path.read_text(encoding="utf-8").count("\n")
        # flags.py holds every flag there is; it is read by looking up, not through.
        assert lines <= 300 or path.name == "flags.py", f"{path}: {lines} lines; split it"


def test_locks_name_no_host_and_hash_everything() -> None:
    for path in ROOT.glob("requirements*.lock"):
        text = path.read_text()
        assert "://" not in text
        pinned = re.findall(r"^[a-z0-9][^ ]*==[^ ]+.*(?:\n    --hash.*)+", text, re.M)
        assert len(pinned) == len(re.findall(r"^[a-z0-9].*==", text, re.M)) > 40
