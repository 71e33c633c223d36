"""seedbed: in-silico clinical trials of autologous stem-cell transplantation followed by CAR-T cells."""

__version__ = "0.1.0"
