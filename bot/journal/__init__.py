"""The journal: an append-only store of records; `sqlite.open_journal` writes it, `sqlite.open_reader` reads it."""
