from decimal import Decimal
from pathlib import Path

import pytest

from bot.core.units import Side
from bot.settings import Settings, SettingsError, load_settings
from tests.settings.conftest import Load


def origin(settings: Settings, name: str) -> str:
    """Where the setting was set, as `config` shows it."""
    return next(entry.origin for entry in settings.effective if entry.name == name)


def value(settings: Settings, name: str) -> str | None:
    """The setting as `config` shows it."""
    return next(entry.value for entry in settings.effective if entry.name == name)


def test_as_shipped_paper_mode_runs_an_up_and_a_down_fund(load: Load) -> None:
    """Without any variable there are BTCUP and BTCDOWN, each with capital and an account of its own."""
    settings = load()
    up, down = settings.funds
    assert settings.mode == "paper"
    assert (up.name, up.side, up.account, up.capital) == ("BTCUP", Side.LONG, "UP", Decimal(100_000))
    assert (down.name, down.side, down.account) == ("BTCDOWN", Side.SHORT, "DOWN")
    assert down.capital == 100_000
    assert up.band == down.band == (Decimal("1.5"), Decimal(3))
    assert up.target_range == down.target_range == (Decimal("1.8"), Decimal("2.6"))
    assert (up.emergency, down.emergency) == (Decimal("3.5"), Decimal(4))
    assert up.start_leverage == down.start_leverage == 2
    assert not settings.warnings


@pytest.mark.parametrize("mode", ["testnet", "live"])
def test_a_mode_with_real_venues_ships_with_no_fund_enabled(load: Load, mode: str) -> None:
    """Nothing is traded there until somebody enables a fund."""
    settings = load(MODE=mode, LIVE_CONFIRM="UP")
    assert settings.funds == ()
    assert any("no fund is enabled" in warning for warning in settings.warnings)


def test_each_layer_beats_the_weaker_ones(tmp_path: Path) -> None:
    """Environment beats .env, that beats the secrets folder, that beats TOML; each value knows its layer."""
    (tmp_path / "my.toml").write_text(
        'mode = "paper"\n[web]\nhost = "h1"\nmake_token = true\nport = 1\n[paper]\nseed = 1\nspeed = 1\n'
    )
    (tmp_path / "secrets").mkdir()
    for name in ("INBAND_WEB__PORT", "inband_paper__seed", "INBAND_PAPER__SPEED"):
        (tmp_path / "secrets" / name).write_text("2\n")
    (tmp_path / ".env").write_text("INBAND_PAPER__SEED=3\nINBAND_PAPER__SPEED=3\nOTHER=x\n")
    environ = {"INBAND_CONFIG": "my.toml", "INBAND_SECRETS_DIR": "secrets", "INBAND_PAPER__SPEED": "4"}
    settings = load_settings(environ, tmp_path)
    assert settings.web.host == "h1"
    assert settings.web.port == 2
    assert settings.paper.seed == 3
    assert settings.paper.speed == 4
    assert origin(settings, "INBAND_WEB__HOST") == "my.toml, web.host"
    assert origin(settings, "INBAND_WEB__PORT") == "secrets/INBAND_WEB__PORT"
    assert origin(settings, "INBAND_PAPER__SEED") == ".env"
    assert origin(settings, "INBAND_PAPER__SPEED") == "environment"
    assert origin(settings, "INBAND_PAPER__SCENARIO") == "default"


def test_the_environment_changes_single_settings_of_a_fund_in_the_file(load: Load) -> None:
    """A variable merges into the file's fund key by key; the rest of the fund stays."""
    settings = load(FUNDS__BTCUP__BAND="[1.9, 2.2]", FUNDS__BTCUP__TARGET="[2.0, 2.1]")
    up, down = settings.funds
    assert up.band == (Decimal("1.9"), Decimal("2.2"))
    assert up.target_range == (Decimal("2.0"), Decimal("2.1"))
    assert up.underlying == "BTCUSDT"
    assert down.band == (Decimal("1.5"), Decimal(3))


