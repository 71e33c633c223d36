"""Laboratory grades of the Common Terminology Criteria for Adverse Events, version 5.

Source: NCI CTCAE v5.0 (2017), as coded in pharmaverse/admiral ``data-raw/adlb_grading/ncictcaev5.json``.
Rule identifier ``heme.ctcae5``. A boundary belongs to the milder grade: "<1.0 to 0.5" is 0.5 <= x < 1.0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

VERSION = "1"

#: Upper bounds of grades 2, 3 and 4 (grade 1 begins at the lower limit of normal) and the usual such limit.
CUTOFFS: dict[str, tuple[float, tuple[float, ...], str]] = {
    "neutrophils": (1.8, (1.5, 1.0, 0.5), "1e9/L"),
    "platelets": (150.0, (75.0, 50.0, 25.0), "1e9/L"),
    "lymphocytes": (1.0, (0.8, 0.5, 0.2), "1e9/L"),
    "leukocytes": (4.0, (3.0, 2.0, 1.0), "1e9/L"),
    "hemoglobin": (12.0, (10.0, 8.0), "g/dL"),
}


def laboratory_grade(
    analyte: str, value: ArrayLike, lower_limit_of_normal: ArrayLike | None = None
) -> NDArray[np.int8]:
    """Grade a low blood count.

    Parameters
    ----------
    analyte : ``neutrophils``, ``platelets``, ``lymphocytes``, ``leukocytes`` [1e9/L] or ``hemoglobin`` [g/dL]
    value : measured values; NaN has grade 0
    lower_limit_of_normal : of the laboratory; default a usual one

    Returns
    -------
    int8 array
        0 to 4. Hemoglobin reaches 3 by its value (grade 4 is a clinical call).

    Raises
    ------
    KeyError
        The analyte has no grades here.
    """
    usual_limit, cutoffs, _unit = CUTOFFS[analyte]
    limit = np.asarray(usual_limit if lower_limit_of_normal is None else lower_limit_of_normal, dtype=float)
    values = np.asarray(value, dtype=float)
    grade = (values < limit).astype(np.int8)
    for step, cutoff in enumerate(cutoffs, start=2):
        grade = np.where(values < cutoff, np.int8(step), grade)
    return grade.astype(np.int8)
