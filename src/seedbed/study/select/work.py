"""Work through a plan of selection: run the pairs, then strata, tree, bounds and rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seedbed import __version__
from seedbed.study.arms_of_protocol import Report, silent
from seedbed.study.select import bounds, enrichment, pairs, strata, tree
from seedbed.study.select import plan as plans
from seedbed.study.select.pairs import Pairs
from seedbed.study.select.plan import Plan
from seedbed.trial import disk
from seedbed.trial.execution import Where

PRIMARY = "progression_free"


@dataclass(frozen=True)
class Selection:
    """What came of a plan of selection.

    Attributes
    ----------
    plan : what was asked
    tables : ``overall``, ``strata``, ``tests``, ``along``, ``leaves``, ``shares``, ``rules``, ``curve``, ``fifths``
    tree : the decision tree; without a split it has one leaf
    facts : counts, whether any subgroup differs, p-value of the leaves
    """

    plan: Plan
    tables: dict[str, pd.DataFrame]
    tree: tree.Node
    facts: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Write each table as a Parquet file, and facts and short tables as ``select.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in self.tables.items():
            table.to_parquet(folder / f"{name}.parquet", index=False)
        short = {name: json.loads(self.tables[name].to_json(orient="records")) for name in ("tests", "rules", "shares")}
        paths = [
            {
                "leaf": leaf,
                "path": [{"covariate": s.covariate, "cut": s.cut, "among": s.among, "yes": yes} for s, yes in way],
            }
            for leaf, way in self.tree.paths()
        ]
        data = {"plan": self.plan.model_dump(mode="json"), "facts": self.facts, "tree": paths, **short}
        disk.write_atomically(folder / "select.json", json.dumps(data, indent=1, ensure_ascii=False))


def select(
    plan: str | Path | Plan,
    folder: Path | str | None = None,
    *,
    subjects: int | None = None,
    workers: int = 2,
    where: Where = "threads",
    progress: Report = silent,
) -> Selection:
    """Answer which patients benefit.

    Parameters
    ----------
    plan : id of the library, file, or a plan that was read
    folder : results; the runs stand below it and are resumed. Default ``runs/<plan>``
    subjects : virtual patients, instead of the plan's number
    where : ``"threads"``, which suits notebooks, or ``"processes"``, which is faster

    Examples
    --------
    >>> from seedbed import select
    >>> result = select("select_asct_before_cart_lbcl")      # doctest: +SKIP
    >>> result.tables["strata"]                              # doctest: +SKIP
    """
    asked = (plan if isinstance(plan, Plan) else plans.read(plan)).resized(subjects)
    out = Path(folder) if folder is not None else Path("runs") / asked.id
    run: Callable[..., Pairs] = pairs.run
    main = run(out / "run", asked, asked.population, asked.subjects, workers=workers, where=where, progress=progress)
    beside = {
        other.id: run(
            out / f"run-{other.id}",
            asked,
            other.population,
            other.subjects,
            workers=workers,
            where=where,
            progress=progress,
        )
        for other in asked.further
    }
    result = analyze(asked, main, beside)
    result.write(out)
    return result


def analyze(plan: Plan, main: Pairs, beside: dict[str, Pairs] | None = None) -> Selection:
    """Return the selection of pairs that stand ready.

    Parameters
    ----------
    main : the population of the plan
    beside : further populations, by id
    """
    grows, fills = tree.halves(main, plan.seed)
    node = tree.grow(main.take(grows), plan.covariates, plan.tree, PRIMARY, alpha=plan.alpha)
    held = main.take(fills)
    leaf = node.leaf_of(held.subjects)
    expected = enrichment.predicted(main, plan.covariates, plan.seed)
    tests = strata.tests_of(main, plan.covariates, PRIMARY, alpha=plan.alpha, relevant=plan.relevant_difference)
    others = [
        strata.effects(one).assign(covariate="further", stratum=name, share=np.nan)
        for name, one in (beside or {}).items()
    ]
    tables = {
        "overall": strata.effects(main),
        "strata": pd.concat([strata.by_stratum(main, plan.covariates), *others], ignore_index=True),
        "tests": tests,
        "along": strata.across(main, plan.covariates, PRIMARY),
        "leaves": tree.fill(node, held),
        "shares": bounds.benefit_shares(held, leaf),
        "rules": enrichment.rules_table(main, plan.rules),
        "curve": enrichment.treated_share_curve(main, expected),
        "fifths": enrichment.fifths(main, expected),
    }
    difference = held.difference(PRIMARY)
    leaves_p = strata.welch_test([difference[leaf == each.number] for each in node.leaves()])
    facts = {
        "subjects": main.n,
        "unknown": main.n_unknown,
        "parameter_sets": int(np.unique(main.parameter_set).size),
        "ensemble": main.ensemble,
        "any_differs": bool(tests["differs"].any()),
        "leaves": sum(1 for _ in node.leaves()),
        "leaves_p_value": leaves_p,
        "seedbed_version": __version__,
    }
    return Selection(plan, tables, node, facts)
