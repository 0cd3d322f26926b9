"""Errors of the study: one line that names the file's line, the option or the parameter, and the remedy."""

from bot.errors import UserError


class StudyError(UserError):
    """An option or a parameter of the study cannot be used."""


class BadParameterError(StudyError):
    """A parameter has a value that it cannot have; `name` is the parameter's."""

    def __init__(self, name: str, problem: str, remedy: str) -> None:
        super().__init__(f"{name} {problem}; {remedy}")
        self.name, self.problem, self.remedy = name, problem, remedy


class PriceError(StudyError):
    """A file of prices or funding rates cannot be used."""

    def __init__(self, file: str, place: str, problem: str, remedy: str) -> None:
        where = f"{file} {place}".rstrip()
        super().__init__(f"{where}: {problem}; {remedy}")
        self.place, self.problem, self.remedy = place, problem, remedy
