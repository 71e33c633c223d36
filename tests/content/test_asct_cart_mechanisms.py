"""Evidence: published and exact. Each mechanism of asct_cart does alone what is known of it.

Ranges are those of single therapies and of physiology; no result of ASCT followed by CAR-T stands here.
"""

import numpy as np
import pytest

import asct_cart_doses as doses
from asct_cart_doses import DAY_0
from roadrunner_course import Course
from seedbed.model import read_model

REMISSION = {"tumor_burden_systemic": 1e-3}


@pytest.fixture(scope="module")
def course():
    """Return a function that simulates the typical patient."""
    simulator = Course(read_model("asct_cart").sbml, relative=1e-7, absolute=1e-11)

    def run(names, given=(), values=None, until=60.0, step=0.5):
        times = list(np.arange(0.0, until + step / 2, step))
        table = simulator.run(times, [names] if isinstance(names, str) else names, given, values)
        table.index = table.index - DAY_0
        return table[names]

    return run


def half_life(series):
    """Return the time from the largest value to half of it."""
    top = series.idxmax()
    return series[top:][series[top:] <= series.max() / 2].index[0] - top


def days_below(series, limit):
    return 0.5 * int((series < limit).sum())


def recovery(series, limit):
    """Return the first day after the nadir at or above a limit."""
    after = series[series.idxmin() :]
    return after[after >= limit].index[0]


@pytest.mark.parametrize(
    ("drug", "hours"),
    [("alkylator_drug", 1.5), ("cns_alkylator_drug", 22 / 60), ("thiotepa_drug", 5.0), ("antimetabolite_drug", 9.8)],
)
def test_conditioning_drug_leaves_with_its_plasma_half_life(course, drug, hours):
    series = course(drug, [(1.0, drug, 1.0)], until=4.0, step=1 / 96)
    assert half_life(series) * 24 == pytest.approx(hours, abs=0.3)


def test_conditioning_kills_the_stated_logs_at_once(course):
    series = course("t_memory", [(1.0, "alkylator_drug", 1.0)], until=2.0, step=1 / 4)
    killed = np.log10(series.iloc[3] / series.iloc[-1])
    assert killed == pytest.approx(read_model("asct_cart").parameters["log_kill_lymphocyte_alkylator"].value, abs=0.15)


def test_conditioning_spares_cells_that_come_later(course):
    """Melphalan on day -1 is gone on day 0: a graft and CAR-T cells live as without it."""
    infused, cells = ["graft_cd34", "cart_infused_blood"], [*doses.graft(), *doses.cart()]
    after = course(infused, [*doses.melphalan(-1), *cells], until=21)
    never = course(infused, cells, until=21)
    np.testing.assert_allclose(after.loc[1.0], never.loc[1.0], rtol=1e-3)


def test_conditioning_meets_cells_infused_with_it(course):
    """Cells given two hours after melphalan still meet a third of it."""
    soon = [(DAY_0 - 1 / 12, "alkylator_drug", 1.0), *doses.cart()]
    assert (
        course("cart_infused_blood", soon, until=21).loc[0.5]
        < 0.5 * course("cart_infused_blood", doses.cart(), until=21).loc[0.5]
    )


def test_conditioning_cannot_kill_a_whole_tumor(course):
    """Cells of one tumor differ, so each further dose kills fewer logs."""
    given = [(float(day), "alkylator_drug", 1.0) for day in (2, 4, 6)]
    burden = course("tumor_systemic", given, until=8, step=1.0)
    logs = np.log10(burden.iloc[[1, 3, 5]].to_numpy() / burden.iloc[[3, 5, 7]].to_numpy())
    assert logs[0] > logs[1] > logs[2] > 0.8
    equal = course("tumor_systemic", given, {"chemosensitivity_heterogeneity": 0.0}, until=8, step=1.0)
    assert equal.iloc[-1] < burden.iloc[-1] / 10


