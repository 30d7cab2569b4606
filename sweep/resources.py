"""Where the files are that travel with the code: facts in ``data/``, SQL in ``queries/``."""

from pathlib import Path
from typing import Literal

from sweep.errors import SweepError

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: Literal["data", "queries"]) -> Path:
    """A wheel carries the folder inside the package, a checkout has it beside the package."""
    candidates = (_PACKAGE / name, _PACKAGE.parent / name)
    for folder in candidates:
        if folder.is_dir():
            return folder
    looked = " and ".join(str(folder) for folder in candidates)
    raise SweepError(
        f"the folder {name}/ is missing from this installation (looked for {looked}); install llm-sweep again"
    )
