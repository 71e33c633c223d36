"""Studies made of many trials: verification, plausibility, sweeps, selection, attribution, design, forecast."""
