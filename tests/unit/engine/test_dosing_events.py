import numpy as np
import pytest

from seedbed import engine
from seedbed.engine import dosing_events
from seedbed.errors import UnsupportedModelError

DOSED = """model m; A' = -k*A; A = 0; k = 0.5; D = 3;
  at (time >= 1): A = A + 2*D;
  at (time >= 2.5): A = 1 + A;
end"""


def test_doses_are_taken_out_and_written_back():
    network = engine.read_model(DOSED)
    bare, given = dosing_events.split(network)
    assert given == [(1.0, "A", "2 * D"), (2.5, "A", "1")]
    assert bare.model.getNumEvents() == 0
    sbml, amounts = dosing_events.join(bare.sbml, [(when, state) for when, state, _ in given])
    program = engine.compile_model(engine.read_model(sbml), varied=amounts, observables=("A",))
    found = program.start({amounts[0]: [6.0], amounts[1]: [1.0]}).advance(times=[0.0, 2.0, 4.0])
    expected = engine.compile_model(network, observables=("A",)).start().advance(times=[0.0, 2.0, 4.0])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("event", ["at (A < 0.5): A = A + 1", "at (time >= 1): A = 2*A", "at (time >= k): A = A + 1"])
def test_an_event_that_is_no_dose_is_refused(event):
    text = f"model m; A' = -A; A = 1; k = 1; {event}; end"
    with pytest.raises(UnsupportedModelError, match="only an amount added at a fixed time"):
        dosing_events.split(engine.read_model(text))
