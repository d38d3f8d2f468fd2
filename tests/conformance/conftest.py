"""Shows the values of a failed assertion of a suite: pytest has to know before the suite is first imported."""

import pytest

pytest.register_assert_rewrite("planner.sdk.conformance", "planner.state.conformance")
