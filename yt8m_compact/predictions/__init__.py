"""Files of predictions and of labels: read, checked line by line, written."""

from yt8m_compact.predictions.formats import Format as Format
from yt8m_compact.predictions.formats import (
    format_of_suffix as format_of_suffix,
)
from yt8m_compact.predictions.formats import read_rows as read_rows
from yt8m_compact.predictions.formats import recognise as recognise
from yt8m_compact.predictions.label_files import (
    read_label_file as read_label_file,
)
from yt8m_compact.predictions.label_files import (
    read_rating_file as read_rating_file,
)
from yt8m_compact.predictions.label_table import LabelTable as LabelTable
from yt8m_compact.predictions.parquet import load_pyarrow as load_pyarrow
from yt8m_compact.predictions.rating_table import RatingTable as RatingTable
from yt8m_compact.predictions.rows import Rows as Rows
from yt8m_compact.predictions.writing import RowWriter as RowWriter
from yt8m_compact.predictions.writing import writing_rows as writing_rows
