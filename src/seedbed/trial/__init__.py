"""Run a virtual trial: enroll, simulate, grade, derive endpoints, write the run folder."""
