"""Compare two calibrations of one plan that differ in their seed only: how far parameters and predictions move.

Run: python validation/compare_ensembles.py LIBRARY/ensembles/single_therapies.csv runs/again/single_therapies.csv
(the tables that `seedbed calibrate` writes; its cross-validation lies beside each).

Parameters are compared on the logarithm where all are positive: the difference of the means as a share of the standard
deviation within an ensemble, and the ratio of the standard deviations. Predictions are those of each study from the
others (cross-validation): the difference of the medians as a share of the width of the 90 % interval, and the ratio
of the widths. The Monte Carlo error of the mean of n independent draws is 1 / sqrt(n) of a standard deviation.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd


def parameters(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return a row a parameter: `shift` of the mean in standard deviations, and `ratio` of these."""
    rows = {}
    for name in first.columns.intersection(second.columns):
        a, b = (np.asarray(table[name], dtype=float) for table in (first, second))
        if min(a.min(), b.min()) > 0:
            a, b = np.log(a), np.log(b)
        within = np.sqrt((a.var() + b.var()) / 2)
        rows[name] = {"shift": (b.mean() - a.mean()) / within, "ratio": b.std() / a.std()}
    return pd.DataFrame.from_dict(rows, orient="index")


def predictions(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return a row a predicted number: `shift` of the median in widths, `ratio` of the widths, and the hits."""
    both = first.merge(second, on="id", suffixes=("_a", "_b"))
    width_a, width_b = both["upper_a"] - both["lower_a"], both["upper_b"] - both["lower_b"]
    return pd.DataFrame({
        "shift": ((both["median_b"] - both["median_a"]) / ((width_a + width_b) / 2)).to_numpy(),
        "ratio": (width_b / width_a).to_numpy(), "hit_a": both["hit_a"].to_numpy(), "hit_b": both["hit_b"].to_numpy(),
        "score_a": both["score_a"].to_numpy(), "score_b": both["score_b"].to_numpy(),
    }, index=both["id"])  # fmt: skip


def main(first: Path, second: Path) -> None:
    """Print both comparisons, the largest shifts first."""
    moved = parameters(pd.read_csv(first), pd.read_csv(second))
    beside = [path.with_name(f"{path.stem}-cross-validation.csv") for path in (first, second)]
    told = predictions(*(pd.read_csv(path) for path in beside))
    for title, table in (("parameters", moved), ("predictions of each study from the others", told)):
        size = table["shift"].abs()
        print(f"{title}: {len(table)}; |shift| median {size.median():.2f}, 90 % below {size.quantile(0.9):.2f}, "
              f"largest {size.max():.2f}; ratio of spreads {table['ratio'].quantile(0.05):.2f} to "
              f"{table['ratio'].quantile(0.95):.2f} (central 90 %)")  # fmt: skip
        print(table.loc[size.sort_values(ascending=False).index[:8]].round(2).to_string())
    print(f"inside 90 %: {int(told['hit_a'].sum())} and {int(told['hit_b'].sum())} of {len(told)}; "
          f"interval score {told['score_a'].mean():.3f} and {told['score_b'].mean():.3f}")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
