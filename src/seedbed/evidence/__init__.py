"""Published results that the model is calibrated to or compared with, and how far each can be trusted.

>>> from seedbed import evidence
>>> evidence.study("zuma_1").registry
('NCT02348216',)
"""

from seedbed.evidence.curves import landmarks, reconstruct_arm
from seedbed.evidence.frames import contrasts, kinetics, published, rows
from seedbed.evidence.guyot import Reconstruction, reconstruct
from seedbed.evidence.intervals import clopper_pearson
from seedbed.evidence.reader import fact, facts, read_folder, read_study, studies, study
from seedbed.evidence.vocabulary import vocabulary

__all__ = [
    "Reconstruction",
    "clopper_pearson",
    "contrasts",
    "fact",
    "facts",
    "kinetics",
    "landmarks",
    "published",
    "read_folder",
    "read_study",
    "reconstruct",
    "reconstruct_arm",
    "rows",
    "studies",
    "study",
    "vocabulary",
]
