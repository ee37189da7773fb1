"""Replicates as a table in a file: CSV, or Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields
from itertools import islice
from pathlib import Path

from whyfit.errors import UsageError
from whyfit.ledger.studies import Replicate

COLUMNS = tuple(each.name for each in fields(Replicate))
ROWS_AT_ONCE = 65536


def export(replicates: Iterable[Replicate], path: Path) -> int:
    """Write one row a replicate; the file's ending says in which form. Returns the number of rows.

    A replicate that diverged has an infinite unexplained variance ("inf").
    """
    match path.suffix.lower():
        case ".csv":
            return _csv(replicates, path)
        case ".parquet":
            return _parquet(replicates, path)
        case _:
            raise UsageError(f"{path} must end in .csv or .parquet")


def _csv(replicates: Iterable[Replicate], path: Path) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for each in replicates:
            writer.writerow(astuple(each))
            count += 1
    return count


def _parquet(replicates: Iterable[Replicate], path: Path) -> int:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError(
            "Parquet needs the package pyarrow: pip install 'whyfit[parquet]', or export to .csv"
        ) from None
    types = {"str": pyarrow.string(), "int": pyarrow.int64(), "float": pyarrow.float64()}
    schema = pyarrow.schema([(each.name, types[str(each.type)]) for each in fields(Replicate)])
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for rows in _batches(replicates):
            columns = zip(*(astuple(each) for each in rows), strict=True)
            writer.write_table(pyarrow.table(dict(zip(COLUMNS, columns, strict=True)), schema))
            count += len(rows)
    return count


def _batches(replicates: Iterable[Replicate]) -> Iterator[list[Replicate]]:
    source = iter(replicates)
    while rows := list(islice(source, ROWS_AT_ONCE)):
        yield rows
