"""Revision 0001: the records."""

from bot.journal.upgrade import run_statements

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run its statements in the database at hand."""
    run_statements(revision)
