"""The journal: an append-only store of records; `sqlite.open_journal` writes it, `open_reader` reads it."""
