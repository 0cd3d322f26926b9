"""`python3 -m bot`: set up the environment if need be, then run the command line."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python must be told so, in words it can still parse
    sys.stderr.write(
        "error: Inband needs Python 3.11 or newer, and this is " + sys.version.split()[0] + ".\n"
    )
    sys.exit(2)


def _main() -> None:
    """Replace this process by one inside the environment, or go on where that is not needed."""
    from bot import _setup

    _setup.ensure(_setup.purpose_of(sys.argv[1:]))
    if sys.argv[1:2] == ["test"]:
        # Not by way of the command line: the tests must start even where that is what is broken.
        from bot import testing_command

        testing_command.run(sys.argv[2:])
    from bot.cli import main

    main()


if __name__ == "__main__":
    _main()
