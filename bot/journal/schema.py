"""The tables of the journal, in both databases, by revision. All its data definition is here.

Alembic runs these statements (`bot/journal/migrations`); a new SQLite journal is made from them directly,
because importing alembic takes longer than the whole rest of a first start may.
"""

from typing import Literal, TypeAlias

Dialect: TypeAlias = Literal["sqlite", "postgresql"]

VERSION_TABLE = "alembic_version"
CREATE_VERSION_TABLE = f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"

_SQLITE_1 = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    # time_ms: market time; wall_ms: wall time; body: JSON of open fields; sealed: the rest, encrypted;
    # crc: CRC-32 of the row, because SQLite itself does not notice a changed byte inside one.
    """CREATE TABLE record (seq INTEGER PRIMARY KEY, fund TEXT NOT NULL, kind TEXT NOT NULL,
       time_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL, body TEXT NOT NULL, sealed BLOB,
       crc INTEGER NOT NULL)""",
    "CREATE INDEX record_by_fund ON record (fund)",
    """CREATE TRIGGER record_is_never_updated BEFORE UPDATE ON record
       BEGIN SELECT raise(ABORT, 'records are never changed'); END""",
    """CREATE TRIGGER record_is_never_deleted BEFORE DELETE ON record
       BEGIN SELECT raise(ABORT, 'records are never deleted'); END""",
)

_SQLITE_2 = (
    # What the records up to `position` fold to, sealed as a whole; `version` names the code that folded.
    """CREATE TABLE projection (fund TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
       position INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (fund, name))""",
    # Programs from before alembic go by this number, and refuse a newer one.
    "PRAGMA user_version = 2",
)

POSTGRESQL_PERMANENT = """CREATE TRIGGER record_is_never_changed
       BEFORE UPDATE OR DELETE OR TRUNCATE ON record
       FOR EACH STATEMENT EXECUTE FUNCTION record_is_permanent()"""

_POSTGRESQL_1 = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    # As in SQLite, but for `number`: it counts each fund's own records, without gaps, because several hosts
    # may write funds of their own. Two writers of one fund collide here, if all else should fail.
    """CREATE TABLE record (fund TEXT NOT NULL, number BIGINT NOT NULL, kind TEXT NOT NULL,
       time_ms BIGINT NOT NULL, wall_ms BIGINT NOT NULL, body TEXT NOT NULL, sealed BYTEA,
       crc BIGINT NOT NULL, PRIMARY KEY (fund, number))""",
    """CREATE FUNCTION record_is_permanent() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'records are never changed or deleted'; END $$""",
    POSTGRESQL_PERMANENT,
)

_POSTGRESQL_2 = (
    """CREATE TABLE projection (fund TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
       position BIGINT NOT NULL, sealed BYTEA NOT NULL, PRIMARY KEY (fund, name))""",
    # Who may send for an account. `epoch` grows with each owner: an append names its own, and fails when
    # there has been another since. `beat_at`: when the owner last showed that it lives, by this database's
    # clock. backend_pid and backend_start: its session, which a successor ends.
    """CREATE TABLE owner (account TEXT PRIMARY KEY, epoch BIGINT NOT NULL, holder TEXT NOT NULL,
       backend_pid INTEGER NOT NULL, backend_start TIMESTAMPTZ NOT NULL, since TIMESTAMPTZ NOT NULL,
       beat_at TIMESTAMPTZ NOT NULL) WITH (fillfactor = 50)""",
)

_SQLITE_3 = ("PRAGMA user_version = 3",)  # its history of NAV is a file of its own

_POSTGRESQL_3 = (
    # The history of NAV, as the SQLite file `nav.sqlite` has it: bars as JSON, and full stretches packed.
    """CREATE TABLE bar (fund TEXT, interval TEXT, t BIGINT, nav TEXT NOT NULL, rest TEXT NOT NULL,
       shown_nav TEXT, shown_rest TEXT, PRIMARY KEY (fund, interval, t)) WITH (fillfactor = 50)""",
    """CREATE TABLE chunk (fund TEXT, interval TEXT, t BIGINT, nav BYTEA NOT NULL, rest BYTEA NOT NULL,
       PRIMARY KEY (fund, interval, t))""",
)

STATEMENTS: dict[Dialect, dict[str, tuple[str, ...]]] = {
    "sqlite": {"0001": _SQLITE_1, "0002": _SQLITE_2, "0003": _SQLITE_3},
    "postgresql": {"0001": _POSTGRESQL_1, "0002": _POSTGRESQL_2, "0003": _POSTGRESQL_3},
}
"""What leads from the revision before to each; in order."""

REVISIONS = tuple(STATEMENTS["sqlite"])
HEAD = REVISIONS[-1]
