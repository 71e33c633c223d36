import pytest

from seedbed import protocol


def test_the_missing_corners_are_derived(good, write):
    trial = protocol.square(protocol.read(write(good)))
    assert {name: arm.therapy for name, arm in trial.arms.items()} == {
        "asct_cart": "asct_cart",
        "asct": "asct",
        "cart": "cart",
        "neither": "neither",
    }
    assert trial.arms["asct"].content.elements == ("conditioning", "stem_cells", "growth_factor")
    assert trial.arms["neither"].content.elements == ()
    assert trial.arms["cart"].title.zh == "单纯 CAR-T"
    assert all(arm.care == ("standard",) for arm in trial.arms.values())


def test_car_t_alone_follows_the_named_lymphodepletion_on_its_own_clock(good, write):
    cart = protocol.square(protocol.read(write(good))).arms["cart"]
    assert cart.day_zero == "cart"
    assert cart.first_drug_day("cart") == -5
    (cells,) = cart.cart_elements
    assert (cells.clock, cells.day, cells.dose) == ("cart", 0, 2e6)


def test_corners_that_exist_stay():
    trial = protocol.read("wei_2022_tp53")
    both = protocol.square(trial)
    assert list(both.arms) == ["asct_cart", "cart", "asct", "neither"]
    assert both.arms["cart"].content == trial.arms["cart"].content
    assert both.arms["asct"].selection == trial.arms["asct_cart"].selection
    assert both.arms["asct"].content.derived_from == "asct_cart"


def test_a_protocol_without_a_combined_arm_stays_as_it_is():
    trial = protocol.read("large_b_cell_lymphoma_asct_or_cart")
    assert protocol.square(trial) is trial


@pytest.mark.parametrize("name", ["myeloma_cd19_bcma_consolidation", "split_dose_lbcl", "asct_cart_anti_pd1_lbcl"])
def test_drugs_follow_the_clock_that_still_runs(name):
    trial = protocol.square(protocol.read(name))
    for arm in trial.arms.values():
        clocks = {element.clock for element in arm.elements.values()}
        assert "stem_cells" not in clocks or arm.has_graft
        assert "cart" not in clocks or arm.has_cart


def test_another_combined_arm_can_be_the_center():
    trial = protocol.square(protocol.read("infusion_day_lbcl"), of="day_14")
    assert trial.arms["cart"].content.derived_from == "day_14"
