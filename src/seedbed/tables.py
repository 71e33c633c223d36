"""The tables a run writes: what each column means, its unit, its clock, and when it is missing.

The descriptions are content, `library/tables/<table>.yaml`; a table is checked against them at the door.
"""

from __future__ import annotations

from typing import Literal

import pandas as pd
import pyarrow as pa

from seedbed import library
from seedbed.documents import Content, read
from seedbed.errors import TableError, nearest


class Column(Content):
    """One column of a table."""

    name: str
    meaning: str
    unit: str = "1"
    kind: Literal["integer", "number", "boolean", "text", "category"] = "number"
    clock: str = ""
    rule: str = ""
    missing: str = "never"
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()


class TableDescription(Content):
    """The columns of one table."""

    table: str
    describes: str
    columns: tuple[Column, ...]
    further_columns: str = ""


@library.cached
def describe(table: str) -> TableDescription:
    """Return the description of a table, such as ``"endpoints"``."""
    return read(library.find("tables", table), TableDescription)


def columns(table: str) -> tuple[Column, ...]:
    """Return the documented columns of a table."""
    return describe(table).columns


def check(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table unchanged when it fits its description.

    Raises
    ------
    TableError
        Lists every column that is missing or unknown and every value out of range.
    """
    description = describe(table)
    known = {column.name: column for column in description.columns}
    faults = [f'column "{name}" is missing' for name in known if name not in frame]
    if not description.further_columns:
        faults += [
            f'unknown column "{name}"' + (f', did you mean "{near}"?' if (near := nearest(name, known)) else "")
            for name in frame
            if name not in known
        ]
    for name, column in known.items():
        if name in frame:
            faults += _value_faults(column, frame[name])
    if faults:
        raise TableError(f"table {table}: " + "; ".join(faults))
    return frame


def _value_faults(column: Column, values: pd.Series) -> list[str]:
    faults = []
    if column.missing == "never" and values.isna().any():
        faults.append(f'column "{column.name}" has {int(values.isna().sum())} missing values, and may have none')
    present = values.dropna()
    if column.categories and not present.isin(column.categories).all():
        odd = sorted(set(present.astype(str)) - set(column.categories))
        faults.append(f'column "{column.name}" holds {", ".join(odd)}; expected {", ".join(column.categories)}')
    if column.minimum is not None and (present < column.minimum).any():
        faults.append(f'column "{column.name}" falls below {column.minimum} {column.unit}')
    if column.maximum is not None and (present > column.maximum).any():
        faults.append(f'column "{column.name}" exceeds {column.maximum} {column.unit}')
    return faults


_ARROW_TYPES = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "category": pa.string(),
}


def to_arrow(table: str, frame: pd.DataFrame) -> pa.Table:
    """Return a checked table with the documented types, so that every shard has the same schema.

    Columns beyond the documented ones are kept after them, in alphabetical order.
    """
    check(table, frame)
    documented = columns(table)
    further = sorted(set(frame.columns) - {column.name for column in documented})
    fields = [pa.field(column.name, _ARROW_TYPES[column.kind]) for column in documented]
    fields += [pa.field(name, _arrow_type(frame[name])) for name in further]
    arrays = [pa.array(frame[field.name], type=field.type, from_pandas=True) for field in fields]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _arrow_type(values: pd.Series) -> pa.DataType:
    if pd.api.types.is_bool_dtype(values):
        return pa.bool_()
    return pa.float64() if pd.api.types.is_numeric_dtype(values) else pa.string()
