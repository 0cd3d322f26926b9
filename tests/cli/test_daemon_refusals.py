"""What a control command says where the daemon refuses it."""

from email.message import Message
from pathlib import Path
from urllib.error import HTTPError

import pytest

from bot.cli_daemon import _remedy


@pytest.mark.parametrize(
    ("code", "starting", "told"), [(401, False, True), (401, True, False), (409, False, False)]
)
def test_a_wrong_token_is_named_and_one_that_comes_too_early_is_not_called_wrong(
    tmp_path: Path, code: int, *, starting: bool, told: bool
) -> None:
    """While a daemon starts it has no token itself, and says when to ask again."""
    headers = Message()
    if starting:
        headers["Retry-After"] = "1"

    class Where:
        data_dir = tmp_path

    remedy = _remedy(HTTPError("http://127.0.0.1", code, "no", headers, None), Where())  # type: ignore[arg-type]
    assert ("INBAND_WEB__TOKEN" in remedy) is told
