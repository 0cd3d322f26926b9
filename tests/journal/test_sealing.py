import base64
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.journal.errors import JournalKeyError
from bot.journal.keys import KEY_FILE, find_key, find_or_make_key, parse_key
from bot.journal.sealing import Sealer, SealError

KEY = bytes(range(32))
PLACE = ("BTCUP", "DrawQueued", 1_000)


@given(plain=st.binary())
def test_what_is_sealed_opens_with_the_key(plain: bytes) -> None:
    """Unsealing gives back exactly what was sealed."""
    assert Sealer(KEY).unseal(Sealer(KEY).seal(plain, *PLACE), *PLACE) == plain


def test_the_same_value_never_looks_the_same_twice() -> None:
    """Two seals of one value differ, so equal secrets cannot be recognised."""
    assert Sealer(KEY).seal(b"2.1", *PLACE) != Sealer(KEY).seal(b"2.1", *PLACE)


@pytest.mark.parametrize(
    "place",
    [("BTCDOWN", "DrawQueued", 1_000), ("BTCUP", "RebalanceStarted", 1_000), ("BTCUP", "DrawQueued", 1_001)],
)
def test_a_sealed_value_cannot_be_moved(place: tuple[str, str, int]) -> None:
    """What was sealed for one fund, kind and time does not open for another."""
    with pytest.raises(SealError):
        Sealer(KEY).unseal(Sealer(KEY).seal(b"2.1", *PLACE), *place)


@given(position=st.integers(0, 30), change=st.integers(1, 255))
def test_a_changed_byte_is_noticed(position: int, change: int) -> None:
    """Flipping any bits of a sealed value, nonce included, makes it unopenable."""
    sealed = bytearray(Sealer(KEY).seal(b"2.1", *PLACE))
    sealed[position] ^= change

    with pytest.raises(SealError):
        Sealer(KEY).unseal(bytes(sealed), *PLACE)


@pytest.mark.parametrize("length", [0, 5, 12, 20])
def test_a_truncated_value_is_noticed(length: int) -> None:
    """A sealed value that lost its end does not open."""
    with pytest.raises(SealError):
        Sealer(KEY).unseal(Sealer(KEY).seal(b"2.1", *PLACE)[:length], *PLACE)


@pytest.mark.parametrize(
    "text", [KEY.hex(), KEY.hex().upper(), base64.b64encode(KEY).decode(), f" {KEY.hex()}\n"]
)
def test_a_key_is_hex_or_base64(text: str) -> None:
    """32 bytes in either spelling are the same key."""
    assert parse_key(text, "INBAND_JOURNAL_KEY") == KEY


@pytest.mark.parametrize(
    "text", ["", "hunter2-hunter2", KEY.hex()[:-2], "zz" * 32, base64.b64encode(KEY[:16]).decode()]
)
def test_a_wrong_key_is_one_line_that_hides_it(text: str) -> None:
    """A malformed key is refused by the name of its setting, in one line, without showing it."""
    with pytest.raises(JournalKeyError) as caught:
        parse_key(text, "INBAND_JOURNAL_KEY")

    message = str(caught.value)
    assert message.startswith("INBAND_JOURNAL_KEY: ")
    assert "\n" not in message
    assert not text or text not in message


def test_a_new_key_is_private_random_and_kept(tmp_path: Path) -> None:
    """The first start makes a key file that only its owner can read; later starts read the same key."""
    key = find_or_make_key(tmp_path, None)
    (tmp_path / "other").mkdir()

    assert len(key) == 32
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert find_or_make_key(tmp_path, None) == key
    assert find_key(tmp_path, None) == key
    assert find_or_make_key(tmp_path / "other", None) != key


def test_a_given_key_leaves_no_file(tmp_path: Path) -> None:
    """A key from the settings is never written to disk."""
    assert find_or_make_key(tmp_path, KEY.hex()) == KEY
    assert list(tmp_path.iterdir()) == []
