import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from appliance.score.grammar import RULES, SOUNDS, expand


@given(st.integers(0, 2**32))
def test_a_pattern_is_one_the_rules_allow(seed):
    pattern = expand(np.random.default_rng(seed))
    assert set(pattern) <= set(SOUNDS)
    allowed = []
    for start in RULES["S"]:
        for x in RULES["X"]:
            for y in RULES["Y"]:
                for z in RULES["Z"]:
                    allowed.append(start.replace("X", x).replace("Y", y).replace("Z", z))
    assert pattern in allowed


def test_there_are_sixteen_rules_and_all_are_used():
    assert sum(len(options) for options in RULES.values()) == 16
    patterns = {expand(np.random.default_rng(seed)) for seed in range(2000)}
    # 10 beginnings times 2 x 2 x 2 alternatives, less those where X does not occur.
    assert len(patterns) == sum(2 ** len(set(start)) for start in RULES["S"])


def test_the_same_seed_gives_the_same_pattern():
    assert expand(np.random.default_rng(5)) == expand(np.random.default_rng(5))
    assert re.fullmatch("[A-E]+", expand(np.random.default_rng(5)))
