"""Settings: read from environment, `.env`, secrets and TOML; judged; handed on as frozen values."""

from bot.settings.errors import SettingsError
from bot.settings.load import load_settings
from bot.settings.values import Account, Alerting, EffectiveValue, Paper, Route, Settings, Web, paper_key

__all__ = [
    "Account",
    "Alerting",
    "EffectiveValue",
    "Paper",
    "Route",
    "Settings",
    "SettingsError",
    "Web",
    "load_settings",
    "paper_key",
]
