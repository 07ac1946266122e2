"""nginx with dynamic upstreams: examples/nginx-upstreams."""

import pytest
from walks import walk


@pytest.mark.slow
def test_nothing_is_lost_while_instances_come_and_go_and_are_killed() -> None:
    assert walk("nginx-upstreams", "--port", "0").count("not one request has failed") == 2
