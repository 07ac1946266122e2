"""The example of masters and agents: a ZooKeeper ensemble, and Dask's scheduler with a standby."""

import pytest
from walks import walk


@pytest.mark.slow
@pytest.mark.timeout(330)
def test_the_walk_of_zookeeper_dask() -> None:
    said = walk("zookeeper-dask")
    assert "all 160 results are there and right" in said
