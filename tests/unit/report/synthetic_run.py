"""Write a run folder with the documented files and columns without simulating: invented but plausible, repeatable."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from seedbed import protocol
from seedbed.analysis.summary import summarize
from seedbed.trial import enrollment
from seedbed.trial import manifest as manifests

ARMS = ("asct_cart", "cart")
SQUARE = ("asct_cart", "cart", "asct", "neither")
FATE = {  # hazard per day, cure, CRS grade cut-offs, logit of response
    "asct_cart": (0.0016, 0.60, 0.35, 0.9),
    "cart": (0.0040, 0.42, 0.75, 0.1),
    "asct": (0.0055, 0.25, -9.0, -0.6),
    "neither": (0.0200, 0.02, -9.0, -3.0),
}
HORIZON = 730.0


def write(folder: Path, arms: tuple[str, ...] = ARMS, n: int = 200, seed: int = 1, calibrated: bool = False) -> Path:
    """Write the folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    trial, who = enrollment.read("wei_2022_tp53")
    trial = protocol.square(trial) if len(arms) > 2 else trial
    enrolled = enrollment.enroll(trial, who, n, seed)
    subjects = enrolled.subjects
    luck = rng.uniform(size=(n, 8))
    parts = [_endpoints(arm, subjects, enrolled.arm_tables[arm], luck) for arm in arms]
    endpoints = pd.concat(parts, ignore_index=True)
    endpoints["arm"] = endpoints["arm"].astype("category")
    sets = pd.Series((luck[:, 7] * 4 // 1).astype(int), index=subjects["subject"]) if calibrated else None
    tables = {
        "subjects": subjects if sets is None else subjects.assign(parameter_set=sets.to_numpy()),
        "endpoints": endpoints,
        "events": _events(endpoints, enrolled.arm_tables),
        "failures": pd.DataFrame(
            {"subject": [n + 1], "arm": [arms[0]], "reason": ["step limit"], "day": [61.5], "steps": [20000]}
        ),
        "flow": enrolled.flow,
        "trajectories": _trajectories(arms, subjects, endpoints, min(n, 40)),
    }
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet")
    rows = summarize(endpoints, parameter_sets=sets)
    (folder / "summary.json").write_text(json.dumps(rows, indent=1))
    manifests.write(folder, _manifest(n, seed, enrollment.resolve(trial, who), calibrated))
    return folder


def _endpoints(arm: str, subjects: pd.DataFrame, days: pd.DataFrame, luck: np.ndarray) -> pd.DataFrame:  # noqa: PLR0915
    hazard, cure, crs_shift, logit = FATE[arm]
    with_cart, with_graft = "cart" in arm, "asct" in arm
    infused = days["cart_day"].notna().to_numpy()
    noise = np.log(luck[:, 1] / (1 - luck[:, 1]))
    score = logit + 0.8 * noise - 0.3 * np.log((1.0 + subjects["tumor_burden_ml"].to_numpy()) / 90)
    best = np.select([score > 0, score > -0.7, score > -1.2], ["CR", "PR", "SD"], "PD")
    time = np.where((luck[:, 2] < cure) & (best == "CR"), np.inf, -np.log(luck[:, 3]) / hazard + 20)
    time = np.where(best == "PD", np.minimum(time, 30), time)
    death = time + -np.log(luck[:, 4]) * 260
    crs = np.searchsorted([0.6, 1.5, 2.4, 3.6], crs_shift + 1.1 + noise * 0.7) * infused
    icans = np.searchsorted([1.8, 2.6, 3.2, 4.4], crs_shift + 0.8 + noise * 0.6) * infused
    aplasia = np.rint((8 if with_graft else 5) + 4 * luck[:, 5])
    peak = np.where(infused, np.exp(4.6 + noise * 0.9 + (0.4 if with_graft else 0)), np.nan)
    table = pd.DataFrame({"subject": subjects["subject"], "arm": arm})
    table["selected"] = days["selected"].to_numpy()
    table["stem_cell_day"] = days["stem_cell_day"].to_numpy()
    table["cart_day"] = days["cart_day"].to_numpy()
    table["day_zero_day"] = days["day_zero_day"].to_numpy()
    table["response_clock"] = "cart" if with_cart else "stem_cells" if with_graft else "planned"
    for name in ("response_d28", "response_d90", "response_d180", "best_response"):
        table[name] = best
    table.loc[time < 90, "response_d180"] = "PD"
    table["mrd_negative_d90"] = np.where(luck[:, 6] < 0.1, None, best == "CR")
    table["pfs_days"], table["pfs_event"] = np.minimum(time, HORIZON), time < HORIZON
    table["os_days"], table["os_event"] = np.minimum(death, HORIZON), death < HORIZON
    table["efs_days"], table["efs_event"] = np.minimum(time, HORIZON) * 0.98, time < HORIZON
    for name in ("pfs", "os", "efs"):
        since = table[f"{name}_days"] - table["day_zero_day"]
        table[f"{name}_days_from_day_zero"] = since.where(since >= 0)
    table["death_cause"] = np.where(table["os_event"], np.where(luck[:, 7] < 0.1, "infection", "disease"), None)
    table["crs_grade"], table["icans_grade"] = crs.astype(int), icans.astype(int)
    table["crs_grade_clinician"] = np.minimum(crs + (luck[:, 6] < 0.15), 4).astype(int)
    table["crs_onset_day"] = np.where(crs > 0, 1 + 6 * luck[:, 5], np.nan)
    table["crs_duration_days"] = np.where(crs > 0, 2 + 6 * luck[:, 6], np.nan)
    table["icans_onset_day"] = np.where(icans > 0, 3 + 8 * luck[:, 5], np.nan)
    grafted = table["stem_cell_day"].notna()
    table["anc_engraftment_day"] = (aplasia + 2.0) * grafted.where(grafted, np.nan).astype(float)
    table["platelet_engraftment_day"] = table["anc_engraftment_day"] + 3.0
    table["days_anc_below_0_5"] = aplasia if with_cart or with_graft else 0.0
    table["icaht_grade"] = np.where(infused, np.searchsorted([1, 7, 14], aplasia), 0)
    table["cart_cmax_per_ul"] = peak
    table["cart_tmax_days"] = np.where(infused, 8 + 5 * luck[:, 5], np.nan)
    table["cart_auc_0_28"] = peak * 9
    table["cart_persistence_days"] = np.where(infused, 60 + 400 * luck[:, 6], np.nan)
    table["cart_exhausted_share_d28"] = np.where(infused, 0.1 + 0.4 * luck[:, 5], np.nan)
    table["il6_peak_pg_ml"] = np.exp(2.5 + 1.2 * crs + 0.3 * noise)
    table["ferritin_peak_ug_l"] = 600 * np.exp(0.5 * crs)
    table["crp_peak_mg_l"] = 20 + 40.0 * crs
    table["alc_d15"], table["alc_d30"] = 0.3 + 0.4 * luck[:, 5], 0.5 + 0.6 * luck[:, 5]
    table["cd4_d100"], table["igg_d180"] = 120 + 150 * luck[:, 6], 4 + 4 * luck[:, 6]
    table["infections_grade3"] = (luck[:, 7] * 2.2).astype(int)
    table["b_cell_aplasia_days"] = np.where(infused, 100 + 300 * luck[:, 6], np.nan)
    table["platelet_transfusions"] = (luck[:, 5] * 4).astype(int)
    table["tocilizumab_doses"] = np.where(crs >= 2, 1, 0)
    table["relapse_antigen"] = np.where((time < HORIZON) & (luck[:, 7] < 0.2), "negative", None)
    return table


def _events(endpoints: pd.DataFrame, plans: dict[str, pd.DataFrame]) -> pd.DataFrame:
    parts = []
    for kind, days, flag in (("progression", "pfs_days", "pfs_event"), ("death", "os_days", "os_event")):
        rows = endpoints.loc[endpoints[flag], ["subject", "arm", days]].rename(columns={days: "day"})
        parts.append(rows.assign(event=kind, day=rows["day"] + 28.0, detail=None))
    for arm in endpoints["arm"].unique():
        for event, column in (("transplant_not_done", "not_transplanted"), ("cart_not_infused", "not_infused")):
            without = plans[arm][plans[arm][column] != ""].reset_index()
            detail = without[column].astype(str)
            rows = pd.DataFrame({"subject": without["subject"], "arm": arm, "detail": detail})
            parts.append(rows.assign(event=event, day=without[f"{column}_day"]))
    return pd.concat(parts, ignore_index=True)


def _trajectories(arms: tuple[str, ...], subjects: pd.DataFrame, endpoints: pd.DataFrame, n: int) -> pd.DataFrame:
    days = np.r_[0:100, 100:365:5, 365:731:10].astype(float)
    grid = np.repeat(np.arange(n), len(days))
    day = np.tile(days, n)
    parts = []
    for arm in arms:
        rows = endpoints[endpoints["arm"] == arm].iloc[:n].reset_index(drop=True)
        since_graft = day - rows["stem_cell_day"].fillna(rows["cart_day"]).fillna(30.0).to_numpy()[grid]
        since_cart = np.maximum(day - rows["cart_day"].fillna(9999.0).to_numpy()[grid], -0.5)
        strength = rows["cart_cmax_per_ul"].fillna(0.0).to_numpy()[grid]
        treated = arm != "neither"
        hit = np.where(treated & (since_graft > -5), np.exp(-(((since_graft - 7) / 6.0) ** 2) * 0.8), 0.0)
        cart = np.where(since_cart >= 0, strength * np.exp(-0.5 * ((np.log1p(since_cart) - 2.4) / 0.55) ** 2), 0.0)
        burden = 60.0 * np.where(since_graft > 0, np.exp(-since_graft * (0.35 if treated else -0.002)), 1.0)
        relapse = rows["pfs_event"].to_numpy()[grid]
        late = np.where(relapse, 1e-6 * np.exp(0.045 * day), 0.0)
        parts.append(
            pd.DataFrame(
                {
                    "subject": rows["subject"].to_numpy()[grid],
                    "arm": arm,
                    "day": day,
                    "neutrophil_blood": 4.0 * (1 - 0.995 * hit) * (0.8 + 0.02 * (grid % 20)),
                    "platelet_blood": 210.0 * (1 - 0.96 * hit) * (0.8 + 0.02 * (grid % 17)),
                    "cart_blood": cart,
                    "IL15_plasma": 6.0 + 80.0 * hit * (0.7 + 0.03 * (grid % 20)),
                    "IL6_plasma": 4.0 + 2.0 * cart * (0.5 + 0.05 * (grid % 20)),
                    "tumor_total": np.where(burden + late < 1e-9, 0.0, np.minimum(burden + late, 900.0)),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _manifest(n: int, seed: int, inputs: dict, calibrated: bool) -> manifests.Manifest:
    arms = list(inputs["protocol"]["arms"])
    request = manifests.Request(
        inputs=inputs,
        files={},
        subjects=n,
        seed=seed,
        until_days=760.0,
        relative_tolerance=1e-5,
        trajectories=40,
        shard_size=250,
        ensemble="monotherapy_2026" if calibrated else None,
        hashes={"protocol": "0" * 64, "model": "1" * 64},
    )
    shards = (manifests.Shard(index=0, first_subject=1, last_subject=n + 1),)
    outcome = manifests.Outcome(done=dict.fromkeys(arms, n), failed={arms[0]: 1}, seconds=3.2, files={})
    made = manifests.new(request, shards)
    return made.model_copy(
        update={
            "outcomes": {shards[0].name: outcome}, "created": "2026-01-01T00:00:00+00:00",
            "finished": "2026-01-01T00:00:09+00:00", "seconds": 9.1, "machine": {"cores": 2, "python": "3.11"},
        }
    )  # fmt: skip