def test_conditioning_penetrates_the_cns_by_drug(course):
    values = {"tumor_burden_cns": 1.0, "tumor_burden_systemic": 0.0}
    left = {
        drug: course("tumor_cns", [(1.0, drug, 1.0)], values, until=5).iloc[-1]
        for drug in ("alkylator_drug", "thiotepa_drug", "cns_alkylator_drug")
    }
    assert left["thiotepa_drug"] < left["alkylator_drug"] / 3
    assert left["cns_alkylator_drug"] < left["alkylator_drug"] / 3


def test_gcsf_half_life_and_neutropenic_rise(course):
    """Filgrastim leaves within hours (label: 3.5 h); endogenous G-CSF rises at least tenfold in aplasia."""
    given = course("gcsf_plasma", [(1.0, "filgrastim_depot", 300.0)], until=3.0, step=1 / 48)
    late = given[given.idxmax() + 0.5 :]
    assert 2.0 < half_life(late) * 24 < 6.0
    aplasia = course("gcsf_plasma", doses.beam(), until=26)
    assert aplasia.max() > 10 * aplasia.iloc[0]


def test_granulopoiesis_engrafts_after_asct_alone(course):
    """BEAM and filgrastim: ANC < 0.5 for 5-10 d, engraftment on day 9-12 (typical of BEAM series)."""
    anc = course("neutrophil_blood", [*doses.beam(), *doses.graft(), *doses.filgrastim()], REMISSION)
    assert anc.min() < 0.1
    assert 5 <= days_below(anc, 0.5) <= 10
    assert 9 <= recovery(anc, 0.5) <= 12


def test_granulopoiesis_does_not_mind_melphalan_on_day_minus_1(course):
    """Engraftment is about the same after melphalan on day -1 and -2 (plausibility, check 12)."""
    days = [
        recovery(course("neutrophil_blood", [*doses.melphalan(day), *doses.graft(), *doses.filgrastim()]), 0.5)
        for day in (-1, -2)
    ]
    assert abs(days[0] - days[1]) <= 1.5


def test_granulopoiesis_follows_the_graft_and_needs_it(course):
    values = REMISSION
    by_dose = [
        recovery(course("neutrophil_blood", [*doses.beam(), *doses.graft(cd34), *doses.filgrastim(5, 20)], values), 0.5)
        for cd34 in (2.0, 5.0, 10.0)
    ]
    assert by_dose[0] > by_dose[1] > by_dose[2]
    assert by_dose[0] - by_dose[2] < 5
    without = course("neutrophil_blood", [*doses.beam(), *doses.filgrastim(5, 20)], values)
    assert days_below(without, 0.5) > 14


def test_granulopoiesis_dips_with_inflammation_and_comes_back(course):
    """CAR-T alone: ANC < 0.5 for about a week, at or above it by day 28 (81 % of patients)."""
    given = [*doses.fludarabine_cyclophosphamide(), *doses.cart()]
    table = course(["neutrophil_blood", "marrow_inflammation"], given, {"chemosensitivity": 0.35}, until=90)
    assert 4 <= days_below(table["neutrophil_blood"], 0.5) <= 14
    assert table["neutrophil_blood"].loc[28.0] > 1.0
    calm = course("neutrophil_blood", given, {"chemosensitivity": 0.35, "Imax_interferon_marrow": 0.0}, until=90)
    assert table["neutrophil_blood"].loc[25.0] < 0.8 * calm.loc[25.0]
    assert table["marrow_inflammation"].idxmax() > 10
    assert table["neutrophil_blood"].iloc[-1] == pytest.approx(4.5, rel=0.1)


def test_thrombopoiesis_after_asct_alone(course):
    """BEAM: platelets < 20 and engraftment on day 10-15 without transfusion."""
    platelets = course("platelet_blood", [*doses.beam(), *doses.graft(), *doses.filgrastim()], REMISSION, until=140)
    assert platelets.min() < 20
    assert 10 <= recovery(platelets, 20.0) <= 15
    assert platelets.iloc[-1] == pytest.approx(200, rel=0.1)


