"""nginx with dynamic upstreams: examples/nginx-upstreams, as the README's first command runs it."""

import re

import pytest
from walks import EXAMPLES, walk

# What the README shows is what is expected.
SHOWN = re.findall(r"^```\n(starting .*?)^```$", (EXAMPLES.parent / "README.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_nothing_is_lost_while_instances_come_and_go_and_are_killed() -> None:
    assert [walk("nginx-upstreams", "--port", "0")] == SHOWN
