"""Files of records of videos that are given as arrays."""

import os

from yt8m_compact.api import array_videos
from yt8m_compact.api import label_lists
from yt8m_compact.datasets import record_writer
from yt8m_compact.run import config as config_lib

# As many are read at the same time, and mixed.
_NUM_FILES = 8


def write(
    folder: str,
    name: str,
    data: config_lib.DataConfig,
    videos: array_videos.ArrayVideos,
    labels: label_lists.LabelLists,
) -> str:
    """Writes videos as the data sets have them.

    Args:
        folder: where to.
        name: what the names of the files start with.
        data: what records should hold.
        videos: the videos.
        labels: theirs.

    Returns:
        The pattern of the files.
    """
    number = min(_NUM_FILES, len(videos))
    paths = [
        os.path.join(folder, f"{name}{index}.tfrecord")
        for index in range(number)
    ]
    with record_writer.writing_all(paths) as writers:
        for index, record in enumerate(videos.to_records(data, labels)):
            writers[index % number].write(record)
    return os.path.join(folder, f"{name}*.tfrecord")
