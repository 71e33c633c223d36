"""Protocols in clinical words: arms, elements on two clocks, eligibility; and the doses they come to."""

from seedbed.protocol.catalogue import drugs
from seedbed.protocol.conditions import Condition
from seedbed.protocol.reading import inspect, read, read_resolved, resolve, trimmed
from seedbed.protocol.schedule import doses, drug_inputs, timeline
from seedbed.protocol.schema import Arm, ParameterChange, Protocol
from seedbed.protocol.square import square

__all__ = [
    "Arm",
    "Condition",
    "ParameterChange",
    "Protocol",
    "doses",
    "drug_inputs",
    "drugs",
    "inspect",
    "read",
    "read_resolved",
    "resolve",
    "square",
    "timeline",
    "trimmed",
]
