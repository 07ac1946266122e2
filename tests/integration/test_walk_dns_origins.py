"""The example that keeps the records of a DNS provider."""

import pytest
from walks import walk


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_walk_of_dns_origins() -> None:
    said = walk("dns-origins")
    assert "failed: 0" in said
