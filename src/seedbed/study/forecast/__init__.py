"""Forecast one patient from a virtual population weighted by what is known of the patient; for research only.

``forecast("patient.yaml") -> Forecast`` reads the file (`patient`), refuses what identifies a person, runs or finds
the virtual population of the named arm (`population`), weighs it (`weights`), and tabulates what follows (`outlook`).
`proof` shows on held-out virtual patients that the bands cover what they claim.

>>> from seedbed.study.forecast import forecast
>>> forecast("examples/patient.yaml").tables["survival"]      # doctest: +SKIP
"""

from seedbed.study.forecast.patient import Patient
from seedbed.study.forecast.patient import read as read_patient
from seedbed.study.forecast.plan import Plan
from seedbed.study.forecast.plan import read as read_plan
from seedbed.study.forecast.population import VirtualPopulation
from seedbed.study.forecast.work import Forecast, forecast, from_population

__all__ = [
    "Forecast",
    "Patient",
    "Plan",
    "VirtualPopulation",
    "forecast",
    "from_population",
    "read_patient",
    "read_plan",
]
