"""The table of settings for the documents: `python -m bot.settings.table` prints it as Markdown."""

import sys
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bot.settings.names import ANY, KNOWN, variable

START = "<!-- settings: made by `python -m bot.settings.table`, tested for drift -->"
END = "<!-- settings end -->"


def settings_table() -> str:
    """One row for each setting: its variable, default, meaning and safe range."""
    rows = ["| setting | default | meaning | safe range |", "|---|---|---|---|"]
    for path, setting in KNOWN.items():
        words: Any = setting.json_schema_extra
        name = variable(path).replace(ANY, "<NAME>")
        rows.append(f"| `{name}` | {_default(setting)} | {setting.description} | {words['safe']} |")
    return "\n".join(rows)


def block() -> str:
    """The table between the marks by which a document is held to it."""
    return f"{START}\n\n{settings_table()}\n\n{END}"


def _default(setting: FieldInfo) -> str:
    words: Any = setting.json_schema_extra
    if words["shown"]:
        return str(words["shown"])
    match setting.default:
        case value if value is PydanticUndefined:
            text = "must be set"
        case None:
            text = "not set"
        case ():
            text = "not set"
        case tuple() as pair:
            text = f"`[{', '.join(f'{part:f}' for part in pair)}]`"
        case bool() as value:
            text = f"`{str(value).lower()}`"
        case float() as value:
            text = f"`{value:g}`"
        case value:
            text = f"`{value}`"
    return text


if __name__ == "__main__":
    sys.stdout.write(block() + "\n")
