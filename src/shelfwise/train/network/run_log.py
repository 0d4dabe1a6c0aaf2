"""What a run writes beside its bundle while it goes: a row an epoch, as CSV or for TensorBoard."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from shelfwise.files import write_bytes

Row = Mapping[str, float]

_COLUMNS = ("epoch", "loss", "held_loss", "held_accuracy", "rate", "side_px", "seconds")
_SCALARS = {
    "loss/learned from": "loss", "loss/held out": "held_loss", "accuracy/held out": "held_accuracy",
    "learning rate": "rate", "side in pixels": "side_px",
}  # fmt: skip


class RunLog(Protocol):
    """Where the epochs of a run are written."""

    path: Path | None

    def begin(self, rows: Sequence[Row]) -> None:
        """Start behind the epochs that a stopped run has done; what was written of later ones goes."""
        ...

    def add(self, row: Row) -> None:
        """Write an epoch, for others to read at once."""
        ...

    def close(self) -> None:
        """Write no more."""
        ...


def open_log(kind: str, name: Path) -> RunLog:
    """Open the log of a run; kind: csv, tensorboard or none; name: what its name begins with."""
    if kind == "none":
        return _NoLog()
    if kind == "csv":
        return _Csv(name.with_name(f"{name.name}.training-log.csv"))
    return _TensorBoard(name.with_name(f"{name.name}.tensorboard"))


class _NoLog:
    path: Path | None = None

    def begin(self, rows: Sequence[Row]) -> None:
        pass

    def add(self, row: Row) -> None:
        pass

    def close(self) -> None:
        pass


class _Csv:
    """A CSV file that grows by a line an epoch."""

    def __init__(self, path: Path) -> None:
        self.path: Path | None = path
        self._file = path

    def begin(self, rows: Sequence[Row]) -> None:
        lines = [_COLUMNS, *([row[name] for name in _COLUMNS] for row in rows)]
        write_bytes(self._file, _as_csv(lines))

    def add(self, row: Row) -> None:
        with self._file.open("ab") as file:
            file.write(_as_csv([[row[name] for name in _COLUMNS]]))

    def close(self) -> None:
        pass


class _TensorBoard:
    """Event files in a folder, which  tensorboard --logdir FOLDER  draws."""

    def __init__(self, path: Path) -> None:
        self.path: Path | None = path
        self._folder, self._writer = path, None

    def begin(self, rows: Sequence[Row]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self._folder), purge_step=len(rows) + 1)

    def add(self, row: Row) -> None:
        writer: Any = self._writer
        for name, key in _SCALARS.items():
            writer.add_scalar(name, row[key], int(row["epoch"]))
        writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _as_csv(lines: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().encode()
