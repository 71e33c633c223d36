"""Forecast of one patient: refusals, weights, coverage on held-out patients, report."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from seedbed.errors import ContentError, SimulationError
from seedbed.report import catalogue, forecast_report
from seedbed.study import forecast
from seedbed.study.forecast import outlook, population, proof, weights
from study_pages import compile_figures

EXAMPLE = Path(__file__).parents[3] / "examples" / "patient.yaml"
QUANTITIES = ("neutrophils", "platelets", "cart")


@pytest.fixture(scope="module")
def plan():
    return forecast.read_plan("forecast_standard").model_copy(update={"effective_share": 0.08})


def synthetic(plan, n=1500, seed=1):
    """Return virtual patients whose courses follow two hidden numbers that covariates only hint at."""
    luck = np.random.default_rng(seed)
    marrow, cells, later = luck.normal(size=(3, n))
    days = np.arange(plan.course_days.first, plan.course_days.last + 1.0)
    time = np.maximum(days, 0.0)[None, :]
    recovery = 1.0 / (1.0 + np.exp(-(time - 14.0 - 3.0 * marrow[:, None]) / 2.0))
    shown = {
        "neutrophils": 0.05 + 3.0 * recovery * np.exp(0.3 * marrow[:, None]),
        "platelets": 10.0 + 150.0 * recovery * np.exp(0.4 * marrow[:, None]),
        "cart": 0.1 + 50.0 * np.exp(cells[:, None] - 0.03 * np.abs(time - 10.0)),
    }
    shown = {name: values * np.exp(0.25 * later[:, None] * (time > 28)) for name, values in shown.items()}
    zero = np.zeros(n)
    courses = {name: shown.get(name, np.ones((n, len(days)))) for name in plan.quantities}
    subjects = pd.DataFrame(
        {
            "subject": np.arange(n),
            "age": luck.normal(60, 10, n),
            "platelets": 150 * np.exp(0.2 * marrow + 0.4 * luck.normal(size=n)),
        }
    ).assign(remission_status=luck.choice(["PD", "PR"], n))
    endpoints = pd.DataFrame({"subject": np.arange(n), "arm": "asct_cart", "stem_cell_day": zero, "cart_day": zero})
    endpoints = endpoints.assign(
        os_days=800.0,
        os_event=False,
        pfs_days=np.where(cells > 0, 780.0, 200.0 + 100.0 * cells),
        pfs_event=cells <= 0,
        crs_grade=np.where(cells > 1, 3.0, 0.0),
        icans_grade=0.0,
        response_d90=np.where(cells > 0, "CR", "PD"),
        anc_engraftment_day=np.where(marrow < 2, 14.0 + 3.0 * marrow, np.nan),
        platelet_engraftment_day=15.0 + 3.0 * marrow,
        days_anc_below_0_5=12.0 + 3.0 * marrow + luck.normal(size=n),
        cart_cmax_per_ul=50.0 * np.exp(cells),
        cart_tmax_days=10.0,
        il6_peak_pg_ml=100.0,
    )
    return forecast.VirtualPopulation(subjects, endpoints, zero, days, courses)


@pytest.fixture(scope="module")
def people(plan):
    return synthetic(plan)


def patient_file(tmp_path, change=None):
    data = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    if change is not None:
        change(data)
    file = tmp_path / "patient.yaml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    return file


def test_the_example_reads(plan):
    one = forecast.read_patient(EXAMPLE, plan)
    assert one.last_day == 21
    assert one.n_values > 30


@pytest.mark.parametrize(
    "key",
    ["name", "lastName", "date_of_birth", "DOB", "hospital_number", "id", "mrn", "comment", "notes", "姓名", "email"],
)
@pytest.mark.parametrize("place", [None, "covariates"])
def test_identifiers_are_refused_and_not_repeated(tmp_path, plan, key, place):
    def spoil(data):
        (data if place is None else data[place])[key] = "Secretperson"

    with pytest.raises(ContentError, match=r"may identify a person.*remove it") as caught:
        forecast.read_patient(patient_file(tmp_path, spoil), plan)
    assert "Secretperson" not in str(caught.value)


def test_free_text_and_dates_are_refused(tmp_path, plan):
    def spoil(data):
        data["covariates"]["remission_status"] = "PR, seen by his daughter"
        data["covariates"]["age"] = yaml.safe_load("1961-03-04")

    with pytest.raises(ContentError, match=r"(?s)calendar date.*free text|free text.*calendar date") as caught:
        forecast.read_patient(patient_file(tmp_path, spoil), plan)
    assert "daughter" not in str(caught.value)


def test_all_problems_are_listed_at_once(tmp_path, plan):
    def spoil(data):
        data["covariates"]["agee"] = 3
        data["measurements"]["ldh"] = {"unit": "U/L", "values": {3: 400}}
        data["measurements"]["platelets"]["unit"] = "1/uL"

    with pytest.raises(ContentError, match=r"3 problems") as caught:
        forecast.read_patient(patient_file(tmp_path, spoil), plan)
    message = str(caught.value)
    assert 'unknown covariate "agee"' in message
    assert 'did you mean "age"' in message
    assert "covariates.ldh_ratio" in message
    assert 'expected "1e9/L"' in message


def test_a_negative_value_is_refused(tmp_path, plan):
    with pytest.raises(ContentError, match="below zero"):
        forecast.read_patient(
            patient_file(tmp_path, lambda d: d["measurements"]["crp"]["values"].update({3: -1})), plan
        )


def test_weighted_quantiles_agree_with_repeated_values():
    values, times = np.array([3.0, 1.0, 2.0, np.inf]), np.array([1, 4, 3, 2])
    found = outlook.weighted_quantiles(values, times.astype(float), np.array([0.25, 0.5, 0.95]))
    assert found == pytest.approx(np.quantile(np.repeat(values, times), [0.25, 0.5, 0.95], method="inverted_cdf"))


def test_weighted_survival_with_equal_weights_is_kaplan_meier():
    time, event = np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, True])
    found = outlook.weighted_survival(time, event, np.full(4, 0.25), np.array([0.5, 1.5, 3.5, 4.5]))
    assert found == pytest.approx([1.0, 0.75, 0.375, 0.0])


def test_who_is_censored_on_the_day_of_an_event_was_at_risk():
    time, event = np.array([1.0, 1.0, 2.0, 2.0]), np.array([False, True, True, True])
    assert outlook.weighted_survival(time, event, np.full(4, 0.25), np.array([1.0])) == pytest.approx([0.75])


def in_sets(people, n_sets):
    """Return virtual patients of whom every parameter set adds its own to the days without neutrophils."""
    sets = np.arange(people.n) % n_sets
    shift = 4.0 * np.random.default_rng(9).normal(size=n_sets)
    endpoints = people.endpoints.assign(days_anc_below_0_5=30.0 + people.endpoints["days_anc_below_0_5"] + shift[sets])
    return replace(people, subjects=people.subjects.assign(parameter_set=sets), endpoints=endpoints)


def test_the_three_uncertainties_stand_apart(plan, people):
    calibrated = in_sets(people, 60)
    one = proof.measured_patient(calibrated, 3, plan, (), "cart")
    result = forecast.from_population(one, calibrated, plan)
    row = result.tables["numbers"].set_index("outcome").loc["days_anc_below_0_5"]
    assert row["parameter_sd"] == pytest.approx(4.0, rel=0.3)
    assert row["between_patient_sd"] == pytest.approx(np.hypot(3.0, 1.0), rel=0.2)
    size = result.facts["effective_size"]
    assert row["monte_carlo_se"] == pytest.approx(
        np.hypot(row["parameter_sd"], row["between_patient_sd"]) / size**0.5, rel=0.1
    )
    chance = result.tables["chances"].set_index("outcome").loc["crs_grade_3"]
    share = chance["probability"]
    assert chance["monte_carlo_se"] == pytest.approx(np.sqrt(share * (1 - share) / size), rel=0.05)
    nobody = result.tables["chances"].set_index("outcome").loc["icans_grade_3"]
    assert nobody["probability"] == 0
    assert nobody["monte_carlo_se"] > 0.2 / size
    assert 30 < result.facts["effective_sets"] <= 60
    for name in ("chances", "survival", "courses"):
        assert result.tables[name]["parameter_sd"].notna().any()


@pytest.mark.parametrize("n_sets", [1, 8])
def test_too_few_parameter_sets_are_not_resolved(plan, people, n_sets):
    few = in_sets(people, n_sets)
    result = forecast.from_population(proof.measured_patient(few, 3, plan, (), "cart"), few, plan)
    for name in ("chances", "numbers", "survival", "courses"):
        assert result.tables[name]["parameter_sd"].isna().all()
    rows = forecast_report.number_rows(result, catalogue.load("en"))
    assert all(row[4] == "not resolved" for row in rows)


def test_responses_of_every_criterion_add_up_to_all_patients(people):
    levels = ["sCR", "CR", "CRu", "VGPR", "PR", "MR", "SD", "PD", None, "PD"]
    endpoints = people.endpoints.assign(response_d90=np.resize(np.array(levels, dtype=object), people.n))
    found = outlook.chances(replace(people, endpoints=endpoints), np.full(people.n, 1 / people.n), 100.0)
    shares = found.set_index("outcome")["probability"].filter(like="response")
    assert shares.tolist() == pytest.approx([0.3, 0.2, 0.2, 0.2, 0.1])


def test_the_likeness_is_the_kernel_when_nothing_is_measured(plan, people):
    one = proof.measured_patient(people, 0, plan, (), "cart")
    few = plan.model_copy(update={"effective_share": 0.001, "smallest_effective_size": 10.0})
    found = weights.weigh(one, people, few)
    assert found.widening == 1.0
    assert found.effective_size == pytest.approx(found.alike)
    assert found.values.sum() == pytest.approx(1.0)


def test_bands_cover_and_measurements_narrow_them(plan, people):
    table = proof.prove(people, plan, n=60, quantities=QUANTITIES)
    found = proof.summarize(table).set_index("target")
    assert found["coverage"].mean() >= 0.84
    assert found["coverage_without"].mean() >= 0.84
    assert (found.loc[["cart d35", "cart d60", "platelets d35"], "narrowing"] >= 0.3).all()


def test_nobody_alike_is_refused_with_the_cure(plan, people):
    one = proof.measured_patient(people, 0, plan, ("platelets",), "cart")
    strange = one.model_copy(
        update={"measurements": {"platelets": forecast.patient.Course(unit="1e9/L", values={0: 9e5, 7: 9e5, 14: 9e5})}}
    )
    with pytest.raises(SimulationError, match=r"no virtual patient resembles this one.*platelets.*choose a protocol"):
        forecast.from_population(strange, people, plan)


def test_too_few_alike_is_refused_with_the_cure(plan, people):
    one = proof.measured_patient(people, 0, plan, QUANTITIES, "cart")
    strict = plan.model_copy(update={"effective_share": 0.93, "largest_widening": 1.0})
    with pytest.raises(
        SimulationError, match=r"of 1500 virtual patients .* resemble this one.*run more with --subjects"
    ):
        forecast.from_population(one, people, strict)


def test_a_level_that_nobody_has_is_refused(plan, people):
    one = proof.measured_patient(people, 0, plan, (), "cart")
    odd = one.model_copy(update={"covariates": {"remission_status": "CRi"}})
    with pytest.raises(ContentError, match='no virtual patient has remission_status "CRi"; expected one of PD, PR'):
        forecast.from_population(odd, people, plan)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_is_marked_for_research(tmp_path, plan, people, language, capfd):
    one = proof.measured_patient(people, 3, plan, QUANTITIES, "cart")
    result = forecast.from_population(one, people, plan)
    result.write(tmp_path)
    page = forecast_report.write(result, tmp_path, language).read_text(encoding="utf-8")
    assert ("For research only" if language == "en" else "仅供研究") in page
    assert forecast_report.terminal(result, language).row_count > 8
    compile_figures(forecast_report.sections(result, catalogue.load(language)), capfd)
    assert (tmp_path / "forecast.json").exists()
    assert (tmp_path / "courses.parquet").exists()


@pytest.mark.slow
def test_full_proof_on_the_trial_population(tmp_path):
    """Over 100 held-out patients of the real trial 90 % bands cover about 90 %, and day 28 narrows them by 30 %."""
    full = forecast.read_plan("forecast_standard")
    folder = population.build(tmp_path, full, "wei_2022_tp53", "asct_cart")
    again = population.build(tmp_path, full, "wei_2022_tp53", "asct_cart")
    assert folder == again
    table = proof.prove(population.read(folder, full, "cart"), full, n=100, quantities=QUANTITIES)
    found = proof.summarize(table).set_index("target")
    assert 0.86 <= found["coverage"].mean() <= 0.96
    early = ["cart d35", "cart d42", "cart d60", "neutrophils d35", "neutrophils d42", "platelets d35"]
    assert (found.loc[early, "narrowing"] >= 0.3).all()
