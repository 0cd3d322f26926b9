"""Revision 0002: projections, and in PostgreSQL the owners of accounts."""

from bot.journal.upgrade import run_statements

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run its statements in the database at hand."""
    run_statements(revision)
