"""What is typed into a shell, cut into statements: SQL ends with ``;``, a line that starts with a dot is a command."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# what may hold a semicolon that ends nothing
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$", re.DOTALL)
_OPENS = re.compile(r"'|\"|/\*|\$\w*\$")


def is_whole(text: str) -> bool:
    """Whether nothing of a statement is missing: a command, or SQL up to its semicolon."""
    if not text.strip() or text.lstrip().startswith("."):
        return True
    return _bare(text).rstrip().endswith(";")


def statements(lines: Iterable[str]) -> Iterator[str]:
    """Commands and statements of a script, each whole; what is left at its end counts as one."""
    held = ""
    for line in lines:
        if not held.strip() and line.lstrip().startswith("."):
            yield line.strip()
            continue
        held += line if line.endswith("\n") else line + "\n"
        if is_whole(held):
            if _bare(held).strip(" \t\n;"):
                yield held.strip()
            held = ""
    if _bare(held).strip(" \t\n;"):
        yield held.strip()


def _bare(text: str) -> str:
    """The text without what is quoted or commented; what is not closed yet hides the rest."""
    bare = _QUOTED.sub(lambda found: "" if found.group().startswith(("--", "/*")) else "''", text)
    opened = _OPENS.search(bare.replace("''", ""))
    return bare[: opened.start()] + "..." if opened else bare
