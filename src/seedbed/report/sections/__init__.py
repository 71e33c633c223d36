"""The sections of the report of a run: each a function of the run, its words and its arms."""