def test_thrombopoiesis_few_platelets_live_shorter(course):
    """The vessels' fixed need weighs more when few are left (Hanson and Slichter 1985)."""
    stop = [(1.0, "alkylator_drug", 1.0)]
    lives = []
    for baseline in (200.0, 30.0):
        series = course("platelet_blood", stop, {"platelet_blood_baseline": baseline}, until=25)
        lives.append(series.index[(series < baseline / 4).argmax()])
    assert lives[1] < lives[0] - 2


def test_monocytes_vanish_and_return_before_neutrophils(course):
    """Monocytes recover before engraftment (k085 of the kinetic facts); suppressive cells follow them and the tumor."""
    given = [*doses.beam(), *doses.graft(), *doses.filgrastim()]
    table = course(["monocyte_pool", "neutrophil_blood", "suppressive_myeloid"], given, REMISSION, until=80)
    assert table["monocyte_pool"].min() < 0.1
    assert table["suppressive_myeloid"].min() < 0.3 * table["suppressive_myeloid"].iloc[0]
    bulky = course("suppressive_myeloid", values={"tumor_burden_systemic": 500.0}, until=1).iloc[0]
    assert bulky > 1.5 * table["suppressive_myeloid"].iloc[0]
    boosted = course("monocyte_pool", [(5.0 + 0.5 * i, "gmcsf_plasma", 800.0) for i in range(20)], until=15).max()
    assert boosted > 1.2


def test_t_cells_recover_after_asct_alone(course):
    """Lymphocytes stay below 0.5 on day 5 and reach 0.3 or more by day 30; naive cells take far longer."""
    given = [*doses.beam(), *doses.graft(), *doses.filgrastim()]
    table = course(["lymphocyte_blood", "t_memory", "t_naive", "t_regulatory"], given, REMISSION, until=200)
    assert table["lymphocyte_blood"].loc[-0.5] < 0.01
    assert table["lymphocyte_blood"].loc[5.0] < 0.25
    assert table["lymphocyte_blood"].loc[30.0] > 0.3
    assert table["t_memory"].loc[90.0] > 0.9 * table["t_memory"].iloc[0]
    assert table["t_naive"].loc[90.0] < 0.3 * table["t_naive"].iloc[0]


def test_nk_cells_return_within_a_month(course):
    """85 NK cells per uL on day 15 in the median (range 10-744, Porrata 2006)."""
    nk = course("nk_cells", [*doses.beam(), *doses.graft()], REMISSION)
    assert 10 < 2 * nk.loc[15.0] < 744
    assert nk.loc[30.0] > 0.6 * nk.iloc[0]


def test_b_cells_vanish_under_cd19_cart_and_return(course):
    """No B cells on day 30; IgG falls for months (nadir about day 180, k029)."""
    given = [*doses.fludarabine_cyclophosphamide(), *doses.cart()]
    table = course(["b_cell_blood", "igg_plasma"], given, {"chemosensitivity": 0.35}, until=420)
    assert table["b_cell_blood"].loc[30.0] < 1.0
    assert table["b_cell_blood"].loc[365.0] > 1.0
    assert 60 < table["igg_plasma"].idxmin() < 300
    assert table["igg_plasma"].min() < 0.75 * table["igg_plasma"].iloc[0]
    assert half_life(course("igg_plasma", [(1.0, "igg_plasma", 1000.0)], until=60)) == pytest.approx(21, abs=1.0)


def test_b_cells_are_spared_by_a_product_that_does_not_see_them(course):
    given = [*doses.fludarabine_cyclophosphamide(), *doses.cart()]
    values = {"weight_b_cell_target": 0.0, "weight_plasma_cell_target": 1.0}
    table = course(["b_cell_blood", "plasma_cell"], given, values, until=80)
    assert table["b_cell_blood"].loc[30.0] > 1.0
    assert table["plasma_cell"].loc[30.0] < 0.3


def test_thymus_recovers_over_months(course):
    thymus = course("thymus_function", doses.beam(), until=380)
    assert thymus.min() < 0.6 * thymus.iloc[0]
    assert thymus.loc[30.0] < 0.8 * thymus.iloc[0] < thymus.loc[360.0]


