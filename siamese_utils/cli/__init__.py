"""The command line, `siamese`."""

import sys


def main() -> None:
    """Run the command line: Ctrl-C is no traceback, not even before a command has begun, see `boundary`."""
    try:
        from .app import main as command

        command()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)


__all__ = ["main"]
