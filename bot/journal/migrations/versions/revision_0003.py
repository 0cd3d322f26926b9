"""Revision 0003: the history of NAV, in PostgreSQL."""

from bot.journal.upgrade import run_statements

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run its statements in the database at hand."""
    run_statements(revision)
