"""MariaDB with failover: the example does what its page says."""

import pytest
from walks import walk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(360)]


def test_no_acknowledged_write_is_lost() -> None:
    assert "acknowledged writes are on all three servers" in walk("mariadb")
