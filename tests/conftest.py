"""What tests of several folders share: a cache of their own, the Grocery photos, and a drawn shop at every stage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from drawn_shop import GROCERY, draw_shop
from shelfwise.embed import embed
from shelfwise.engines.decoders import Decoders
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import EmbedOptions
from shelfwise.train import train
from shelfwise.train.golden import golden_pictures

# A property that holds is no slower for a busy machine.
settings.register_profile("shelfwise", deadline=None)
settings.load_profile("shelfwise")
SMALL = EmbedOptions(backbone="lite0@96", precision="fp32")


@pytest.fixture(scope="session", autouse=True)
def cache_of_this_session() -> Iterator[Path]:
    """Build graphs in a folder of this session, never in the user's cache."""
    with tempfile.TemporaryDirectory(prefix="shelfwise-cache-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHELFWISE_CACHE", folder)
        yield Path(folder)


@pytest.fixture(scope="session", autouse=True)
def golden_pictures_of_this_session() -> Iterator[None]:
    """Draw the golden pictures once a session: they are the same in every bundle, and take seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shelfwise.train.run.golden_pictures", cache(golden_pictures))
        yield


@pytest.fixture(scope="session", autouse=True)
def decoders_of_this_session() -> Iterator[None]:
    """Keep the decoding processes alive between imports: starting them anew takes longer than a test's photos."""
    with Decoders() as decoders, pytest.MonkeyPatch.context() as patch:
        for verb in ("writer", "quarantine"):
            patch.setattr(f"shelfwise.ingest.{verb}.Decoders", lambda: nullcontext(decoders))
        yield


@pytest.fixture(scope="session")
def grocery() -> Path:
    """The Grocery Store Dataset, where it is."""
    if not (GROCERY / "dataset").is_dir():
        pytest.skip(
            f"the Grocery Store Dataset is not at {GROCERY}: set SHELFWISE_DATA to the folder that holds `grocery`"
        )
    return GROCERY


@pytest.fixture(scope="session")
def drawn_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_shop(tmp_path_factory.mktemp("drawn") / "photos")


@pytest.fixture(scope="session")
def drawn_catalog(drawn_folder: Path) -> Path:
    """The drawn photos ingested, without vectors; tests copy it before they change it."""
    catalog = drawn_folder.parent / "bare.catalog"
    ingest(FolderSource(drawn_folder), catalog)
    return catalog


@pytest.fixture(scope="session")
def embedded_catalog(drawn_folder: Path) -> Path:
    catalog = drawn_folder.parent / "shop.catalog"
    ingest(FolderSource(drawn_folder), catalog)
    embed(catalog, SMALL)
    return catalog


@pytest.fixture(scope="session")
def drawn_bundle(embedded_catalog: Path) -> Path:
    bundle = embedded_catalog.with_name("shop.bundle")
    train(embedded_catalog, bundle)
    return bundle
