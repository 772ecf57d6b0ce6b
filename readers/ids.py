"""The id of a video: `id` in YouTube-8M 2018, else `video_id`."""

from __future__ import annotations

from yt8m_compact import lazy

with lazy.imports():
    import tensorflow as tf

    from yt8m_compact.readers import checks

ID_KEYS = ("id", "video_id")

# Of a column of a CSV: neither control characters nor separators but the space,
# no comma and no quote. What is not UTF-8 does not match either.
_COLUMN = r'(?:[^\pC\pZ,"]| )+'


def id_spec() -> dict[str, tf.io.RaggedFeature]:
    """Returns the parsing specification of the ids."""
    return {key: tf.io.RaggedFeature(tf.string) for key in ID_KEYS}


def select_ids(parsed: dict[str, tf.RaggedTensor]) -> tf.Tensor:
    """Returns the ids from whichever key holds one.

    Args:
        parsed: String `[batch, (values)]` by key.

    Returns:
        String `[batch]`, empty where no key holds exactly one value.
    """
    ids = tf.constant("")
    for key in reversed(ID_KEYS):
        values = parsed[key]
        firsts = values.to_tensor(default_value="", shape=[None, 1])[:, 0]
        single = tf.equal(values.row_lengths(), 1) & tf.not_equal(firsts, "")
        ids = tf.where(single, firsts, ids)
    return ids


def check_ids(ids: tf.Tensor) -> checks.Check:
    """Checks that every video has an id."""
    missing = tf.equal(ids, "")
    return checks.Check(
        failed=tf.reduce_any(missing),
        bad=lambda: missing,
        describe=lambda row: tf.constant(
            "expected an id, one bytes value under the key 'id' or 'video_id'. "
            "Write the records with one of them."
        ),
    )


def check_column_ids(ids: tf.Tensor) -> checks.Check:
    """Checks that every id can stand in a column of a CSV as it is."""
    bad = ~tf.strings.regex_full_match(ids, _COLUMN)

    def describe(row):
        shown = tf.strings.unicode_transcode(
            ids[row], "UTF-8", "UTF-8", replace_control_characters=True
        )
        return tf.strings.join(
            [
                "expected an id of printable characters without commas and "
                "quotes, which a CSV can hold. Received: '",
                shown,
                "'. Write the record with another id, or leave it out.",
            ]
        )

    return checks.Check(
        failed=tf.reduce_any(bad), bad=lambda: bad, describe=describe
    )
