from pathlib import Path

import pytest

from bot.settings import load_settings
from bot.settings.names import KNOWN, variable
from bot.settings.table import block

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_table_in_the_documents_is_the_schemas() -> None:
    """docs/settings.md holds what `python -m bot.settings.table` prints now."""
    assert block() in (REPOSITORY / "docs" / "settings.md").read_text()


def test_every_setting_says_what_it_means_and_has_an_example() -> None:
    """An error proposes the example, and the table shows the meaning."""
    for path, setting in KNOWN.items():
        assert setting.description, variable(path)
        assert setting.examples, variable(path)


@pytest.mark.parametrize("mode", ["paper", "testnet", "live"])
def test_a_commented_example_of_a_shipped_file_can_be_used(tmp_path: Path, mode: str) -> None:
    """Whoever takes the comment signs off the settings of a shipped file gets settings that load."""
    lines = (REPOSITORY / "config" / f"{mode}.toml").read_text().splitlines()
    (tmp_path / "my.toml").write_text("\n".join(_uncommented(line) for line in lines))
    environ = {"INBAND_MODE": mode, "INBAND_CONFIG": "my.toml", "INBAND_LIVE_CONFIRM": "UP,UP3X"}
    for account in ("UP", "DOWN", "UP3X"):
        environ[f"INBAND_ACCOUNTS__{account}__API_KEY"] = environ[f"INBAND_ACCOUNTS__{account}__SECRET"] = "x"
    assert load_settings(environ, tmp_path).mode == mode


def _uncommented(line: str) -> str:
    body = line.removeprefix("# ")
    is_setting = "=" in body and body[:1].islower() and body.split("=")[0].strip().isidentifier()
    return body if is_setting or body.startswith("[") else line
