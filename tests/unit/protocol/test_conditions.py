import numpy as np
import pandas as pd
import pytest

from seedbed.protocol import Condition

PATIENTS = pd.DataFrame(
    {"age": [17.0, 18.0, 70.0], "status": ["CR", "PR", "PD"], "tp53_altered": np.array([True, False, True])}
)


@pytest.mark.parametrize(
    ("condition", "expected", "words"),
    [
        ({"covariate": "age", "at_least": 18}, [False, True, True], "age >= 18"),
        ({"covariate": "age", "above": 18, "at_most": 70}, [False, False, True], "age <= 70 and > 18"),
        ({"covariate": "age", "below": 18}, [True, False, False], "age < 18"),
        ({"covariate": "status", "is": "CR"}, [True, False, False], "status = CR"),
        ({"covariate": "status", "one_of": ["CR", "PR"]}, [True, True, False], "status in CR, PR"),
        ({"covariate": "tp53_altered", "is": True}, [True, False, True], "tp53_altered = yes"),
    ],
)
def test_a_condition_holds_and_says_itself(condition, expected, words):
    content = Condition.model_validate(condition)
    assert content.holds(PATIENTS).tolist() == expected
    assert str(content) == words
