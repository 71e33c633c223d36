import numpy as np
import pandas as pd
import pytest

from seedbed import protocol

NAN = np.nan


@pytest.fixture
def arm(good, write):
    return protocol.read(write(good)).arms["asct_cart"]


def _table(**columns):
    n = len(next(iter(columns.values())))
    given = {
        "planned_stem_cell_day": [40.0] * n,
        "stem_cell_day": [40.0] * n,
        "planned_cart_day": [42.0] * n,
        "cart_day": [42.0] * n,
        "conditioned": [True] * n,
        "leaves_day": [NAN] * n,
        "weight_kg": [70.0] * n,
        "bsa_m2": [1.8] * n,
        "cd34_per_kg": [5.0] * n,
    }
    return pd.DataFrame(given | columns)


def _of(doses, target):
    return [dose for dose in doses if dose.target == target]


def test_drugs_and_cells_fall_on_days_from_enrollment(arm):
    table = _table(cart_day=[42.0])
    doses = protocol.doses(arm, table, pd.DataFrame({"subject": [0]}))
    assert [dose.time.item() for dose in _of(doses, "cns_alkylator_drug")] == [34.0]
    antimetabolite = _of(doses, "antimetabolite_drug")
    assert sorted(dose.time.item() for dose in antimetabolite) == [35.0, 35.0, 36.0, 36.0, 37.0, 37.0, 38.0, 38.0]
    assert sum(dose.amount.item() for dose in antimetabolite) == pytest.approx(1.0, abs=1e-3)
    (melphalan,) = _of(doses, "alkylator_drug")
    assert melphalan.time.item() == 39.0
    assert melphalan.amount.item() == pytest.approx(0.7)
    (cells,) = _of(doses, "cart_infused_blood")
    assert cells.time.item() == 42.0
    assert cells.amount.item() == pytest.approx(0.14)
    assert [dose.time.item() for dose in _of(doses, "filgrastim_depot")] == [45.0, 46.0, 47.0]
    assert _of(doses, "filgrastim_depot")[0].amount.item() == pytest.approx(350.0)


def test_the_graft_brings_stem_cells_and_lymphocytes(arm):
    doses = protocol.doses(arm, _table(cart_day=[42.0]), pd.DataFrame({"subject": [0]}))
    lymphocytes = sum(
        dose.amount.item() for dose in doses if dose.target in ("t_memory", "t_naive", "nk_cells", "t_regulatory")
    )
    assert lymphocytes == pytest.approx(0.25 * 70)
    (graft,) = _of(doses, "graft_cd34")
    assert graft.amount.item() == pytest.approx(5.0)


def test_who_is_not_infused_gets_no_cells_but_the_graft(arm):
    doses = protocol.doses(arm, _table(cart_day=[NAN, 42.0]), pd.DataFrame({"subject": [0, 1]}))
    (cells,) = _of(doses, "cart_infused_blood")
    np.testing.assert_array_equal(cells.time, [NAN, 42.0])
    np.testing.assert_array_equal(_of(doses, "alkylator_drug")[0].time, [39.0, 39.0])


def test_who_left_before_treatment_gets_nothing(arm):
    table = _table(stem_cell_day=[NAN], cart_day=[NAN], conditioned=[False], leaves_day=[20.0])
    doses = protocol.doses(arm, table, pd.DataFrame({"subject": [0]}))
    assert all(np.isnan(dose.time).all() for dose in doses)


def test_bridging_stops_when_the_patient_leaves(good, write):
    text = good.replace(
        "arms:\n",
        "  bridging: {kind: bridging, clock: enrollment, start_day: 6, regimen: steroid_bridging}\narms:\n",
    ).replace("elements: [", "elements: [bridging, ")
    arm = protocol.read(write(text)).arms["asct_cart"]
    table = _table(leaves_day=[8.0, NAN])
    times = [dose.time for dose in _of(protocol.doses(arm, table, pd.DataFrame({"subject": [0, 1]})), "dexamethasone")]
    np.testing.assert_array_equal(times, [[6, 6], [7, 7], [NAN, 8], [NAN, 9]])


def test_a_split_dose_keeps_its_sum_and_a_repeated_one_doubles(good, write):
    for infusions, amounts, days in (
        ("[{day: 0, share: 0.1}, {day: 1, share: 0.9}]", [0.014, 0.126], [42, 43]),
        ("[{day: 0, share: 1}, {day: 19, share: 1}]", [0.14, 0.14], [42, 61]),
    ):
        arm = protocol.read(write(good.replace("day: 2}", f"day: 2, infusions: {infusions}}}"))).arms["asct_cart"]
        doses = _of(protocol.doses(arm, _table(cart_day=[42.0]), pd.DataFrame({"subject": [0]})), "cart_infused_blood")
        np.testing.assert_allclose([dose.amount.item() for dose in doses], amounts)
        assert [dose.time.item() for dose in doses] == days


def test_a_second_product_follows_at_its_distance(good, write):
    text = (
        good.replace(
            "  growth_factor:\n",
            "  second: {kind: cart, product: cd22_4_1bb, dose: 1.0e+6, unit: cell/kg, clock: stem_cells, day: 9}\n"
            "  third: {kind: cart, product: cd19_4_1bb, dose: 1.0e+6, unit: cell/kg, clock: cart, day: 30}\n"
            "  growth_factor:\n",
            1,
        )
        .replace("cart, growth_factor]", "cart, second, third, growth_factor]")
        .replace("cd19_cd28", "cd19_4_1bb")
    )
    arm = protocol.read(write(text)).arms["asct_cart"]
    doses = _of(protocol.doses(arm, _table(cart_day=[42.0]), pd.DataFrame({"subject": [0]})), "cart_infused_blood")
    assert [dose.time.item() for dose in doses] == [42.0, 49.0, 72.0]


def test_cycles_leave_days_out():
    doses = protocol.read("myeloma_cd19_bcma_consolidation").elements["maintenance"].drugs[0]
    days = doses.dose_days()
    assert days[0] == 100
    assert 120 in days
    assert 121 not in days
    assert 128 in days


def test_the_timeline_stands_on_both_clocks(arm):
    rows = protocol.timeline(arm)
    assert rows["day_stem_cells"].is_monotonic_increasing
    np.testing.assert_array_equal(rows["day_stem_cells"] - rows["day_cart"], np.full(len(rows), 2.0))
    first, cells = rows.iloc[0], rows[rows["kind"] == "cart"].iloc[0]
    assert (first["item"], first["dose"], first["unit"], first["day_stem_cells"]) == ("carmustine", 300, "mg/m2", -6)
    assert (cells["day_stem_cells"], cells["day_cart"], cells["unit"]) == (2, 0, "cell/kg")


def test_the_timeline_of_an_arm_without_cells_is_empty():
    arm = protocol.square(protocol.read("wei_2022_tp53")).arms["neither"]
    assert protocol.timeline(arm).empty
