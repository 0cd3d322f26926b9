"""Private files that survive a power cut."""

import os
from pathlib import Path

PRIVATE = 0o600


def sync_folder(folder: Path) -> None:
    """Make creations, renames and deletions in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_durably(path: Path, content: bytes) -> None:
    """Create `path` for its owner only, whole or not at all; it is durable on return."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    draft.rename(path)
    sync_folder(path.parent)


def create_private(path: Path) -> None:
    """Make sure that `path` exists and that only its owner can read it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE)
    try:
        os.fchmod(descriptor, PRIVATE)
    finally:
        os.close(descriptor)
