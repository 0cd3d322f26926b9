"""Where the sealing key comes from: given by a setting, or kept in a file that only its owner can read."""

import base64
import binascii
import os
from pathlib import Path

from bot.journal.errors import JournalKeyError
from bot.journal.files import create_durably
from bot.journal.sealing import KEY_BYTES

KEY_FILE = "journal.key"
_FORMS = f"{KEY_BYTES} bytes as {2 * KEY_BYTES} hex digits or as base64"


def parse_key(text: str, source: str) -> bytes:
    """The key that `text` spells; `source` names the setting or file in an error, which never shows the text.

    Raises:
        JournalKeyError: it spells no key.
    """
    text = text.strip()
    try:
        key = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise JournalKeyError(f"{source}: not a key; give {_FORMS}") from None
    if len(key) != KEY_BYTES:
        raise JournalKeyError(f"{source}: the key has {len(key)} bytes; give {_FORMS}")
    return key


def find_key(data_dir: Path, given: str | None) -> bytes:
    """The key of an existing journal: `given`, or the one in the data directory.

    Raises:
        JournalKeyError: there is none, or it spells none.
    """
    if given is not None:
        return parse_key(given, "INBAND_JOURNAL_KEY")
    path = data_dir / KEY_FILE
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        raise JournalKeyError(
            f"{path} is missing, and without it the journal beside it cannot be read: "
            "restore it from a backup, or set INBAND_JOURNAL_KEY"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise JournalKeyError(
            f"{path}: cannot be read ({error}); restore it, or set INBAND_JOURNAL_KEY"
        ) from error
    return parse_key(text, str(path))


def find_or_make_key(data_dir: Path, given: str | None) -> bytes:
    """The key for a new journal: as `find_key`, but a missing file is made, durably."""
    path = data_dir / KEY_FILE
    if given is None and not path.exists():
        create_durably(path, os.urandom(KEY_BYTES).hex().encode() + b"\n")
    return find_key(data_dir, given)
