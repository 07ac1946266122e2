"""The example of a log pipeline whose store goes away."""

import pytest
from walks import walk


@pytest.mark.slow
@pytest.mark.timeout(330)
def test_the_walk_of_the_log_pipeline() -> None:
    said = walk("log-pipeline")
    assert said.count("each once") == 3
