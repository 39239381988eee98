"""The command ``counterpatch``: the same command line as the program's, run by this interpreter."""

import signal
import sys

from . import _native


def main() -> None:
    """Runs the command line of this process and ends it with its exit status."""
    # The interpreter would only note an interrupt, and tell nobody before the command is over.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    itself = [sys.executable, "-m", "counterpatch"]
    sys.exit(_native.command_line(itself, sys.argv[1:]))


if __name__ == "__main__":
    main()
