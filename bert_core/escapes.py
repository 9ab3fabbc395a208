"""Other people's text as it can be shown: no command to a terminal, no formula."""

import re

# What commands a terminal, ends a line or turns the order of what is read: control
# characters, separators, and those that embed one direction of writing in another.
_COMMANDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def escaped(text: str, kept: str = "") -> str:
    """Text from a file with its control characters as in Python's literals: "\\x1b[2J".

    kept: those that stay as they are.
    """
    return _COMMANDS.sub(
        lambda match: match[0] if match[0] in kept else spelled(match[0]), text
    )


def spelled(character: str) -> str:
    """A character as an escape: \\n, \\x1b, \\u202e."""
    short = character.encode("unicode_escape").decode()
    return short if short != character else f"\\x{ord(character):02x}"


def cell(text: str) -> str:
    """A text for a .tsv that no terminal, spreadsheet or reader of CSV takes for more.

    It is escaped as in Python's literals where it holds a backslash or a control
    character, or begins as a formula does.
    """
    shown = escaped(text.replace("\\", "\\\\"))
    is_number = re.fullmatch(r"[+-][0-9.]+", shown)
    # What begins like this is a formula in a spreadsheet, or a quoted field. One sign is none.
    is_sign = shown in ("=", "+", "-", "@")
    if shown.startswith(("=", "+", "-", "@", '"')) and not (is_number or is_sign):
        shown = spelled(shown[0]) + shown[1:]
    return shown