def test_lymphopoietic_cytokines_rise_when_lymphocytes_fall(course):
    """IL-15 rises five- to thirtyfold, more after myeloablative conditioning (14-66 pg/mL, Thiant 2010)."""
    small = course(["IL15_plasma", "IL7_plasma"], doses.fludarabine_cyclophosphamide(), until=40)
    large = course(["IL15_plasma", "IL7_plasma"], doses.beam(), REMISSION, until=40)
    assert 2.0 < small["IL15_plasma"].iloc[0] < 3.5
    assert 10 < small["IL15_plasma"].max() < 40
    assert 14 < large["IL15_plasma"].max() < 66
    assert 3.8 < large["IL7_plasma"].iloc[0] < large["IL7_plasma"].max() < 31
    sink = course("IL15_plasma", [*doses.fludarabine_cyclophosphamide(), *doses.cart()], until=40)
    assert sink.loc[12.0] < small["IL15_plasma"].loc[12.0]


def test_cart_expands_and_contracts_as_published(course):
    """Peak on day 7-14; from day 7 to day 90 the blood count falls a hundredfold or so (Kimmel 2021: 27.5 to 0.1)."""
    given = [*doses.fludarabine_cyclophosphamide(), *doses.cart()]
    blood = course("cart_blood", given, {"chemosensitivity": 0.35}, until=200)
    assert 15 < blood.max() < 150
    assert 7 <= blood.idxmax() <= 14
    assert blood.loc[28.0] < 0.4 * blood.max()
    assert blood.loc[90.0] < 0.05 * blood.max()
    tenfold = course("cart_blood", [*doses.fludarabine_cyclophosphamide(), *doses.cart(cells=1.5)], until=60)
    onefold = course("cart_blood", [*doses.fludarabine_cyclophosphamide(), *doses.cart(cells=0.15)], until=60)
    assert tenfold.max() < 2 * onefold.max()


def test_cart_needs_lymphodepletion_and_antigen(course):
    with_depletion = course("cart_blood", [*doses.fludarabine_cyclophosphamide(), *doses.cart()], until=60)
    without = course("cart_blood", doses.cart(), until=60)
    assert without.max() < 0.1 * with_depletion.max()
    nothing_to_see = {"tumor_burden_systemic": 0.0, "b_normal_enrollment": 0.0, "b_normal_capacity": 0.0}
    unseen = course("cart_blood", [*doses.fludarabine_cyclophosphamide(), *doses.cart()], nothing_to_see, until=60)
    assert unseen.max() < 0.1 * with_depletion.max()


def test_cart_costimulation_changes_kinetics_and_cytokines(course):
    """CD28 peaks earlier and releases more; without costimulation cells hardly expand."""
    given = [*doses.fludarabine_cyclophosphamide(), *doses.cart()]
    names = ["cart_blood", "interferon_gamma_plasma", "cns_inflammation"]
    cd28 = {"costimulation_proliferation": 1.15, "costimulation_exhaustion": 1.5, "costimulation_cytokine": 2.0}
    none = {"costimulation_proliferation": 0.6, "costimulation_exhaustion": 1.3, "costimulation_cytokine": 0.5}
    four, twenty_eight, first = (
        course(names, given, {"chemosensitivity": 0.35, **values}) for values in ({}, cd28, none)
    )
    assert twenty_eight["cart_blood"].idxmax() < four["cart_blood"].idxmax()
    assert twenty_eight["interferon_gamma_plasma"].max() > 1.3 * four["interferon_gamma_plasma"].max()
    assert twenty_eight["cns_inflammation"].max() > 1.2 * four["cns_inflammation"].max()
    assert first["cart_blood"].max() < 0.5 * four["cart_blood"].max()


def test_tumor_grows_with_its_own_doubling_time(course):
    values = {"k_tumor_growth": np.log(2) / 30, "k_endogenous_kill": 0.0}
    burden = course("tumor_systemic", values={**values, "tumor_burden_systemic": 1.0}, until=30)
    assert burden.iloc[-1] == pytest.approx(2.0, rel=0.01)


