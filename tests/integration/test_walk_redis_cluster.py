"""The example of a store that clusters itself: Redis Cluster."""

import pytest
from walks import walk


@pytest.mark.slow
@pytest.mark.timeout(330)
def test_no_promised_key_is_lost_while_nodes_join_and_are_killed() -> None:
    assert "promised keys are there" in walk("redis-cluster")
