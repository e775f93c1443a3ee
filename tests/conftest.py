"""What every test shares: hypothesis profiles, and a guard that no test leaves a global setting changed.

Profiles, chosen by the environment variable HYPOTHESIS_PROFILE: `dev` (the default, few examples) and `ci` (many, the
same at each run). Neither has a deadline: a slow machine is not a bug.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from tinygrad_fr import printing
from tinygrad_fr.node import mode, switch
from tinygrad_fr.values import get_default_dtype, set_default_dtype

settings.register_profile("dev", max_examples=20, deadline=None)
settings.register_profile(
    "ci",
    max_examples=200,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def _settings() -> dict[str, Any]:
    return {
        "grad mode": mode.state,
        "default dtype": get_default_dtype(),
        "print options": vars(printing)["_options"],
        "numpy error state": np.geterr(),
        "numpy print options": np.get_printoptions(),
    }


@pytest.fixture(autouse=True)
def nothing_left_changed() -> Iterator[None]:
    """Fail a test that leaves a setting changed, and put it back so that the next test does not pay for it."""
    before = _settings()
    yield
    after = _settings()
    changed = [name for name in before if before[name] != after[name]]
    if changed:
        switch(before["grad mode"])
        set_default_dtype(before["default dtype"])
        vars(printing)["_options"] = before["print options"]
        np.seterr(**before["numpy error state"])
        np.set_printoptions(**{k: v for k, v in before["numpy print options"].items() if k != "override_repr"})
    assert not changed, f"the test left changed: {', '.join(changed)}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[pytest.TestReport]:
    """Fixtures can ask, when a test has ended, whether it passed: `request.node.passed`."""
    report = yield
    item.passed = report.passed
    return report
