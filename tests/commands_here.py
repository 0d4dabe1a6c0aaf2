"""Run commands in this process, as people type them."""

from __future__ import annotations

import pytest

from shelfwise.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run a command in this process: exit code, standard output, standard error."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return int(end.value.code or 0), printed.out, printed.err


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must fail by the user's fault: exit code 2, one line, no traceback."""
    code, out, err = run(capsys, *arguments)
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert (code, out, len(lines)) == (2, "", 1), err
    assert "Traceback" not in err
    assert err.splitlines()[-1] == lines[0]
    return lines[0]
