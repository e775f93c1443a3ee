"""The command line: `python -m tinygrad_fr demo [--epochs N] [--seed N] [--lang en|fr] [--out FOLDER]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tinygrad_fr import __version__, demo
from tinygrad_fr.language import language as language


def parser() -> argparse.ArgumentParser:
    """What may be written on the command line."""
    main = argparse.ArgumentParser(prog="python -m tinygrad_fr", description="An autograd micro-framework on NumPy.")
    main.add_argument("--version", action="version", version=f"tinygrad_fr {__version__}")
    commands = main.add_subparsers(dest="command", metavar="COMMAND")
    train = commands.add_parser(
        "demo",
        help="train a small network on handwritten digits, in a few seconds",
        description="Train a small network on the 8x8 digits of the package, and leave it in a folder with pictures.",
    )
    train.add_argument("--epochs", type=_epochs, default=demo.EPOCHS, metavar="N", help="passes over the digits (%(default)s)")
    train.add_argument("--seed", type=_seed, default=0, metavar="N", help="where the random numbers start (%(default)s)")
    train.add_argument("--lang", choices=("en", "fr"), default=language(), help="what to speak (here: %(default)s)")
    train.add_argument("--out", default=demo.FOLDER, metavar="FOLDER", help="where the results go (%(default)s)")
    return main


def _epochs(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of epochs is needed, at least 1; got {text!r}")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"a seed is a whole number from 0 to 2^32 - 1; got {text!r}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks; the exit status is 0, or 1 after a failure that was explained on standard error."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without accents shows `?`, and the demo goes on
    options = parser().parse_args(arguments)
    if options.command is None:
        parser().print_help()
        return 0
    try:
        demo.run(options.epochs, options.seed, options.lang, options.out)
    except (OSError, RuntimeError, ValueError) as error:
        print(f"tinygrad_fr: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
