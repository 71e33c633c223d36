import numpy as np
import pytest

from seedbed import engine
from seedbed.cli.simulate import model_source
from seedbed.cli.verify import doses_until
from seedbed.study.verification import Verification, implied_balances

CHAIN = "model chain; A -> B; k*A; B -> A; r*B; A = 1; B = 0; k = 1; r = 0.3; end"


def by_name(findings):
    return {f.check.split(":")[0]: f for f in findings}


@pytest.fixture(scope="module")
def chain():
    return Verification(engine.read_model(CHAIN), until=5.0)


def test_a_sound_model_passes_every_check(chain):
    findings = by_name(chain.findings())
    assert all(f.passed is not False for f in findings.values())
    assert findings["conserved"].passed is True
    assert findings["agreement with libRoadRunner"].passed is True


def test_the_implied_balance_is_the_sum_of_the_chain(chain):
    assert len(chain.balances) == 1
    assert set(chain.balances[0].replace("*default_compartment", "").split(" + ")) == {"A", "B"}


def test_a_false_balance_fails():
    verification = Verification(engine.read_model(CHAIN), until=5.0, balances=("A + 2*B",))
    failed = [f.check for f in verification.findings() if f.passed is False]
    assert failed == ["conserved: A + 2*B"]


def test_a_model_that_explodes_fails_with_the_time():
    verification = Verification(engine.read_model("model m; x' = x*x; x = 1; end"), until=3.0)
    (finding,) = verification.findings()
    assert finding.passed is False
    assert "stopped at 1" in finding.value or "stopped at 0.99" in finding.value


def test_scipy_stands_in_for_libroadrunner(chain, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    finding = chain.other_solver()
    assert finding.check == "agreement with SciPy Radau"
    assert finding.passed is True


def test_open_models_imply_no_balance():
    network = engine.read_model("model m; -> A; k; A -> ; A; A = 1; k = 1; end")
    assert implied_balances(network, ("A",)) == ()


def test_a_wrong_course_is_seen(chain):
    wrong = chain.reference.states * (1 + 1e-3)
    assert chain.error(wrong, chain.reference.states) == pytest.approx(1e-3, rel=1e-2)
    assert chain.error(np.full_like(wrong, np.nan), chain.reference.states) == np.inf


def test_doses_are_given_to_both_solvers_and_break_no_balance():
    doses = [(1.0, "A", 2.0), (2.53, "B", 4.0)]
    verification = Verification(engine.read_model(CHAIN), until=5.0, doses=doses)
    assert verification.reference.states[-1].sum() == pytest.approx(7.0, rel=1e-9)
    findings = by_name(verification.findings())
    assert findings["agreement with libRoadRunner"].passed is True
    assert findings["conserved"].passed is True
    failed = Verification(engine.read_model(CHAIN), 5.0, balances=("A + 2*B",), doses=doses).balance_findings()
    assert [finding.passed for finding in failed] == [False, True]


def test_a_drug_gone_before_the_next_time_looked_at_is_measured_by_its_peak():
    fast = engine.read_model("model m; D' = -100*D; A' = -0.1*A; D = 0; A = 1; end")
    verification = Verification(fast, until=10.0, points=6, doses=[(1.0, "D", 5.0)])
    assert verification.floors[verification.program.states.index("D")] == pytest.approx(5e-6, rel=0.01)
    assert all(finding.passed is not False for finding in verification.findings())


@pytest.mark.parametrize("until", [30.0, 100.0])
def test_the_model_of_the_trials_passes_with_the_doses_of_its_benchmark(until):
    network = engine.read_model(model_source("asct_cart"))
    findings = Verification(network, until, doses=doses_until("asct_cart", until)).findings()
    assert [f"{f.check}: {f.value}" for f in findings if f.passed is False] == []
