"""Signals of an invented model, for tests of the clinic without a simulation."""

import numpy as np
import pandas as pd

DAYS = np.concatenate([np.arange(0.0, 60.0), np.arange(60.0, 120.0, 3.5), np.arange(120.0, 1100.0, 15.0)])


def subjects(n, start=0):
    number = np.arange(start, start + n)
    return pd.DataFrame({"subject": number, "age": 50.0 + number % 20, "weight_kg": 70.0 + number % 10})


def arm_table(n, stem_cell_day=10.0, cart_day=12.0, start=0):
    return pd.DataFrame(
        {
            "subject": np.arange(start, start + n),
            "stem_cell_day": np.full(n, stem_cell_day),
            "cart_day": np.full(n, cart_day),
        }
    )


def _bump(time, start, peak, width):
    """A pulse that begins at `start` and peaks at `peak` days later."""
    since = np.maximum(time - start, 0.0) / peak
    return np.where(np.isnan(start), 0.0, np.nan_to_num(since) ** width * np.exp(width * (1 - np.nan_to_num(since))))


def signals(day, table, severity=None, cured=None, burden=50.0, in_brain=False):
    """Signals of a day: aplasia around the stem cells, a cytokine wave after CAR-T, a tumor that falls and returns."""
    n = len(table)
    stem, cart = table["stem_cell_day"].to_numpy(), table["cart_day"].to_numpy()
    severity = np.full(n, 1.0) if severity is None else severity
    cured = np.arange(n) % 2 == 0 if cured is None else cured
    wave = severity * _bump(day, cart, 7.0, 4)
    aplasia = _bump(day, np.where(np.isnan(stem), cart, stem) - 5.0, 10.0, 3)
    hit = np.nan_to_num(np.fmin(stem, cart), nan=1e9)
    after = np.maximum(day - hit, 0.0)
    tumor = burden * (np.exp(-0.4 * after) + np.where(cured, 0.0, 1e-4 * np.exp(0.05 * after)))
    tumor = np.minimum(tumor, 2000.0)
    return {
        "neutrophil_blood": 4.0 * (1 - np.minimum(aplasia, 0.999)) ** 2,
        "platelet_blood": 200.0 * (1 - np.minimum(0.97 * aplasia, 0.97)),
        "lymphocyte_blood": 1.2 * (1 - 0.97 * np.minimum(aplasia, 1)),
        "cd4_blood": 400.0 * (1 - 0.95 * np.minimum(aplasia, 1)),
        "b_cell_blood": np.where(day > cart, 0.0, 100.0) + np.where(day - cart > 300, 60.0, 0.0),
        "igg_plasma": np.full(n, 8.0) * np.where(day > cart, np.exp(-np.nan_to_num(day - cart) / 200.0), 1.0),
        "crp_plasma": 5.0 + 100.0 * wave,
        "ferritin_plasma": 400.0 + 3000.0 * wave,
        "IL6_plasma": 4.0 + 500.0 * wave,
        "IL6_signal": 4.0 + 500.0 * wave,
        "IL1_signal": 2.0 + 10.0 * wave,
        "cart_blood": 40.0 * wave,
        "cart_exhausted_share": np.full(n, 0.2),
        "cart_memory_share": np.full(n, 0.3),
        "cns_inflammation": 6.0 * wave,
        "tissue_injury": 2.0 * aplasia,
        "tumor_systemic": np.zeros(n) if in_brain else tumor,
        "tumor_cns": tumor if in_brain else np.zeros(n),
        "tumor_total": tumor,
        "tumor_target_negative_share": np.where(np.arange(n) % 4 == 1, 0.9, 0.0),
        "serum_marker": np.maximum(tumor / burden, np.exp(-0.033 * after)),
    }


def run(clinic, table, days=DAYS, **options):
    """Send an arm through its visits; return the record and the number of orders."""
    orders = [order for day in days for order in clinic.visit(day, signals(day, table, **options))]
    return clinic.record(), orders
