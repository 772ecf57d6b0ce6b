"""Files of predictions and of labels: read, checked line by line, written."""

from yt8m_compact import lazy

with lazy.imports():
    from yt8m_compact.predictions.formats import Format
    from yt8m_compact.predictions.formats import format_of_suffix
    from yt8m_compact.predictions.formats import read_rows
    from yt8m_compact.predictions.formats import recognise
    from yt8m_compact.predictions.label_files import read_label_file
    from yt8m_compact.predictions.label_files import read_rating_file
    from yt8m_compact.predictions.label_table import LabelTable
    from yt8m_compact.predictions.parquet import load_pyarrow
    from yt8m_compact.predictions.rating_table import RatingTable
    from yt8m_compact.predictions.rows import Rows
    from yt8m_compact.predictions.writing import RowWriter
    from yt8m_compact.predictions.writing import writing_rows

__all__ = [
    "Format",
    "LabelTable",
    "RatingTable",
    "RowWriter",
    "Rows",
    "format_of_suffix",
    "load_pyarrow",
    "read_label_file",
    "read_rating_file",
    "read_rows",
    "recognise",
    "writing_rows",
]