def test_names_are_case_insensitive_and_shown_upper_case(tmp_path: Path) -> None:
    """Whatever the case in variable and file, it is the same fund."""
    (tmp_path / "my.toml").write_text(
        'mode = "Paper"\n[Accounts.a1]\nexchange = "binanceusdm"\n'
        '[funds.BtcUp]\nUnderlying = "btcusdt"\nside = "LONG"\naccount = "a1"\ncapital = 5_000\n'
    )
    environ = {"inband_config": "my.toml", "Inband_Funds__btcuP__Capital": "7000"}
    (fund,) = load_settings(environ, tmp_path).funds
    assert (fund.name, fund.account, fund.underlying) == ("BTCUP", "A1", "BTCUSDT")
    assert fund.capital == 7000


def test_numbers_are_exact_whichever_layer_they_come_from(tmp_path: Path) -> None:
    """A price of 0.1 in TOML, in JSON and as text is the decimal 0.1, not its nearest float."""
    (tmp_path / "my.toml").write_text(
        'mode = "paper"\n[accounts.A]\nexchange = "binanceusdm"\n'
        '[funds.F]\nunderlying = "BTCUSDT"\nside = "short"\naccount = "A"\n'
        "capital = 1000.1\nband = [0.1, 0.7]\n"
    )
    environ = {"INBAND_CONFIG": "my.toml", "INBAND_FUNDS__F__TARGET": "[0.3,0.3]"}
    (fund,) = load_settings(environ, tmp_path).funds
    assert fund.band == (Decimal("0.1"), Decimal("0.7"))
    assert fund.target_range == (Decimal("0.3"), Decimal("0.3"))
    assert fund.capital == Decimal("1000.1")
    assert fund.start_leverage == Decimal("0.3")


def test_an_empty_variable_counts_as_not_set(load: Load) -> None:
    """Container tools pass empty variables on for settings that nobody set."""
    assert load(WEB__PORT="", MODE=" ").web.port == 8080


def test_a_fund_of_the_file_can_be_left_out(load: Load) -> None:
    """ENABLED=false drops a shipped fund; its account may then serve another."""
    (fund,) = load(FUNDS__BTCDOWN__ENABLED="false", FUNDS__BTCUP__ACCOUNT="DOWN").funds
    assert (fund.name, fund.account) == ("BTCUP", "DOWN")


def test_test_variables_are_no_settings(load: Load) -> None:
    """INBAND_TEST_... belongs to the test suite."""
    assert load(TEST_ALLOW_SKIPS="0").mode == "paper"


def test_secrets_never_show(tmp_path: Path) -> None:
    """Neither the effective values, nor the repr, nor an error shows a secret."""
    secrets = {
        "INBAND_WEB__TOKEN": "canary-token",
        "INBAND_JOURNAL_KEY": "ab" * 32,
        "INBAND_ACCOUNTS__UP__API_KEY": "canary-key",
        "INBAND_ACCOUNTS__UP__SECRET": "canary-secret",
        "INBAND_ACCOUNTS__UP__PASSWORD": "canary-password",
    }
    settings = load_settings(secrets, tmp_path)
    assert settings.accounts["UP"].secret == "canary-secret"
    for name, secret in secrets.items():
        assert secret not in repr(settings)
        assert value(settings, name) == "********"
    with pytest.raises(SettingsError) as wrong:
        load_settings({"INBAND_JOURNAL_KEY": "canary-journal"}, tmp_path)
    assert "canary" not in str(wrong.value)


def test_a_secret_in_a_file_is_warned_of(tmp_path: Path) -> None:
    """TOML files get shared and committed; a secret in one is allowed, and said."""
    (tmp_path / "my.toml").write_text('mode = "paper"\n[accounts.A]\nsecret = "x"\n')
    warnings = load_settings({"INBAND_CONFIG": "my.toml"}, tmp_path).warnings
    assert any(
        "INBAND_ACCOUNTS__A__SECRET" in warning and "INBAND_SECRETS_DIR" in warning for warning in warnings
    )


