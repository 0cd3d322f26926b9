# ruff: noqa: N818 - these are states of a journal, and callers read better without "Error"
"""What can go wrong with a journal, split by whose fault it is. Every text is one line with the remedy."""


class JournalError(Exception):
    """Any trouble with the journal."""


class JournalSettingError(JournalError):
    """A setting is wrong: the journal it leads to cannot be this one."""


class DataDirUnusable(JournalSettingError):
    """The data directory cannot be written to. Nothing was written."""


class JournalMismatch(JournalSettingError):
    """The journal belongs to another mode or venue."""


class JournalKeyError(JournalSettingError):
    """The key is malformed, missing, or not the one the journal was sealed with."""


class NoJournal(JournalError):
    """There is nothing to read yet."""


class JournalBusy(JournalError):
    """Another process holds the journal. `holder_pid` is None if it has not said who it is."""

    def __init__(self, message: str, holder_pid: int | None) -> None:
        super().__init__(message)
        self.holder_pid = holder_pid


class JournalNewer(JournalError):
    """A newer version of Inband wrote this journal."""


class JournalOlder(JournalError):
    """An older version of Inband wrote this journal: `db upgrade` brings its tables up to date."""


class JournalCorrupt(JournalError):
    """The stored bytes are not what was written."""


class JournalRolledBack(JournalCorrupt):
    """The journal lacks what was durable once: it is older than this data directory remembers, or gone."""


class JournalUnavailable(JournalError):
    """The disk or the server refused a read or a write. After a refused write it stays shut."""


class JournalLost(JournalUnavailable):
    """The connection ended, or another process took the account over: nothing may be sent any more.

    An append that ends so may yet be durable: only reading it back on a new connection tells.
    """
