"""Agreement of groups with labels, from counts alone, is that of the rows."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from modemap.metrics import adjusted_rand, normalized_mutual_information, purity


@pytest.mark.parametrize("n_labels", [1, 2, 5])
@pytest.mark.parametrize("n_groups", [1, 3, 7])
def test_counts_say_what_rows_say(n_labels, n_groups):
    """As scikit-learn says it of labels, also where all rows are alike."""
    rng = np.random.default_rng(n_labels * 10 + n_groups)
    labels = rng.integers(0, n_labels, 500)
    groups = np.where(
        rng.uniform(size=500) < 0.5, labels % n_groups, rng.integers(0, n_groups, 500)
    )
    counts = contingency_matrix(labels, groups)

    assert adjusted_rand(counts) == pytest.approx(adjusted_rand_score(labels, groups))
    expected = normalized_mutual_info_score(labels, groups)
    assert normalized_mutual_information(counts) == pytest.approx(expected, abs=1e-12)
    assert purity(counts) == counts.max(axis=0).sum() / 500
