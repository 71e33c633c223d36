"""Fit populations of parameters to published single therapies, and predict what was not fitted."""
