"""Run a command and turn its end into an exit code."""

from __future__ import annotations

import io
import os
import sys
import traceback

from cyclopts import CycloptsError

from shelfwise.cli.commands import app
from shelfwise.cli.foreign import visible
from shelfwise.errors import DiskFullError, ShelfwiseError

DONE, FINDINGS, USER_ERROR, BUG, DISK_FULL = 0, 1, 2, 70, 74


def main(arguments: list[str] | None = None) -> None:
    """Run `shelfwise` and exit: 0 done, 1 findings over the asked threshold, 2 the user can fix it, 70 a bug, 74 disk full."""
    sys.exit(carry_out(sys.argv[1:] if arguments is None else arguments))


def carry_out(arguments: list[str]) -> int:
    """Run a command and return its exit code; an error is printed to standard error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show ends no run
    try:
        code = int(app(arguments, exit_on_error=False, print_error=False, result_action="return_value") or DONE)
        sys.stdout.flush()  # a full disk or a closed pipe shows here, not when the interpreter ends
        return code
    except CycloptsError as error:
        print("\n".join(map(visible, f"error: {error}".split("\n"))), file=sys.stderr)
        return USER_ERROR
    except ShelfwiseError as error:
        print(f"error: {visible(str(error))}", file=sys.stderr)
        return DISK_FULL if isinstance(error, DiskFullError) else USER_ERROR
    except KeyboardInterrupt:
        print("stopped: the same command goes on where it was", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _drop_output()
        return DONE
    except OSError as error:
        said = (
            f"{error.strerror}: {error.filename}" if error.filename else error.strerror or str(error).partition("\n")[0]
        )
        print(f"error: {visible(said)}", file=sys.stderr)
        _drop_output()
        return USER_ERROR
    except Exception:
        traceback.print_exc()
        print("this is a bug in shelfwise; please report it with the lines above", file=sys.stderr)
        return BUG


def _drop_output() -> None:
    """Send what could not be written nowhere, or the interpreter tries again at its end and complains."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
