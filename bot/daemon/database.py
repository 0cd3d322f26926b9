"""What `db` does to the journal of the settings, whichever store it is in."""

from datetime import UTC, datetime
from pathlib import Path

from bot.daemon.wiring import identity_of
from bot.journal.backup import Copied, back_up, restore_database, restore_file
from bot.journal.upgrading import Upgraded, of_today, upgrade_database, upgrade_file
from bot.settings import Settings
from bot.venue.clock import WallClock


def upgrade_journal(settings: Settings) -> Upgraded:
    """Bring its tables up to date. Raises JournalError."""
    if settings.database_url is not None:
        return upgrade_database(settings.database_url)
    return upgrade_file(settings.data_dir, _now())


def back_up_journal(settings: Settings, file: Path) -> Copied:
    """Copy it to a new file. Raises JournalError."""
    return back_up(settings.data_dir, settings.database_url, settings.journal_key, file)


def restore_journal(settings: Settings, file: Path) -> Copied:
    """Put a copy in its place. Raises JournalError."""
    with of_today(file, settings.data_dir) as copy:
        return _restore(settings, copy)._replace(file=str(file))


def _restore(settings: Settings, copy: Path) -> Copied:
    identity, key, now = identity_of(settings), settings.journal_key, _now()
    if settings.database_url is None:
        return restore_file(settings.data_dir, key, copy, identity, now)
    accounts = {fund.name: fund.account for fund in settings.funds}
    url = settings.database_url
    return restore_database(settings.data_dir, url, key, copy, identity, accounts, now)


def _now() -> datetime:
    return datetime.fromtimestamp(WallClock().wall_ms() / 1000, UTC)
