"""Every mistake in a setting: one line that names the setting, what is wrong and the remedy."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.exchange.prices import SCENARIOS as EXCHANGE_SCENARIOS
from bot.settings import SettingsError, load_settings
from bot.settings.names import KNOWN, variable
from bot.settings.schema import SCENARIOS

UP = "FUNDS__BTCUP__"

BAD: list[tuple[str, dict[str, str], tuple[str, ...]]] = [
    ("unknown", {"WEB__PROT": "1"}, ("INBAND_WEB__PROT: no such setting", "INBAND_WEB__PORT?")),
    (
        "unknown below a fund",
        {UP + "BANDD": "1"},
        ("INBAND_FUNDS__BTCUP__BANDD", "INBAND_FUNDS__BTCUP__BAND?"),
    ),
    ("unknown at the top", {"QQQQ": "1"}, ("INBAND_QQQQ: no such setting", "docs/settings.md")),
    (
        "open to the world without a token",
        {"WEB__HOST": "192.0.2.1"},
        ("INBAND_WEB__HOST: 192.0.2.1 can be reached from elsewhere", "set INBAND_WEB__TOKEN"),
    ),
    ("group as a setting", {"WEB": "1"}, ("INBAND_WEB: a group", "set INBAND_WEB__HOST")),
    (
        "group of a fund",
        {"FUNDS__BTCUP": "{}"},
        ("INBAND_FUNDS__BTCUP: a group", "INBAND_FUNDS__BTCUP__ENABLED"),
    ),
    ("unknown mode", {"MODE": "papper"}, ("INBAND_MODE", '"papper" is no mode', "paper, testnet or live")),
    ("dry-run", {"MODE": "dry-run"}, ("INBAND_MODE", "comes with a later version", "use paper")),
    ("management fee", {UP + "MANAGEMENT_FEE_DAILY": "1"}, ("MANAGEMENT_FEE_DAILY", "must be below 1")),
    ("flow fee", {UP + "REDEEM_FEE": "-0.1"}, ("REDEEM_FEE", "must be")),
    ("dealings", {UP + "DEALING_EVERY_S": "7000"}, ("DEALING_EVERY_S: 7000 s do not divide a day", "3600")),
    ("database", {"DATABASE_URL": "x"}, ("INBAND_DATABASE_URL", "PostgreSQL", "unset it")),
    ("password with @", {"DATABASE_URL": "postgresql://inband:a@b@db/inband"}, ("DATABASE_URL", "%40 for @")),
    ("password with /", {"DATABASE_URL": "postgresql://inband:a/b@db/inband"}, ("DATABASE_URL", "%2F for /")),
    (
        "database without key",
        {"DATABASE_URL": "postgresql://inband@db/inband"},
        ("INBAND_JOURNAL_KEY", "PostgreSQL", "openssl rand -hex 32"),
    ),
    (
        "reversed band",
        {UP + "BAND": "[3, 1.5]"},
        ("INBAND_FUNDS__BTCUP__BAND: [3, 1.5] is reversed", "lower edge"),
    ),
    ("empty band", {UP + "BAND": "[2, 2]"}, ("BTCUP__BAND: [2, 2] is empty",)),
    (
        "UP band at 1",
        {UP + "BAND": "[1, 3]"},
        ("BTCUP__BAND: [1, 3]", "above 1", "set its lower edge above 1"),
    ),
    ("DOWN band at 0", {"FUNDS__BTCDOWN__BAND": "[0, 3]"}, ("BTCDOWN__BAND: [0, 3]", "above 0")),
    ("band of three", {UP + "BAND": "[1, 2, 3]"}, ("BTCUP__BAND", "not a pair", "[1.5, 3]")),
    ("band of one", {UP + "BAND": "2"}, ("BTCUP__BAND", "not a pair", "[1.5, 3]")),
    ("band of words", {UP + "BAND": "[low, high]"}, ("BTCUP__BAND", "not a pair")),
    ("band with NaN", {UP + "BAND": "[NaN, 3]"}, ("BTCUP__BAND", "finite")),
    ("band without end", {UP + "BAND": "[1.5, Infinity]"}, ("BTCUP__BAND", "finite")),
    (
        "target below",
        {UP + "TARGET": "[1.4, 2]"},
        ("BTCUP__TARGET: [1.4, 2] is not inside the band [1.5, 3]",),
    ),
    ("target above", {UP + "TARGET": "[2, 3.1]"}, ("BTCUP__TARGET: [2, 3.1] is not inside",)),
    ("target reversed", {UP + "TARGET": "[2.6, 1.8]"}, ("BTCUP__TARGET: [2.6, 1.8] is reversed",)),
    (
        "band off the target",
        {UP + "BAND": "[2.1, 3]"},
        ("BTCUP__TARGET (", "is not inside the band [2.1, 3]"),
    ),
    ("emergency inside", {UP + "EMERGENCY": "2.9"}, ("BTCUP__EMERGENCY: 2.9", "[1.5, 3]", "set it above 3")),
    ("emergency at the edge", {UP + "EMERGENCY": "3"}, ("BTCUP__EMERGENCY: 3 is not above",)),
    ("emergency negative", {UP + "EMERGENCY": "-4"}, ("BTCUP__EMERGENCY: ", "must be above 0")),
    (
        "start outside",
        {UP + "START_LEVERAGE": "1.2"},
        ("BTCUP__START_LEVERAGE: 1.2 is outside", "inside the band"),
    ),
    ("no capital", {UP + "CAPITAL": "0"}, ("BTCUP__CAPITAL", "must be above 0", "BTCUP__CAPITAL=100000")),
    ("capital NaN", {UP + "CAPITAL": "nan"}, ("BTCUP__CAPITAL", "finite")),
    ("capital infinite", {UP + "CAPITAL": "inf"}, ("BTCUP__CAPITAL", "finite")),
    ("capital a word", {UP + "CAPITAL": "much"}, ('BTCUP__CAPITAL: "much" is not a number',)),
    ("side", {UP + "SIDE": "up"}, ('BTCUP__SIDE: "up" is none of', "long")),
    ("symbol form", {UP + "UNDERLYING": "BTC/USDT"}, ("BTCUP__UNDERLYING", "BTCUSDT")),
    ("two on one account", {UP + "ACCOUNT": "DOWN"}, ("BTCDOWN__ACCOUNT", "already belongs to fund BTCUP")),
    (
        "unknown account",
        {UP + "ACCOUNT": "UPP"},
        ("BTCUP__ACCOUNT: there is no account UPP", "did you mean UP?"),
    ),
    ("unknown strategy", {UP + "STRATEGY": "strategc"}, ("BTCUP__STRATEGY", "did you mean strategic?")),
    ("strategy not there", {UP + "STRATEGY": "no.such:Thing"}, ("BTCUP__STRATEGY", 'no module "no"')),
    ("parameter", {UP + "PARAMETERS": '{"confirm": 1}'}, ("BTCUP__PARAMETERS", "confirmation_s")),
    (
        "parameter's form",
        {UP + "PARAMETERS": '{"confirmation_s": "x"}'},
        ("BTCUP__PARAMETERS", "confirmation_s"),
    ),
    ("parameters not JSON", {UP + "PARAMETERS": "{x"}, ("BTCUP__PARAMETERS", "not JSON")),
    ("parameters a list", {UP + "PARAMETERS": "[1]"}, ("BTCUP__PARAMETERS", "not a JSON object")),
    ("enabled", {UP + "ENABLED": "perhaps"}, ("BTCUP__ENABLED", "neither true nor false")),
    ("fund not described", {"FUNDS__X__BAND": "[1.5, 3]"}, ("INBAND_FUNDS__X__UNDERLYING: not set",)),
    ("mistyped fund", {"FUNDS__BTCUPP__ENABLED": "false"}, ("BTCUPP", "if you meant fund BTCUP")),
    ("fund's name", {"FUNDS__1!__SIDE": "long"}, ("INBAND_FUNDS__1!", "no name for a fund")),
    ("port", {"WEB__PORT": "65536"}, ("INBAND_WEB__PORT", "at most 65535", "INBAND_WEB__PORT=8080")),
    ("port a word", {"WEB__PORT": "http"}, ('INBAND_WEB__PORT: "http" is not a whole number',)),
    ("seed negative", {"PAPER__SEED": "-1"}, ("INBAND_PAPER__SEED", "at least 0")),
    ("seed a fraction", {"PAPER__SEED": "1.5"}, ("INBAND_PAPER__SEED", "not a whole number")),
    ("speed nought", {"PAPER__SPEED": "0"}, ("INBAND_PAPER__SPEED", "above 0")),
    ("speed NaN", {"PAPER__SPEED": "nan"}, ("INBAND_PAPER__SPEED", "no speed above 0")),
    ("speed a word", {"PAPER__SPEED": "fast"}, ("INBAND_PAPER__SPEED", "neither a factor nor max")),
    ("scenario", {"PAPER__SCENARIO": "crsh"}, ("INBAND_PAPER__SCENARIO", "crash")),
    ("paper exchange", {"PAPER__URL": "localhost:1"}, ("INBAND_PAPER__URL", "http://127.0.0.1:8090")),
    ("no replay file", {"PAPER__REPLAY": "no.csv"}, ("INBAND_PAPER__REPLAY: there is no file no.csv",)),
    ("replay a folder", {"PAPER__REPLAY": "/"}, ("INBAND_PAPER__REPLAY: / is a folder",)),
    ("no funding file", {"PAPER__FUNDING": "no.csv"}, ("INBAND_PAPER__FUNDING: there is no file no.csv",)),
    ("journal key", {"JOURNAL_KEY": "abc"}, ("INBAND_JOURNAL_KEY", "32 bytes", "openssl rand -hex 32")),
    ("no config", {"CONFIG": "no.toml"}, ("INBAND_CONFIG: there is no file no.toml",)),
    ("no secrets folder", {"SECRETS_DIR": "no"}, ("INBAND_SECRETS_DIR: no is no folder",)),
    ("live, no second key", {"MODE": "live"}, ("INBAND_LIVE_CONFIRM", "second key")),
    (
        "live, unknown account",
        {"MODE": "live", "LIVE_CONFIRM": "yes"},
        ("INBAND_LIVE_CONFIRM", "no account YES"),
    ),
    (
        "live, other account",
        {"MODE": "live", "LIVE_CONFIRM": "DOWN", UP + "ENABLED": "true"},
        ("INBAND_LIVE_CONFIRM", "does not name account UP", "INBAND_LIVE_CONFIRM=UP"),
    ),
    (
        "testnet without keys",
        {"MODE": "testnet", UP + "ENABLED": "true"},
        ("INBAND_ACCOUNTS__UP__API_KEY: not set", "INBAND_SECRETS_DIR"),
    ),
    (
        "testnet without secret",
        {"MODE": "testnet", UP + "ENABLED": "true", "ACCOUNTS__UP__API_KEY": "k"},
        ("INBAND_ACCOUNTS__UP__SECRET: not set",),
    ),
    (
        "interval opening beyond its limit",
        {UP + "STRATEGY": "interval", UP + "START_LEVERAGE": "4"},
        ("BTCUP__START_LEVERAGE: 4 is not below the emergency leverage 4",),
    ),
    (
        "interval's parameter",
        {UP + "STRATEGY": "interval", UP + "PARAMETERS": '{"move": 2}'},
        ("BTCUP__PARAMETERS", "move must be a fraction"),
    ),
]


def refused(directory: Path, variables: dict[str, str]) -> str:
    """Load settings that must be refused; give the error's text, which must be one line."""
    with pytest.raises(SettingsError) as refusal:
        load_settings(variables, directory)
    assert "\n" not in str(refusal.value)
    assert list(directory.glob("data*")) == []
    return str(refusal.value)


