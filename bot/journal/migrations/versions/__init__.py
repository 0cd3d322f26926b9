"""The revisions, oldest first by their number. Their statements are in `bot.journal.schema`."""
