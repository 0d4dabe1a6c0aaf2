"""Errors.

ShelfwiseError
├── OptionError (ValueError)       an option or argument that cannot be used
├── MissingExtraError (ImportError) a package of an extra is not installed
├── SourceError (ValueError)       foreign data that cannot be read as what it claims to be
├── TaxonomyError (ValueError)     a tree that is not a tree, or a category that it does not hold
├── CatalogError (ValueError)      a catalog that is missing, damaged, or lacks what is asked for
│   └── CatalogBusyError           another process is changing it
├── DiskFullError (OSError)        no room left where something is to be written
├── BackboneError (RuntimeError)   a backbone whose weights or graph are not what its card says
├── BundleError (ValueError)       a bundle that is damaged, tampered with, or of another version
├── LossError (ArithmeticError)    a network whose loss or weights are no finite numbers any more
├── RecipeError (RuntimeError)     a step of a recipe that failed, or a figure that it did not give
├── LabelMismatchError (ValueError) categories of data and bundle differ
└── ImageError (ValueError)        a picture that cannot be used: a row with a status, not the end of a run
"""

from __future__ import annotations


class ShelfwiseError(Exception):
    """Base of every error that the user can fix; its message says what, where, and what to do."""


class OptionError(ShelfwiseError, ValueError):
    """An option or argument that cannot be used."""


class MissingExtraError(ShelfwiseError, ImportError):
    """A package of an optional extra is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"this needs {package}: type  pip install 'shelfwise[{extra}]'")


class SourceError(ShelfwiseError, ValueError):
    """Foreign data that cannot be read as what it claims to be."""


class TaxonomyError(ShelfwiseError, ValueError):
    """A tree that is not a tree, or a category that it does not hold."""


class CatalogError(ShelfwiseError, ValueError):
    """A catalog that is missing, damaged, or lacks what is asked for."""


class CatalogBusyError(CatalogError):
    """Another process is changing the catalog."""


class DiskFullError(ShelfwiseError, OSError):
    """No room left where something is to be written."""


class BackboneError(ShelfwiseError, RuntimeError):
    """A backbone whose weights or graph are not what its card says."""


class BundleError(ShelfwiseError, ValueError):
    """A bundle that is damaged, tampered with, or of another version."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"bundle_invalid: {file}: {reason}")


class LossError(ShelfwiseError, ArithmeticError):
    """A network whose loss or weights are no finite numbers any more."""


class RecipeError(ShelfwiseError, RuntimeError):
    """A step of a recipe that failed, or a figure that it did not give."""


class LabelMismatchError(ShelfwiseError, ValueError):
    """The categories of the data and of the bundle differ."""


class ImageError(ShelfwiseError, ValueError):
    """A picture that cannot be used.

    `code` is one of the reasons of docs/reliability.md (`img_truncated`, `img_format`, ...), `detail` plain words.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail
