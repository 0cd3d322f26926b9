"""Bringing the tables of a journal up to date, by alembic. Imported only where that is to be done."""

import sqlite3
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from alembic import command, op
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from bot.journal.schema import STATEMENTS, Dialect

_MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade_tables(address: Path | str, stored: str | None, meta: Mapping[str, str] | None = None) -> None:
    """Run what leads from revision `stored` (None: an empty database) to the newest, all or nothing.

    `address`: an SQLite file, or a PostgreSQL server's. The caller has seen to it that nobody else uses the
    journal, and hears the very errors of the driver.
    `meta`: what a new journal in PostgreSQL says of itself.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    try:
        with _engine(address).connect() as connection, connection.begin():
            config.attributes["connection"] = connection
            if stored is not None:
                command.stamp(config, stored)  # a journal from before alembic knows its revision otherwise
            command.upgrade(config, "head")
            for item in (meta or {}).items():
                connection.exec_driver_sql("INSERT INTO meta (name, value) VALUES (%s, %s)", item)
    except DBAPIError as error:
        raise error.orig or error from error


def _engine(address: Path | str) -> Engine:
    """Connected by the drivers themselves: SQLAlchemy reads an address, and a path, in its own way."""
    if isinstance(address, Path):
        engine = create_engine("sqlite://", creator=partial(sqlite3.connect, address), poolclass=NullPool)
        _begin_for_real(engine)
        return engine
    from bot.journal.pg_session import Session  # noqa: PLC0415 - the driver is imported where it is used

    return create_engine(
        "postgresql+psycopg://", creator=partial(Session.for_tables, address), poolclass=NullPool
    )


def run_statements(revision: str) -> None:
    """Run the statements of one revision, in the database of the migration that is under way."""
    dialect: Dialect = "sqlite" if op.get_bind().dialect.name == "sqlite" else "postgresql"
    for statement in STATEMENTS[dialect][revision]:
        op.get_bind().exec_driver_sql(statement)


def _begin_for_real(engine: Engine) -> None:
    """Python's sqlite3 leaves data definition outside transactions, unless it is told to keep out of them."""

    @event.listens_for(engine, "connect")
    def _connected(raw: Any, _: object) -> None:
        raw.isolation_level = None

    @event.listens_for(engine, "begin")
    def _began(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
