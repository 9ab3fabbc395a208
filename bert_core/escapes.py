"""Other people's text made safe to show: no command to a terminal, no formula."""

import re

# What controls a terminal, ends a line or changes the order of reading: control characters,
# separators, and those that embed one direction of writing in another.
_COMMANDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def escaped(text: str, kept: str = "") -> str:
    """Text from a file with its control characters escaped as in Python: "\\x1b[2J".

    kept: control characters to leave as they are.
    """
    return _COMMANDS.sub(
        lambda match: match[0] if match[0] in kept else spelled(match[0]), text
    )


def spelled(character: str) -> str:
    """A character as an escape: \\n, \\x1b, \\u202e."""
    short = character.encode("unicode_escape").decode()
    return short if short != character else f"\\x{ord(character):02x}"


def cell(text: str) -> str:
    """A cell of a .tsv that no terminal, spreadsheet or CSV reader takes for more than text.

    It is escaped as in Python's literals where it holds a backslash or a control
    character, or begins like a formula.
    """
    shown = escaped(text.replace("\\", "\\\\"))
    is_number = re.fullmatch(r"[+-][0-9.]+", shown)
    # What begins like this is a formula in a spreadsheet, or a quoted field; a sign alone is
    # neither.
    is_sign = shown in ("=", "+", "-", "@")
    if shown.startswith(("=", "+", "-", "@", '"')) and not (is_number or is_sign):
        shown = spelled(shown[0]) + shown[1:]
    return shown
