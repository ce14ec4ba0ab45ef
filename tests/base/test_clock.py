"""Times as text: fixed width in every century, so that text order is time order."""

from __future__ import annotations

import pytest

from agentdog.base.clock import parse_rfc3339, rfc3339


@pytest.mark.parametrize("year", [1, 68, 308, 1969, 1970, 2026, 9999])
def test_a_time_is_read_back_as_it_was_written(year: int) -> None:
    text = f"{year:04}-11-07T06:54:01.000000001Z"
    assert rfc3339(parse_rfc3339(text)) == text
