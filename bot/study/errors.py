"""Errors of the study: one line that names the file's line, the option or the parameter, and the remedy."""

from bot.errors import UserError


class StudyError(UserError):
    """An option or a parameter of the study cannot be used."""


class PriceError(StudyError):
    """A file of prices or funding rates cannot be used."""

    def __init__(self, file: str, place: str, problem: str, remedy: str) -> None:
        where = f"{file} {place}".rstrip()
        super().__init__(f"{where}: {problem}; {remedy}")
        self.place = place
