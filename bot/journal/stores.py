"""Which store a journal is in: PostgreSQL where an address is given, else SQLite in the data directory."""

from pathlib import Path

from bot.journal import sqlite
from bot.journal.journal import JournalReader, Keeper


def open_reader(data_dir: Path, url: str | None, key: str | None) -> JournalReader:
    """Open the journal for reading only, whoever writes it; raises as `sqlite.open_reader`."""
    if url is None:
        return sqlite.open_reader(data_dir, key)
    from bot.journal import postgres  # noqa: PLC0415 - its driver is imported where it is used

    return postgres.open_reader(url, key)


def open_keeper(data_dir: Path, url: str | None, key: str | None) -> Keeper:
    """Open the journal to keep projections beside the daemon that writes it; raises as `open_reader`."""
    if url is None:
        return sqlite.open_keeper(data_dir, key)
    from bot.journal import postgres  # noqa: PLC0415 - as above

    return postgres.open_keeper(url, key)
