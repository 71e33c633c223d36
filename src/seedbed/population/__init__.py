"""Virtual populations: who the patients are, and how chance and covariates make their model parameters."""

from seedbed.population.drawing import PREFIX, Parameter, draw
from seedbed.population.reading import read
from seedbed.population.schema import Population

__all__ = ["PREFIX", "Parameter", "Population", "draw", "read"]
