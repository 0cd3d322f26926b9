from collections.abc import Callable
from pathlib import Path

import pytest

from bot.settings import Settings, load_settings

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load the settings in an empty folder, from these variables (without the prefix) and no others."""

    def load(**variables: str) -> Settings:
        environ = {f"INBAND_{name}": value for name, value in variables.items()}
        return load_settings(environ, tmp_path)

    return load