def test_tumor_clones_fall_by_what_the_product_sees(course):
    given = [*doses.fludarabine_cyclophosphamide(), *doses.cart()]
    clones = ["tumor_double_positive", "tumor_antigen1_negative", "tumor_antigen2_negative", "tumor_double_negative"]
    equal = dict.fromkeys(("f_antigen1_negative", "f_antigen2_negative", "f_antigen_double_negative"), 0.25)
    single = course(clones, given, equal).loc[30.0]
    dual = course(clones, given, {**equal, "targets_antigen2": 1.0}).loc[30.0]
    assert single["tumor_double_positive"] == pytest.approx(single["tumor_antigen2_negative"], rel=0.01)
    assert single["tumor_antigen1_negative"] > 100 * single["tumor_double_positive"]
    assert dual["tumor_antigen1_negative"] < single["tumor_antigen1_negative"] / 100
    assert dual["tumor_double_negative"] > 100 * dual["tumor_double_positive"]


def test_tumor_mhc_loss_hurts_t_cell_receptors_and_not_cars(course):
    given = [*doses.fludarabine_cyclophosphamide(), *doses.cart()]
    names = ["cart_kill", "endogenous_kill", "bispecific_kill"]
    normal = course(names, given, until=40)
    lost = course(names, given, {"mhc_expression": 0.0}, until=40)
    assert lost["endogenous_kill"].iloc[0] == pytest.approx(normal["endogenous_kill"].iloc[0] / 2, rel=1e-6)
    np.testing.assert_allclose(lost["cart_kill"], normal["cart_kill"], rtol=0.1, atol=0.02)


def test_tumor_bulk_outnumbers_its_killers(course):
    kills = [
        course("cart_kill", [(1.0, "cart_effector", 10.0)], {"tumor_burden_systemic": burden}, until=2).loc[-18.5]
        for burden in (1.0, 500.0)
    ]
    assert kills[1] < 0.2 * kills[0]


def test_cns_is_entered_by_cart_cells_and_cleared(course):
    values = {"tumor_burden_cns": 1.0, "tumor_burden_systemic": 20.0, "chemosensitivity": 0.35}
    given = [*doses.fludarabine_cyclophosphamide(), *doses.cart()]
    table = course(["cart_effector_cns", "tumor_cns_positive"], given, values, until=80)
    assert table["cart_effector_cns"].max() > 1e-3
    assert table["tumor_cns_positive"].min() < 1e-3


def test_cns_antigen_negative_cells_are_killed_without_chemotherapy(course):
    """Bystander and endogenous kill reach them; in the proposal only chemotherapy did."""
    values = {"tumor_burden_cns": 1.0, "f_antigen1_negative": 1e-3, "k_tumor_cns_growth": 0.0}
    untouched = course("kill_cns_negative", values=values, until=1).iloc[0]
    assert untouched > 0
    bystander = course("kill_cns_negative", [(1.0, "cart_effector_cns", 0.1)], values, until=2)
    assert bystander.loc[-18.5] > untouched + 0.005


def test_cns_seeds_the_body_and_is_seeded(course):
    alone = course("tumor_systemic", values={"tumor_burden_systemic": 0.0, "tumor_burden_cns": 5.0}, until=60)
    assert alone.iloc[0] == 0
    assert alone.iloc[-1] > 0
    values = {"tumor_burden_systemic": 50.0, "k_body_to_cns_seeding": 1e-6}
    assert course("tumor_cns", values=values, until=60).iloc[-1] > 0


def test_inflammation_follows_cart_alone(course):
    """IL-6 in the hundreds, CRP above 100 mg/L and below the clinic's ceiling, ferritin in the thousands."""
    names = ["IL6_plasma", "crp_plasma", "ferritin_plasma", "interferon_gamma_plasma"]
    table = course(names, [*doses.fludarabine_cyclophosphamide(), *doses.cart()], {"chemosensitivity": 0.35}, until=80)
    peak = table.max()
    assert 100 < peak["IL6_plasma"] < 2000
    assert 100 < peak["crp_plasma"] < 310
    assert 1000 < peak["ferritin_plasma"] < 10000
    assert 100 < peak["interferon_gamma_plasma"] < 1500
    assert table["IL6_plasma"].idxmax() < table["crp_plasma"].idxmax() <= table["ferritin_plasma"].idxmax()
    assert table["IL6_plasma"].iloc[-1] < 10