def test_a_target_near_an_edge_is_warned_of(load: Load) -> None:
    """Closer than 0.2 to an edge is allowed, and said with the fund's name."""
    (warning,) = load(FUNDS__BTCUP__TARGET="[1.69, 2.6]").warnings
    assert "INBAND_FUNDS__BTCUP__TARGET" in warning
    assert not load(FUNDS__BTCUP__TARGET="[1.7, 2.8]").warnings


def test_paper_settings_outside_paper_mode_are_warned_of(load: Load) -> None:
    """A seed in testnet mode does nothing, and whoever set it should know."""
    warnings = load(MODE="testnet", PAPER__SEED="7").warnings
    assert any(
        warning == "INBAND_PAPER__SEED has no effect in mode testnet; unset it" for warning in warnings
    )


def test_the_interval_strategy_brings_its_own_leverage(load: Load) -> None:
    """It ignores the band: it opens at its own target, and its own limit is the emergency leverage."""
    up, _ = load(FUNDS__BTCUP__STRATEGY="interval", FUNDS__BTCUP__BAND="[1.1, 1.2]").funds
    assert (up.start_leverage, up.emergency) == (Decimal(3), Decimal(4))
    assert up.target_range == (Decimal(3), Decimal(3))


def test_parameters_reach_the_strategy(load: Load) -> None:
    """PARAMETERS is JSON, and becomes the strategy's fields."""
    up, _ = load(FUNDS__BTCUP__PARAMETERS='{"confirmation_s": 60}').funds
    assert up.strategy == type(up.strategy)(confirmation_s=60.0)  # type: ignore[call-arg]


def test_live_needs_both_keys_and_the_accounts_keys(load: Load) -> None:
    """With the mode, the second key, the account's keys and an enabled fund, live settings load."""
    settings = load(
        MODE="live",
        LIVE_CONFIRM="up",
        ACCOUNTS__UP__API_KEY="k",
        ACCOUNTS__UP__SECRET="s",
        FUNDS__BTCUP__ENABLED="true",
    )
    assert settings.live_confirm == ("UP",)
    assert [fund.name for fund in settings.funds] == ["BTCUP"]


def test_each_mode_has_its_own_data_directory_by_default(load: Load, tmp_path: Path) -> None:
    """A journal belongs to one mode, so changing the mode must not meet another's."""
    assert load().data_dir == tmp_path / "data" / "paper"
    assert load(MODE="testnet").data_dir == tmp_path / "data" / "testnet"
    assert load(DATA_DIR="/x").data_dir == Path("/x")


def test_loading_writes_nothing(load: Load, tmp_path: Path) -> None:
    """Settings are judged before anything is on disk."""
    load()
    assert list(tmp_path.iterdir()) == []


def test_speed_is_a_factor_or_max(load: Load) -> None:
    """MAX in any case is as fast as the machine allows."""
    assert load(PAPER__SPEED="Max").paper.speed == "max"
    assert load(PAPER__SPEED="2.5").paper.speed == 2.5
    assert value(load(PAPER__SPEED="max"), "INBAND_PAPER__SPEED") == "max"


@pytest.mark.parametrize(
    "variables",
    [
        {"WEB__HOST": "127.0.0.9"},
        {"WEB__HOST": "::1"},
        {"WEB__HOST": "LocalHost"},
        {"WEB__HOST": "192.0.2.1", "WEB__TOKEN": "0123456789abcdef"},
        {"WEB__HOST": "192.0.2.1", "WEB__MAKE_TOKEN": "true"},
    ],
)
def test_what_can_be_reached_from_elsewhere_needs_a_token(load: Load, variables: dict[str, str]) -> None:
    """Loopback does not; the address and the names that are listed may be asked for."""
    settings = load(**variables, WEB__ALLOWED_HOSTS="funds.example.org, b.example.org")
    assert settings.web.allowed_hosts == (variables["WEB__HOST"], "funds.example.org", "b.example.org")
