"""Every protocol of the library is run with 200 virtual patients, and its square where it has one; minutes each."""

import pytest

import seedbed
from seedbed import library, protocol
from seedbed.trial import enrollment

pytestmark = pytest.mark.slow
NAMES = library.names("protocols")
SUBJECTS = 200


@pytest.mark.parametrize("name", NAMES)
def test_hardly_anybody_fails(name, tmp_path):
    trial = seedbed.run(name, subjects=SUBJECTS, out=tmp_path / "run")
    assert trial.manifest.n_done + trial.manifest.n_failed == SUBJECTS * len(trial.arms)
    assert trial.manifest.n_failed < 0.01 * SUBJECTS * len(trial.arms)


@pytest.mark.parametrize("name", NAMES)
def test_hardly_anybody_fails_in_the_square(name, tmp_path):
    trial, _ = enrollment.read(name)
    if not any(arm.therapy == "asct_cart" for arm in trial.arms.values()):
        pytest.skip("no arm gives stem cells and CAR-T cells")
    square = seedbed.run(name, subjects=SUBJECTS, square=True, out=tmp_path / "run")
    assert {arm.therapy for arm in protocol.square(trial).arms.values()} == {"asct_cart", "asct", "cart", "neither"}
    assert len(square.arms) >= 4
    assert square.manifest.n_failed < 0.01 * SUBJECTS * len(square.arms)
