"""A small sound study file, and how to spoil it."""

from pathlib import Path

SOUND = """\
id: sound
title: A sound study
design: {kind: single_arm, described: phase 2}
disease: lbcl
registry: [NCT00000001]
sources:
  abstract: {level: abstract, citation: Example 2020, doi: 10.1000/example, pmid: '123'}
arms:
  - id: cart
    therapy: cart
    regimen: Flu/Cy and CAR-T
    product: axi_cel
    n: 40
    cohort_group: sound
    use: calibrate
    endpoints:
      - {id: orr, endpoint: orr, statistic: proportion, value: 0.75, unit: '1', events: 30, n: 40,
         clock: cart_infusion, denominator: infused, source: abstract, seen: true, preferred: true}
      - {id: cr, endpoint: cr, statistic: proportion, value: 0.5, unit: '1', interval: {lower: 0.34, upper: 0.66},
         n: 40, clock: cart_infusion, denominator: infused, source: abstract, seen: true, preferred: true}
      - {id: pfs_12m, endpoint: pfs, statistic: kaplan_meier, value: 0.45, unit: '1', n: 40, time_days: 365,
         clock: cart_infusion, denominator: infused, source: abstract, seen: true, preferred: true}
      - {id: os_12m, endpoint: os, statistic: kaplan_meier, value: 0.6, unit: '1', n: 40, time_days: 365,
         clock: cart_infusion, denominator: infused, source: abstract, seen: true, preferred: true}
      - {id: pfs_median, endpoint: pfs, statistic: median, value: 10, unit: month, clock: cart_infusion,
         denominator: infused, source: abstract, seen: true, preferred: true}
      - {id: crs_grade3plus, endpoint: crs_grade3plus, statistic: proportion, value: 0.1, unit: '1', n: 40,
         clock: cart_infusion, scale: lee2014, denominator: infused, source: abstract, seen: true, preferred: true}
contrasts:
  - {id: pfs_hr, measure: hazard_ratio, endpoint: pfs, arm: cart, versus: other, value: 0.5,
     interval: {lower: 0.3, upper: 0.8}, source: abstract, seen: true}
"""


def write(folder: Path, *changes: tuple[str, str], name: str = "sound") -> Path:
    """Write the sound study with some of its words replaced; each must stand in it."""
    text = SOUND
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path
