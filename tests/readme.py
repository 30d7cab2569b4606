"""The commands of the README, run; `python -m tests.readme` writes what they print back into it."""

import contextlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from sweep.cli import cli

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """A command of the README and what stands below it; '...' stands for whatever it prints."""

    command: str
    output: str


def shown(text: str) -> Iterator[Shown]:
    """The commands of all console blocks, in order."""
    for block in BLOCK.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield Shown(command, output)


def run(command: str, folder: Path) -> str:
    """What a command prints, run in a folder by this process; AssertionError when it fails."""
    program, *arguments = shlex.split(command)
    assert program == "sweep", command
    with contextlib.chdir(folder):
        done = CliRunner().invoke(cli, arguments, prog_name=program)
    assert done.exit_code == 0, f"$ {command}\n{done.stderr}\n{done.exception!r}"
    return done.stdout


def main() -> None:
    """Put what the commands print now into the README."""
    import tempfile

    text = README.read_text()
    with tempfile.TemporaryDirectory() as folder:
        for entry in list(shown(text)):
            printed = run(entry.command, Path(folder))
            if entry.output.strip() != "...":
                text = text.replace(f"$ {entry.command}\n{entry.output}", f"$ {entry.command}\n{printed}")
    README.write_text(text)


if __name__ == "__main__":
    main()
