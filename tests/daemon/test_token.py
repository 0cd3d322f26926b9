from pathlib import Path

from bot.daemon.token import FILE_NAME, given_or_kept, operator_token


def test_a_token_is_made_once_and_private(tmp_path: Path) -> None:
    """The first start makes it, readable by its user only; later ones find it."""
    token = operator_token(tmp_path, None)
    assert len(token) >= 32
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert operator_token(tmp_path, None) == token == given_or_kept(tmp_path, None)


def test_two_folders_have_two_tokens(tmp_path: Path) -> None:
    """It is random."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert operator_token(tmp_path / "a", None) != operator_token(tmp_path / "b", None)


def test_a_token_that_is_set_is_used_and_not_stored(tmp_path: Path) -> None:
    """Whoever gives one keeps it themselves."""
    assert operator_token(tmp_path, "given-by-the-operator") == "given-by-the-operator"
    assert list(tmp_path.iterdir()) == []


def test_before_the_first_start_there_is_none(tmp_path: Path) -> None:
    """Looking for one makes none."""
    assert given_or_kept(tmp_path, None) is None
    assert list(tmp_path.iterdir()) == []
