"""Is the store itself sound? What `db verify` looks at below the records."""

from pathlib import Path

from bot.journal.errors import JournalError
from bot.journal.high_water import read_marks, refuse_rolled_back
from bot.journal.sqlite import JOURNAL_FILE, open_reader
from bot.journal.sqlite_file import refuse_damaged


def store_problem(data_dir: Path, url: str | None, key: str | None) -> str | None:
    """What is wrong with the store: damage, gaps, or a lost end; None if it is sound."""
    known = read_marks(data_dir)
    try:
        if url is None:
            with open_reader(data_dir, key) as reader:
                refuse_damaged(data_dir / JOURNAL_FILE, reader.connection)
                refuse_rolled_back(known, reader.crc_at, str(data_dir / JOURNAL_FILE))
        else:
            from bot.journal import pg_database, postgres  # noqa: PLC0415 - the driver, where it is used

            with postgres.open_reader(url, key) as database:
                pg_database.refuse_damaged(url, database.session)
                refuse_rolled_back(known, database.crc_at, pg_database.named(url))
    except JournalError as error:
        return str(error)
    return None
