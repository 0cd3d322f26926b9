"""What can be wrong with the settings, as one line that names the setting, the fault and the remedy."""

from bot.errors import UserError


class SettingsError(UserError):
    """A setting that is wrong. `setting` is its variable, or the file when the file as a whole is meant."""

    def __init__(self, setting: str, problem: str, remedy: str, origin: str = "") -> None:
        place = f" ({origin})" if origin else ""
        super().__init__(f"{setting}{place}: {problem}; {remedy}")
        self.setting = setting
