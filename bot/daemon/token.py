"""The operator's token: given, or made at first start and kept where only this user can read it."""

import os
import secrets
from pathlib import Path

FILE_NAME = "operator.token"


def operator_token(data_dir: Path, given: str | None) -> str:
    """The token that is set, or else the one in the data directory, made if need be (mode 0600)."""
    token = given_or_kept(data_dir, given)
    if token is None:
        token = secrets.token_urlsafe(32)
        path = data_dir / FILE_NAME
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{token}\n")
    return token


def given_or_kept(data_dir: Path, given: str | None) -> str | None:
    """The token that is set, or else the one in the data directory; None if there is none."""
    if given is not None:
        return given
    try:
        return (data_dir / FILE_NAME).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
