"""One process a run folder: a lock that the system takes back however its holder ends."""

import errno
import fcntl
import os
from pathlib import Path
from types import TracebackType

from sweep.errors import RunError

LOCK_NAME = ".lock"


class Lock:
    """The lock of a run folder, held within a with block. RunError names the process that holds it already.

    The file names its holder while a run goes on and is empty after one. It is never deleted: a process that waits at
    a deleted file and one that makes a new file would both hold a lock.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._descriptor = -1

    def __enter__(self) -> "Lock":
        descriptor = os.open(self.folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                who = f"process {holder}" if holder else "another process"
                raise RunError(
                    f"{self.folder}: {who} is writing this run; wait for it or stop it, then the same command continues"
                ) from None
            raise
        self._descriptor = descriptor
        return self

    def clear(self) -> None:
        """Empty the file and keep the lock: what a finished run leaves does not say who wrote it."""
        os.ftruncate(self._descriptor, 0)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.clear()
        finally:
            os.close(self._descriptor)
