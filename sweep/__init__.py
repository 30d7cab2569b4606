"""llm-sweep: a compiled sweep engine for the design space of large language models.

``space = sweep.load("first-look")`` gives a space to scan, query, write or ask for its frontier, and
``sweep.evaluate(frame)`` adds metrics to a table of designs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kernels

if getattr(kernels, "DISTRIBUTION", None) != "llm-sweep":
    raise ImportError(
        f"llm-sweep needs its own package 'kernels', and found another one at {getattr(kernels, '__file__', '?')}; "
        "another distribution installs a package of that name: uninstall it, or use a fresh environment"
    )

if TYPE_CHECKING:
    from sweep.api import Designs, evaluate, load, loads
    from sweep.errors import RunError, SpecError, SweepError

__version__ = "0.4.0"
__all__ = ["Designs", "RunError", "SpecError", "SweepError", "evaluate", "load", "loads"]


def __getattr__(name: str) -> Any:
    """Load the interface when it is first used, so that `import sweep` and `sweep --help` cost nothing."""
    if name in ("Designs", "load", "loads", "evaluate"):
        from sweep import api

        return getattr(api, name)
    if name in ("SweepError", "SpecError", "RunError"):
        from sweep import errors

        return getattr(errors, name)
    raise AttributeError(f"module 'sweep' has no attribute {name!r}")