@pytest.mark.parametrize(("variables", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_variable_is_named_with_its_remedy(
    tmp_path: Path, variables: dict[str, str], words: tuple[str, ...]
) -> None:
    """The line begins with the setting, and says what is wrong and what to do."""
    line = refused(tmp_path, {f"INBAND_{name}": text for name, text in variables.items()})
    assert line.startswith("INBAND_")
    assert ";" in line
    for word in words:
        assert word in line


FILES: list[tuple[str, str, tuple[str, ...]]] = [
    ("not TOML", 'mode = "paper"\n[web\n', ("my.toml: not TOML", "line 2")),
    ("no mode", "[web]\nport = 1\n", ("my.toml: the file does not state its mode", 'mode = "paper"')),
    ("another mode", 'mode = "live"\n', ("my.toml", "for mode live", "INBAND_MODE=live")),
    ("unknown key", 'mode = "paper"\n[web]\nprot = 1\n', ("my.toml, web.prot: no such setting", "web.port?")),
    (
        "unknown key of a fund",
        'mode = "paper"\n[funds.BTCUP]\nbandd = [1.5, 3]\n',
        ("my.toml, funds.BTCUP.bandd", "did you mean funds.BTCUP.band?"),
    ),
    ("unknown table", 'mode = "paper"\n[webb]\nport = 1\n', ("my.toml, webb: no such setting",)),
    ("no table", 'mode = "paper"\nweb = 3\n', ("my.toml, web: a table is wanted", "[web]")),
    (
        "wrong value",
        'mode = "paper"\n[web]\nport = "x"\n',
        ("INBAND_WEB__PORT (my.toml, web.port)", "whole number"),
    ),
    ("true as a number", 'mode = "paper"\n[web]\nport = true\n', ("INBAND_WEB__PORT", "is not a number")),
    (
        "text in another case",
        'mode = "paper"\n[web]\nport = 1\nPORT = 2\n',
        ("my.toml, web.PORT: set twice",),
    ),
    ("second key", 'mode = "paper"\nlive_confirm = "UP"\n', ("my.toml, live_confirm", "INBAND_LIVE_CONFIRM")),
    ("text as a band", 'mode = "paper"\n[funds.F]\nband = 3\n', ("INBAND_FUNDS__F__",)),
    ("empty fund", 'mode = "paper"\n[funds.F]\n', ("INBAND_FUNDS__F__UNDERLYING: not set",)),
]


@pytest.mark.parametrize(("text", "words"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_a_bad_file_is_named_with_its_key(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    """The line names the file, the key in it, what is wrong and what to do."""
    (tmp_path / "my.toml").write_text(text)
    line = refused(tmp_path, {"INBAND_CONFIG": "my.toml"})
    for word in words:
        assert word in line


def test_a_mistake_in_dotenv_names_it(tmp_path: Path) -> None:
    """Without that, one would search the environment for it."""
    (tmp_path / ".env").write_text("INBAND_WEB__PORT=x\n")
    assert "INBAND_WEB__PORT (.env)" in refused(tmp_path, {})
    (tmp_path / ".env").write_text("INBAND_WEB__PROT=1\n")
    assert "INBAND_WEB__PROT (.env)" in refused(tmp_path, {})


def test_a_mistake_in_the_secrets_folder_names_the_file(tmp_path: Path) -> None:
    """A secret under an unknown name would silently not be used."""
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "INBAND_WEB__TOKKEN").write_text("x")
    (tmp_path / "s" / "other").write_text("x")
    line = refused(tmp_path, {"INBAND_SECRETS_DIR": "s"})
    assert "s/INBAND_WEB__TOKKEN" in line
    assert "INBAND_WEB__TOKEN?" in line


def test_a_variable_in_two_cases_is_refused(tmp_path: Path) -> None:
    """Which of the two would win is nobody's guess."""
    assert "set twice" in refused(tmp_path, {"INBAND_WEB__PORT": "1", "inband_web__port": "2"})


def test_the_scenarios_are_those_of_the_exchange() -> None:
    """Settings may not import the exchange, so their list is held to its list here."""
    assert SCENARIOS == EXCHANGE_SCENARIOS


@given(name=st.sampled_from([variable(path).replace("<name>", "BTCUP") for path in KNOWN]), text=st.text())
def test_no_value_raises_anything_but_our_own_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, text: str
) -> None:
    """Whatever text a setting is given, it is taken or refused with our own error; nothing else is raised."""
    directory = tmp_path_factory.getbasetemp() / "any"
    directory.mkdir(exist_ok=True)
    with contextlib.suppress(SettingsError):
        load_settings({name: text.replace("\0", "")}, directory)
