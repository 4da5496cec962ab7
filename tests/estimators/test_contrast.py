"""Tests of the contrast between a group and all others."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modemap.estimators.contrast import cliffs_delta

SAMPLES = st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 2)), min_size=1, max_size=30)


@given(SAMPLES)
def test_counts_pairs(samples):
    """It is the share of won pairs minus that of lost ones, NaN where there are no pairs."""
    values, groups = (np.array(side) for side in zip(*samples, strict=True))

    found = cliffs_delta(values.astype(float), groups, 3)

    for group in range(3):
        own, others = values[groups == group], values[groups != group]
        if len(own) and len(others):
            expected = np.sign(own[:, None] - others).mean()
            np.testing.assert_allclose(found[group], expected, atol=1e-12)
        else:
            assert np.isnan(found[group])
