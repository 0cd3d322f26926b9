"""Alembic's folder: `env` runs the revisions on the connection that `bot.journal.upgrade` hands over."""
