"""The example of Node.js behind nginx, with Redis and Sentinel."""

import pytest
from walks import walk


@pytest.mark.slow
@pytest.mark.timeout(330)
def test_no_visit_is_lost_while_the_primary_changes() -> None:
    assert "none failed and none forgotten" in walk("node-sentinel", "--port", "0")
