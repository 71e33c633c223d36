"""Write to disk so that a kill, a full disk or a loss of power leaves the old or the new, never half of it.

Everything is written beside its place under a temporary name that says which process of which machine writes it,
flushed, and renamed. What a killed process left is swept away by the next.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seedbed.errors import RunError

_ENDING = "tmp"


def write_atomically(file: Path, content: str | bytes) -> None:
    """Write a file; a reader sees the old one or the new one.

    Raises
    ------
    RunError
        The disk is full, or the folder cannot be written.
    """
    with replacing(file) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write a file to, which takes the place of `path` when the block ends well.

    Raises
    ------
    RunError
        The disk is full, or the folder cannot be written.
    """
    temporary = temporary_path(path)
    try:
        yield temporary
        flush(temporary)
        temporary.replace(path)
        flush(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        remove(temporary)


def create(file: Path, content: str) -> bool:
    """Write a file, whole, unless it exists; return whether it was written.

    Raises
    ------
    RunError
        The disk is full, or the folder cannot be written.
    """
    temporary = temporary_path(file)
    try:
        temporary.write_text(content, encoding="utf-8")
        flush(temporary)
        _name(temporary, file)
        flush(file.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise cannot_write(file, error) from error
    finally:
        remove(temporary)
    return True


def _name(temporary: Path, file: Path) -> None:
    try:
        file.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError as error:  # a file system without hard links
        if file.exists():
            raise FileExistsError from error
        temporary.rename(file)


def make_folder(folder: Path) -> None:
    """Make a folder where there is none.

    Raises
    ------
    RunError
        It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def temporary_path(path: Path) -> Path:
    """Return a path beside another that no other process or thread writes to."""
    mine = (socket.gethostname(), str(os.getpid()), str(threading.get_ident()), _ENDING)
    return path.with_name(".".join(["", path.name, *mine]))


def is_temporary(path: Path) -> bool:
    """Return whether a path is one that `temporary_path` gave."""
    return path.name.startswith(".") and path.name.endswith(f".{_ENDING}")


def sweep(folder: Path) -> None:
    """Remove what killed processes of this machine left half written in a folder."""
    for path in folder.glob(f".*.{_ENDING}"):
        name, process, *_ = path.name.rsplit(".", 3)
        if name.endswith(f".{socket.gethostname()}") and process.isdigit() and not is_alive(int(process)):
            remove(path)


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there and may be removed."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists():
        path.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Have the system put a file, or the names in a folder, on the disk, so that it survives a loss of power."""
    folder = path.is_dir()
    if folder and os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cannot_write(path: Path, error: OSError) -> RunError:
    """Return the error of a path that cannot be written, with the cure."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    cure = "free space and run again to resume" if full else "see to it that it can be written, or give another folder"
    return RunError(f"{path}: cannot be written ({error.strerror or error}); {cure}")


def is_alive(process: int) -> bool:
    """Return whether another process of this machine has this number."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
