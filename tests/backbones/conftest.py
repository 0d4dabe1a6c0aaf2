import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def graphs_of_this_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep graphs out of the user's cache where no other fixture has seen to it; they are built once a session."""
    with pytest.MonkeyPatch.context() as patch:
        if "SHELFWISE_CACHE" not in os.environ:
            patch.setenv("SHELFWISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
