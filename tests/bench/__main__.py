"""All benchmarks, one after another, each in a process of its own, and the table and chart of the README.

    python tasks.py bench [NAME ...] [--large] [--readme]

NAME picks some: everything, hoisted, mixed, costplan, optimum, pareto, paretosql, peer, limits, writing, driver, start,
sqltable, growth.
--readme writes what the README shows, and draws the chart; --large goes on to spaces of 1e14 designs. Ratios are within
one run of one benchmark. Programs that are not installed are left out: `pip install -e .[bench]` brings those that have
wheels.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests.bench.measure import ONE_THREAD, ROOT

README = ROOT / "README.md"
EACH = "everything hoisted mixed costplan optimum pareto paretosql peer limits writing driver start sqltable growth"
IN_ORDER = tuple(EACH.split())
SHOWN = (
    "everything",
    "hoisted",
    "costplan",
    "optimum",
    "pareto",
    "peer",
    "limits",
    "writing",
    "start",
    "sqltable",
    "paretosql",
    "growth",
)  # in the README
ON_ONE_THREAD = ("everything", "hoisted", "mixed", "costplan", "optimum", "pareto", "peer")


def output_of(name: str, arguments: list[str]) -> list[str]:
    """What a benchmark prints, line by line; it is printed as it comes, and SystemExit when it fails."""
    environment = {**os.environ, **(ONE_THREAD if name in ON_ONE_THREAD else {})}
    command = [sys.executable, "-m", f"tests.bench.{name}", *arguments]
    print(f"\n$ python -m tests.bench.{name} {' '.join(arguments)}".rstrip(), flush=True)
    lines = []
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip())
    if child.returncode:
        sys.exit(f"tests.bench.{name} failed")
    return lines


def into_readme(found: dict[str, list[str]]) -> None:
    """Write what was measured between the marks of the README: a block a benchmark, others' left as they are."""
    text = README.read_text()
    for name, lines in found.items():
        block = "\n".join(f"    {line}".rstrip() for line in lines)
        marks = rf"(<!-- bench {name} -->\n).*?(<!-- /bench -->)"
        text = re.sub(marks, lambda match, block=block: f"{match[1]}{block}\n{match[2]}", text, flags=re.DOTALL)  # type: ignore[misc]
    README.write_text(text)


def main(arguments: list[str]) -> None:
    names = [a for a in arguments if not a.startswith("-")]
    unknown = set(names) - set(IN_ORDER)
    if unknown:
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(IN_ORDER)}")
    readme, large = "--readme" in arguments, "--large" in arguments
    found = {}
    for name in [n for n in IN_ORDER if n in names] or IN_ORDER:
        own = (["--large"] if large else []) + (["--chart"] if readme else []) if name == "growth" else []
        found[name] = output_of(name, own)
    if readme:
        into_readme({name: lines for name, lines in found.items() if name in SHOWN})


if __name__ == "__main__":
    main(sys.argv[1:])