def test_inflammation_stays_low_after_asct_alone(course):
    """Without CAR-T cells there is no cytokine storm: fever after ASCT is neutropenic and comes from elsewhere."""
    assert course("IL6_plasma", [*doses.beam(), *doses.graft()], REMISSION).max() < 60


def test_inflammation_needs_macrophages(course):
    """Monocytes are the main source of IL-6 and IL-1 (Norelli 2018)."""
    given = [*doses.fludarabine_cyclophosphamide(), *doses.cart()]
    full = course("IL6_plasma", given, {"chemosensitivity": 0.35}).max()
    depleted = course("IL6_plasma", given, {"chemosensitivity": 0.35, "f_tissue_macrophage": 0.0}).max()
    assert depleted < 0.9 * full


def test_inflammation_stays_low_under_a_large_tumor_without_cart(course):
    """Cells that the patient's own T and NK cells kill die quietly, or bulk alone would look like CRS."""
    bulky = {"tumor_burden_systemic": 2500.0}
    assert course("IL6_plasma", values=bulky, until=60).max() < 30
    assert course("cns_inflammation", values=bulky, until=60).max() < 0.05


def test_endothelium_and_brain_follow_the_cytokines(course):
    given = [*doses.fludarabine_cyclophosphamide(), *doses.cart()]
    table = course(["IL6_plasma", "endothelial_activation", "cns_inflammation"], given, {"chemosensitivity": 0.35})
    assert table["endothelial_activation"].max() > 0.3
    assert table["cns_inflammation"].idxmax() > table["endothelial_activation"].idxmax()
    assert table["cns_inflammation"].iloc[0] == 0


def test_supportive_drugs_do_what_they_are_given_for(course):
    """IL-6 rises but signals less after tocilizumab; anakinra and dexamethasone lower IL-6, brain inflammation."""
    storm = [*doses.fludarabine_cyclophosphamide(), *doses.cart()]
    names = ["IL6_plasma", "IL6_signal", "cns_inflammation", "cart_blood"]
    values = {"chemosensitivity": 0.35}
    start = DAY_0 + 9

    def run(*given):
        return course(names, [*storm, *given], values, until=60)

    alone = run()
    tocilizumab = run((start, "tocilizumab_central", 560.0))
    anakinra = run(*((start + day / 2, "anakinra", 100.0) for day in range(14)))
    dexamethasone = run(*((start + day / 4, "dexamethasone", 10.0) for day in range(16)))
    window = slice(9.5, 13.0)
    assert (tocilizumab["IL6_plasma"].loc[window] > alone["IL6_plasma"].loc[window]).all()
    assert (tocilizumab["IL6_signal"].loc[window] < 0.5 * alone["IL6_signal"].loc[window]).all()
    assert anakinra["IL6_plasma"].max() < 0.7 * alone["IL6_plasma"].max()
    assert anakinra["cns_inflammation"].max() < 0.7 * alone["cns_inflammation"].max()
    assert dexamethasone["IL6_plasma"].max() < 0.7 * alone["IL6_plasma"].max()
    assert dexamethasone["cart_blood"].max() < alone["cart_blood"].max()
    assert tocilizumab["cart_blood"].max() == pytest.approx(alone["cart_blood"].max(), rel=0.05)


def test_supportive_drugs_tocilizumab_half_life_is_long(course):
    """Frey 2010: 560 mg stay above the receptor's half occupancy for more than a week."""
    occupancy = course("IL6_receptor_occupancy", [(1.0, "tocilizumab_central", 560.0)], until=30)
    assert occupancy.loc[1.0 + 7 - DAY_0] > 0.9
    assert occupancy.iloc[-1] < 0.9


