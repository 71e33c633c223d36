"""Sweeps: a tiny one from end to end, designs, decisions on known numbers, and spoiled plans."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from seedbed import library
from seedbed.errors import ContentError
from seedbed.population.parameter_sets import read_sets
from seedbed.report import catalogue, sweep_report
from seedbed.study import decision, surface, worlds
from seedbed.study import sweep as study
from seedbed.study.sweep import Plan, design_points
from study_pages import compile_figures, examine

PLANS = [name for name in library.names("plans") if name.startswith("sweep_")]


@pytest.mark.parametrize("name", PLANS)
def test_every_plan_of_the_library_reads_and_its_options_are_possible(name):
    found = study.read_study(name)
    assert found.plan.id == name
    assert len(found.derived.protocol.arms) == len(found.options)
    assert {world.id for world in found.worlds} >= {"prior", *found.plan.structures}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    text = library.path("plans/sweep_infusion_day_tp53.yaml").read_text(encoding="utf-8")
    text = text.replace("[-1, 0, 2, 4, 7, 10, 14, 21]", "[2, 14]").replace("[pfs_2y, cure, crs_3", "[crs_3, cart_peak")
    text = text.replace("benefit: pfs_2y", "benefit: cart_peak").replace(
        "icans_3, neutropenic_days, cart_peak]", "icans_3]"
    )
    file = folder / "mine.yaml"
    rivals = "structures: [no_sink, antigen_free_expansion, tissue_macrophages]"
    assert rivals in text
    file.write_text(text.replace(rivals, ""), encoding="utf-8")
    options = {"follow_up_days": 75.0, "subjects": 50, "parameter_sets": 5, "workers": 1}
    found = study.sweep(file, folder=folder / "study", knowledge=("prior",), **options)
    found.write(folder / "study")
    return found, folder / "study"


def test_later_cells_find_less_antigen_and_expand_less(small):
    row = small[0].comparison.set_index("outcome").loc["cart_peak"]
    assert (row["option"], row["against"]) == ("day 2", "day 14")
    assert row["estimate"] > 0.3
    assert row["probability_better"] > 0.95
    assert row["parameter_sd"] >= 0


def test_probabilities_of_being_best_add_up_to_one(small):
    best = small[0].best
    sums = best[best["outcome"] != "front"].groupby("outcome")["probability"].sum()
    np.testing.assert_allclose(sums, 1.0)
    assert best.loc[best["outcome"] == "front", "on_front"].any()


def test_the_prior_is_written_beside_the_study_and_used(small):
    found, folder = small
    sets = pd.read_csv(next(folder.glob("prior_*.csv")))
    assert len(sets) == 5
    assert (folder / "sweep.json").exists()
    assert pd.read_parquet(folder / "response.parquet").equals(found.response)
    subjects = pd.read_parquet(folder / "worlds" / "prior" / "subjects.parquet")
    assert subjects["parameter_set"].nunique() == 5


def plan_of(**changes):
    data = {
        "kind": "sweep", "id": "x", "title": {"en": "x", "zh": "x"}, "question": {"en": "x", "zh": "x"},
        "protocol": "infusion_day_lbcl_tp53", "arm": "day_2", "outcomes": ["crs_3", "pfs_2y"], "benefit": "pfs_2y",
        "harm": "crs_3",
        "factors": {
            "day": {"title": {"en": "d", "zh": "d"}, "set": ["cart.day"], "lower": 0, "upper": 20, "whole": True},
            "dose": {"title": {"en": "d", "zh": "d"}, "set": ["cart.dose"], "lower": 1e6, "upper": 2e6},
        },
    }  # fmt: skip
    return Plan.model_validate(data | changes)


def test_a_latin_hypercube_spreads_each_factor_evenly():
    points = pd.DataFrame(design_points(plan_of(design={"points": 10})))
    assert len(points) == 10
    assert (np.sort(np.floor((points["dose"] - 1e6) / 1e5)) == np.arange(10)).all()
    assert (points["day"] % 1 == 0).all()
    assert points.equals(pd.DataFrame(design_points(plan_of(design={"points": 10}))))


def test_probability_best_knows_the_better_option_and_shares_ties():
    generator = np.random.default_rng(1)
    luck = generator.normal(size=(400, 1))
    values = np.hstack([luck, luck + 0.2 + 0.1 * generator.normal(size=(400, 1)), luck])
    known = decision.knowledge(values, np.zeros(400))
    np.testing.assert_allclose(decision.probability_best(known, 1), [0, 1, 0], atol=0.01)
    np.testing.assert_allclose(decision.probability_best(known, -1), [0.5, 0, 0.5], atol=0.01)
    assert decision.probability_better(known, 1, 0, 1) > 0.99
    assert decision.probability_better(known, 2, 0, 1) == pytest.approx(0.5)


def test_one_patient_more_does_not_make_an_option_the_best():
    values = np.zeros((100, 5))
    values[:40] = 1.0
    values[40, 2] = 1.0
    known = decision.knowledge(values, np.zeros(100), shares=True)
    chances = decision.probability_best(known, 1)
    assert 0.5 < decision.probability_better(known, 2, 0, 1) < 0.77
    assert chances[2] < decision.probability_best(decision.knowledge(values, np.zeros(100)), 1)[2] - 0.05
    np.testing.assert_allclose(chances[[0, 1, 3]], chances[4])  # nobody tells the others apart


def test_what_no_patient_shows_is_not_known_for_certain_nor_informed():
    nobody, sets = np.zeros(60), np.arange(60) % 5
    found = {world: worlds.estimate_mean(nobody, sets, "difference of shares") for world in ("posterior", "prior")}
    found["prior"] = worlds.estimate_mean(np.eye(1, 60)[0], sets, "difference of shares")
    assert found["posterior"]["monte_carlo_se"] > 0.02
    table = pd.DataFrame([{"world": world, "outcome": "x", **row} for world, row in found.items()])
    assert not decision.with_verdict(table, ["outcome"], 5)["informed"].any()


def test_many_answers_do_not_make_one_of_them_informed_by_chance():
    generator, n_sets, n_answers = np.random.default_rng(11), 25, 31
    keys = [{"outcome": "x", "option": str(k)} for k in range(n_answers)]

    def table():
        rows = []
        for world in ("posterior", "prior"):
            sets = generator.normal(size=(n_sets, n_answers))
            numbers = zip(keys, sets.mean(axis=0), sets.std(axis=0, ddof=1), strict=True)
            rows += [
                {"world": world, **key, "estimate": mean, "parameter_sd": sd, "monte_carlo_se": 0.05}
                for key, mean, sd in numbers
            ]
        return pd.DataFrame(rows)

    def share(together):
        found = [
            decision.with_verdict(table(), ["outcome", "option"], n_sets, together=together)["informed"].any()
            for _ in range(60)
        ]
        return np.mean(found)

    assert share(None) > 0.1
    assert share(["outcome"]) < 0.1


def test_the_height_of_a_surface_is_as_uncertain_as_the_patients_that_all_options_share():
    generator = np.random.default_rng(12)
    plan = plan_of(design={"points": 20})
    options = dict(enumerate(design_points(plan)))
    own = generator.normal(size=(200, 1))
    values = own + 0.01 * generator.normal(size=(200, 20))
    response = [worlds.estimate_mean(values[:, k], np.zeros(200)) for k in range(20)]
    curve = study._surface(SimpleNamespace(options=options), response, values, np.zeros(200))
    expected = 2 * 1.96 * own.std(ddof=1) / np.sqrt(200)
    assert set(curve["factor"]) == {"day", "dose"}
    np.testing.assert_allclose(curve["upper"] - curve["lower"], expected, rtol=0.05)


def test_parameter_sets_that_disagree_leave_the_best_option_open():
    generator = np.random.default_rng(2)
    sets = np.arange(4000) % 40
    effect = generator.normal(size=40)[sets]
    values = np.stack([generator.normal(size=4000), effect + generator.normal(size=4000)], axis=1)
    chance = decision.probability_best(decision.knowledge(values, sets), 1)[1]
    assert 0.3 < chance < 0.7
    pooled = decision.probability_best(decision.knowledge(values, np.zeros(4000)), 1)[1]
    assert abs(pooled - 0.5) > abs(chance - 0.5)


def test_the_front_holds_what_nothing_dominates():
    benefit, harm = np.array([0.5, 0.6, 0.6, 0.4, 0.5]), np.array([0.1, 0.2, 0.3, 0.1, 0.1])
    np.testing.assert_array_equal(decision.on_front(benefit, harm), [True, True, False, False, True])


def test_informed_means_moved_or_narrowed():
    prior = decision.Answer(0.1, 0.1, 0.01)
    assert not decision.informed(prior, decision.Answer(0.12, 0.095, 0.01), 100)
    assert decision.informed(prior, decision.Answer(0.2, 0.1, 0.01), 100)
    assert decision.informed(prior, decision.Answer(0.1, 0.05, 0.01), 100)
    never = decision.Answer(0.0, 0.0, 0.0)  # an event that nobody had under either
    assert not decision.informed(never, never, 25)


def test_chance_alone_hardly_ever_informs_and_data_mostly_do():
    generator, n_sets = np.random.default_rng(4), 25

    def share_informed(mean, sd):
        found = []
        for _ in range(400):
            sets = [generator.normal(*law, n_sets) for law in ((0.0, 1.0), (mean, sd))]
            answers = [decision.Answer(one.mean(), one.std(ddof=1), 0.05) for one in sets]
            found.append(decision.informed(*answers, n_sets))
        return np.mean(found)

    assert share_informed(0.0, 1.0) < 0.03
    assert share_informed(0.0, 0.4) > 0.85
    assert share_informed(1.5, 1.0) > 0.85


def test_a_verdict_holds_the_posterior_against_the_prior_of_the_same_answer():
    rows = [
        ("posterior", "a", 0.9),
        ("posterior", "b", 0.1),
        ("prior", "a", 0.1),
        ("prior", "b", 0.1),
        ("rival", "a", 0.9),
    ]
    table = pd.DataFrame(rows, columns=["world", "outcome", "estimate"]).assign(parameter_sd=0.1, monte_carlo_se=0.01)
    assert list(decision.with_verdict(table, ["outcome"], 25)["informed"]) == [True, False, False, False, False]
    alone = table[table["world"] != "prior"]
    assert not decision.with_verdict(alone, ["outcome"], 25)["informed"].any()


def test_a_rare_event_has_an_interval_with_width():
    none = np.zeros(60)
    share = worlds.estimate_mean(none, none, "share")
    assert (share["estimate"], share["lower"]) == (0.0, 0.0)
    assert share["upper"] == pytest.approx(0.0602, abs=1e-4)  # Wilson
    difference = worlds.estimate_mean(none, none, "difference of shares")
    assert difference["lower"] == pytest.approx(-difference["upper"])
    assert difference["upper"] == pytest.approx(0.0447, abs=1e-4)  # Bonett and Price


def test_parameters_widen_the_interval_of_a_share():
    sets = np.repeat(np.arange(20), 50)
    values = (np.tile(np.arange(50), 20) < np.repeat(np.linspace(5, 45, 20), 50)).astype(float)
    found = worlds.estimate_mean(values, sets, "share")
    alone = worlds.estimate_mean(values, np.zeros(1000), "share")
    assert found["parameter_sd"] == pytest.approx(0.24, abs=0.02)
    assert found["upper"] - found["lower"] > 8 * (alone["upper"] - alone["lower"])
    assert found["lower"] >= 0.0


def test_the_posterior_takes_few_sets_of_the_ensemble_and_names_where_from(tmp_path, monkeypatch):
    ensembles = tmp_path / "ensembles"
    ensembles.mkdir()
    prior = worlds.write_prior(tmp_path, "asct_cart", 40, seed=1)
    data = yaml.safe_load(prior.read_text(encoding="utf-8"))
    (ensembles / "mine.yaml").write_text(yaml.safe_dump(data | {"id": "mine", "default": True}), encoding="utf-8")
    (ensembles / "mine.csv").write_text(prior.with_suffix(".csv").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv(library.VARIABLE, str(tmp_path))
    taken = worlds.write_posterior(tmp_path / "study", "asct_cart", 8)
    sets = read_sets(taken)
    whole = pd.read_csv(ensembles / "mine.csv")
    assert len(sets.table) == 8
    pd.testing.assert_frame_equal(
        sets.table.iloc[[0, -1]].reset_index(drop=True), whole.iloc[[0, 39]].reset_index(drop=True)
    )
    assert yaml.safe_load(taken.read_text(encoding="utf-8"))["posterior_of"] == "mine"
    assert worlds.write_posterior(tmp_path / "study", "asct_cart", 40) == ensembles / "mine.yaml"
    assert [world.id for world in worlds.worlds_of("asct_cart", ["no_sink"])] == ["posterior", "prior", "no_sink"]


def test_a_surface_recovers_a_quadratic():
    generator = np.random.default_rng(3)
    design = pd.DataFrame({"day": generator.uniform(0, 20, 30), "drug": generator.choice(["a", "b"], 30)})
    truth = 0.5 - 0.002 * (design["day"] - 8) ** 2 + 0.1 * (design["drug"] == "b")
    means = truth.to_numpy() + 0.001 * generator.normal(size=30)
    curve = surface.fit(design, means, np.full(30, 0.001)).along("day")
    assert curve.value[np.argmax(curve.weights @ means)] == pytest.approx(8, abs=1.0)
    assert (curve.scatter < 0.0025).all()
    np.testing.assert_allclose(curve.weights.sum(axis=1), 1.0)
    assert surface.fit(design[:3], truth[:3].to_numpy(), np.full(3, 0.001)) is None


def test_unknown_structures_and_knowledge_are_refused():
    with pytest.raises(ContentError, match=r'unknown structure of "asct_cart" "no_snk"; .*did you mean "no_sink"'):
        worlds.worlds_of("asct_cart", ["no_snk"])
    with pytest.raises(ContentError, match=r'unknown knowledge "posteriour"; .*did you mean "posterior"'):
        worlds.worlds_of("asct_cart", (), ["posteriour"])


def test_a_structure_that_the_model_cannot_have_is_refused(tmp_path, monkeypatch):
    text = library.path("structures/asct_cart.yaml").read_text(encoding="utf-8")
    (tmp_path / "structures").mkdir()
    spoiled = text.replace("EC50_il15_cart:", "EC50_il15_card:").replace('set: 0, unit: "1"', "set: 0, unit: day")
    (tmp_path / "structures" / "asct_cart.yaml").write_text(spoiled, encoding="utf-8")
    monkeypatch.setenv(library.VARIABLE, str(tmp_path))
    with pytest.raises(ContentError) as caught:
        worlds.structures_of("asct_cart")
    assert 'unknown parameter "EC50_il15_card"' in str(caught.value)
    assert 'unit "day" of weight_antigen_proliferation; expected "1", as in the model' in str(caught.value)


SPOILED = {
    "unknown key": ("subjects: 300", "subject: 300", 'line 12  unknown key "subject"; .*did you mean "subjects"'),
    "unknown arm": ("arm: day_2", "arm: day_3", 'line 11  unknown arm "day_3"; expected one of day_0, day_14'),
    "unknown outcome": ("pfs_2y, cure", "pfs_2y, cur", 'unknown outcome "cur"; .*did you mean "cure"'),
    "benefit not looked at": ("benefit: pfs_2y", "benefit: os_2y", "line 21  unknown benefit, not among the outcomes"),
    "unknown structure": ("[no_sink,", "[no_snk,", 'unknown structure "no_snk"; .*did you mean "no_sink"'),
    "unknown element": (
        "set: [cart.day]",
        "set: [carts.day]",
        'unknown element "carts" in "carts.day"; did you mean "cart"',
    ),
    "unknown key of an element": ("set: [cart.day]", "set: [cart.days]", "has no key 'days'.*did you mean \"day\""),
    "impossible day": ("values: [-1,", "values: [-8,", "CAR-T cells on day -8 .*; expected a day after -6"),
    "no such option": ("option: {day: 2}", "option: {day: 3}", "line 23  no option of the design has day = 3"),
    "too short": ("seed: 20220118", "follow_up_days: 400", "follow_up_days = 400, but an outcome looks at day 730"),
    "twice": ("values: [-1, 0,", "values: [0, 0,", "a value stands twice"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_spoiled_plan_says_what_is_wrong(case, tmp_path):
    old, new, message = SPOILED[case]
    text = library.path("plans/sweep_infusion_day_tp53.yaml").read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ContentError, match=message):
        study.read_study(file)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_names_the_options_and_compares_two(small, language, tmp_path):
    found = small[0]
    text = examine(sweep_report.write(found, tmp_path, language), language)
    setting = sweep_report.Setting(found, catalogue.load(language))
    assert all(label in text for label in setting.options.values())
    sections = [section.name for section in sweep_report.sections(setting)]
    assert sections == ["answer", "response", "pareto", "best", "compared", "limits"]
    assert sweep_report.terminal(found, language).row_count > 0


def test_the_charts_compile_without_warnings(small, capfd):
    compile_figures(sweep_report.sections(sweep_report.Setting(small[0], catalogue.load("en"))), capfd)


def test_several_factors_are_drawn_along_each_number(small, capfd):
    """A second factor on the same results: levels beside each other, and a fitted response along the number."""
    found = small[0]
    day = found.study.plan.factors["day"]
    plan = found.study.plan.model_copy(update={"factors": {"day": day, "again": day}})
    ends = {"estimate": 0.5, "lower": 0.4, "upper": 0.6}
    rows = [
        {"world": "prior", "outcome": name, "factor": "day", "value": value, **ends}
        for name in found.study.outcomes
        for value in (2.0, 14.0)
    ]
    several = replace(found, study=replace(found.study, plan=plan), surfaces=pd.DataFrame(rows))
    section = sweep_report.response(sweep_report.Setting(several, catalogue.load("en")))
    assert len(section.blocks) == 2 * len(found.study.outcomes)
    compile_figures([section], capfd)
