"""Fixtures of the stores that have a server, for the modules that name this one in `pytest_plugins`.

Not in `conftest.py`: the clients of all three would be imported for every test.
"""

from collections.abc import Iterator

import pytest
from server_stores import STORES, Store

from corepilot.discovery.backend import Backend


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Store:
    """Each store, one after the other."""
    return STORES[request.param](request.getfixturevalue(request.param))


@pytest.fixture
def writer(store: Store) -> Iterator[Backend]:
    """A client of ours for it."""
    backend = store.client()
    yield backend
    backend.close()