def test_immunotherapy_acts_by_its_own_route(course):
    """A bispecific antibody kills through T cells, anti-PD-1 wakes exhausted cells, lenalidomide needs a myeloma."""
    untreated = course("tumor_systemic", until=60).iloc[-1]
    bispecific = [(1.0 + 7 * week, "bispecific_depot", 48.0) for week in range(6)]
    assert course("tumor_systemic", bispecific, until=60).iloc[-1] < 0.2 * untreated
    few = course("tumor_systemic", bispecific, {"t_memory_enrollment": 10.0}, until=60).iloc[-1]
    assert few > 2 * course("tumor_systemic", bispecific, until=60).iloc[-1]
    storm = [*doses.fludarabine_cyclophosphamide(), *doses.cart()]
    woken = course("cart_exhausted_share", [*storm, (DAY_0, "anti_pd1", 200.0)], until=60)
    assert woken.loc[20.0] < course("cart_exhausted_share", storm, until=60).loc[20.0]
    lenalidomide = [(float(day), "lenalidomide", 10.0) for day in range(1, 60)]
    lymphoma, myeloma = (
        course("tumor_systemic", lenalidomide, {"lenalidomide_sensitivity": value}, until=60).iloc[-1]
        for value in (0.0, 1.0)
    )
    assert myeloma < lymphoma < untreated


@pytest.mark.parametrize(("turnover", "days"), [(0.033, 21.0), (0.12, 5.8), (4.0, 0.17)])
def test_serum_marker_falls_with_the_half_life_of_its_kind(course, turnover, days):
    """IgG 17-25 d, IgA about 6 d, free light chains hours, once the tumor is gone."""
    values = {"k_serum_marker_turnover": turnover, "chemosensitivity": 5.0, "chemosensitivity_heterogeneity": 0.0}
    marker = course("serum_marker", [(0.5, "alkylator_drug", 1.0)], values, until=60, step=1 / 24)
    gone = marker[1.0 - DAY_0 :]
    found = gone[gone <= gone.iloc[0] / 2].index[0] - gone.index[0]
    assert found == pytest.approx(days, rel=0.1, abs=0.05)


def test_serum_marker_is_0_without_tumor(course):
    assert course("serum_marker", values={"tumor_burden_systemic": 0.0}, until=10).abs().max() == 0


def test_observation_adds_up(course):
    names = [
        "tumor_total",
        "tumor_systemic",
        "tumor_cns",
        "cart_total",
        "cart_blood",
        "lymphocyte_blood",
        "t_naive",
        "t_memory",
        "t_regulatory",
        "nk_cells",
        "b_normal",
        "cart_memory_share",
        "cart_exhausted_share",
    ]
    table = course(names, [*doses.fludarabine_cyclophosphamide(), *doses.cart()], {"tumor_burden_cns": 1.0})
    np.testing.assert_allclose(table["tumor_total"], table["tumor_systemic"] + table["tumor_cns"], rtol=1e-9)
    np.testing.assert_allclose(table["cart_blood"], 2 * table["cart_total"], rtol=1e-9)
    lymphocytes = table[["t_naive", "t_memory", "t_regulatory", "nk_cells", "b_normal", "cart_total"]].sum(axis=1)
    np.testing.assert_allclose(table["lymphocyte_blood"], 0.002 * lymphocytes, rtol=1e-9)
    assert ((table[["cart_memory_share", "cart_exhausted_share"]] >= -1e-6).all()).all()


def test_observation_rates_of_a_clone_are_those_of_its_equation(course):
    names = ["tumor_double_positive", "birth_double_positive", "death_double_positive", "mutants_double_positive"]
    table = course(names, values={"k_endogenous_kill": 0.0}, until=10, step=0.1)
    slope = np.gradient(np.log(table["tumor_double_positive"]), 0.1)
    np.testing.assert_allclose(
        slope[1:-1], (table["birth_double_positive"] - table["death_double_positive"]).iloc[1:-1], rtol=2e-3
    )
