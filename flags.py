"""Every command-line flag, grouped by what it is about, and the way programs start.

A program calls `launch(main, ...groups)`. Each group is a function that defines
flags; each `*_options()` function reads them into the frozen dataclass of the room
that uses them. Nothing here imports TensorFlow, so `--help` and a wrong flag answer
at once.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import flags

from bert_core.errors import UserError
from pipelines import options

FLAGS = flags.FLAGS


def launch(main: Callable[[], None], *groups: Callable[[], None]) -> None:
    """Defines the groups, parses the command line and runs `main()`.

    A mistake of the user's, in flags or later, is one line on stderr and exit
    code 2. `--help` prints the program's docstring and its flags, exit code 0.
    """
    program = sys.modules["__main__"].__doc__ or ""
    for group in groups:
        group()
    if any(argument in ("--help", "-help", "-h", "--h") for argument in sys.argv[1:]):
        print(_help_text(program, groups))
        sys.exit(0)
    try:
        extra = FLAGS(sys.argv)[1:]
        if extra:
            raise UserError(f"{extra[0]!r} is not a flag; flags are written --name=value")
        main()
    except flags.Error as error:
        _exit_with(str(error).splitlines()[0] + " (--help lists all flags)")
    except UserError as error:
        _exit_with(str(error))


def _exit_with(message: str) -> None:
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    sys.exit(2)


def _help_text(program: str, groups: Sequence[Callable[[], None]]) -> str:
    """The docstring, then each group's flags with their defaults, in order."""
    lines = [program.strip()]
    for group in groups:
        lines += ["", (group.__doc__ or group.__name__).strip().splitlines()[0]]
        for name in _names_defined_by[group]:
            flag = FLAGS[name]
            default = "" if flag.default is None else f" (default: {flag.default_as_str})"
            lines += [f"  --{name}: {flag.help}{default}"]
    return "\n".join(lines)


_names_defined_by: dict[Callable[[], None], list[str]] = {}


def _group(define: Callable[[], None]) -> Callable[[], None]:
    """Remembers which flags a group defines, for `--help`. Defining twice is once."""

    def define_once() -> None:
        if define_once in _names_defined_by:
            return
        before = set(FLAGS)
        define()
        _names_defined_by[define_once] = [name for name in FLAGS if name not in before]

    define_once.__doc__ = define.__doc__
    define_once.__name__ = define.__name__
    return define_once


@_group
def prepare_flags() -> None:
    """What to prepare:"""
