"""A server on a real socket, with fixed figures behind it."""

from collections.abc import AsyncIterator

import pytest

from tests.support.site import Site, a_site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Serving until the test ends."""
    async with a_site() as site:
        yield site
