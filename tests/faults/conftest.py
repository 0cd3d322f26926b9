from collections.abc import Iterator

import pytest

from tests.support.postgres import PostgresServer


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server that a test may stop and start again."""
    with PostgresServer() as server:
        yield server
