"""Draws the pictures of docs/models.md: a block diagram of each model.

    python -m benchmarks.model_pictures --output_dir=docs/images

A model is a row of columns; a column is a stack of boxes, one for each feature
or part. Sizes are those of the defaults, with rgb and audio and 3,862 classes.
Needs matplotlib: `pip install -e ".[plot]"`.
"""

import argparse
import dataclasses
import io
import pathlib

from matplotlib import axes as axes_lib
from matplotlib import patches
from matplotlib import pyplot
from PIL import Image

from yt8m_compact import models

_CLASSES = 3862
_SIZES = (1024, 128)
_DPI = 100
# In inches.
_GAP, _PADDING, _BETWEEN, _LEGEND = 0.28, 0.08, 0.16, 0.3


@dataclasses.dataclass(frozen=True)
class Box:
    """A step of a model.

    Attributes:
        text: what it does, a few short lines.
        place: of a projection, the start of the name of its flag.
        optional: whether it is there only where a flag asks for it.
    """

    text: str
    place: str = ""
    optional: bool = False


# A column; None lets a row pass.
Column = list[Box | None]
_FRAMES = [Box(f"frames\n{sum(_SIZES)} values")]
_FEATURES = [Box(f"features\n{sum(_SIZES)} values")]
_PREDICTIONS = [Box(f"predictions\n{_CLASSES}")]
_RGB_AND_AUDIO: Column = [Box("rgb\n1024"), Box("audio\n128")]


def _mixture(num_mixtures: int) -> Column:
    return [Box(f"mixture of\n{num_mixtures} experts", "classifier")]


def _late_fusion(
    pooled: list[Column], hidden_size: int, num_mixtures: int
) -> list[Column]:
    return [
        [Box("frames\nBN")],
        _RGB_AND_AUDIO,
        *pooled,
        [Box(f"hidden {hidden_size}\nBN, relu6", "fc")],
        [Box("gates of\nhidden units", "gating", optional=True)],
        _mixture(num_mixtures),
        [Box("gates of\nclasses", "gating", optional=True)],
        _PREDICTIONS,
    ]


def _clusters(first: int, second: int, after: str) -> Column:
    return [
        Box(f"{number} clusters\n{after}", "embedding")
        for number in (first, second)
    ]


def _describe_net_vlad() -> list[Column]:
    config = models.NetVladConfig()
    return _describe_pooled(
        "NetVLAD\n",
        config.netvlad_cluster_size,
        config.netvlad_hidden_size,
        config.moe_num_mixtures,
    )


def _describe_net_fv() -> list[Column]:
    config = models.NetFvConfig()
    return _describe_pooled(
        "Fisher vector\n2 x ",
        config.fv_cluster_size,
        config.fv_hidden_size,
        config.moe_num_mixtures,
    )


def _describe_pooled(
    pooling: str, size: int, hidden_size: int, num_mixtures: int
) -> list[Column]:
    pooled = [
        Box(f"{pooling}{feature} x {number}")
        for feature, number in zip(_SIZES, (size, size // 2), strict=True)
    ]
    return _late_fusion(
        [_clusters(size, size // 2, "BN, softmax"), pooled],
        hidden_size,
        num_mixtures,
    )


def _describe_soft_dbof() -> list[Column]:
    config = models.SoftDbofConfig()
    size = config.dbof_cluster_size
    return _late_fusion(
        [
            _clusters(size, size // 8, "BN, softmax"),
            [Box("sum of\nframes")] * 2,
        ],
        config.dbof_hidden_size,
        config.moe_num_mixtures,
    )


def _describe_gated_dbof() -> list[Column]:
    config = models.GatedDbofConfig()
    size = config.dbof_cluster_size
    return _late_fusion(
        [
            _clusters(size, size // 8, "BN, softmax"),
            [Box("sum and max\nof frames"), Box("sum of\nframes")],
            [Box(f"sum, gated by\nmax: 1024, {size}", "gating"), None],
        ],
        config.dbof_hidden_size,
        config.moe_num_mixtures,
    )


def _describe_next_vlad() -> list[Column]:
    config = models.NextVladConfig()
    size, groups = config.nextvlad_cluster_size, config.groups
    wide = [config.expansion * feature for feature in _SIZES]
    halves = [(size, groups), (size // 2, groups // 2)]
    return [
        _FRAMES,
        _RGB_AND_AUDIO,
        [
            Box(f"{width} values\nin {g} groups", "embedding")
            for width, (_, g) in zip(wide, halves, strict=True)
        ],
        [
            Box(f"{g} attentions,\n{g} x {k} shares", "embedding")
            for k, g in halves
        ],
        [
            Box(f"NeXtVLAD\n{width // g} x {k}, BN")
            for width, (k, g) in zip(wide, halves, strict=True)
        ],
        [Box(f"dropout\nhidden {config.nextvlad_hidden_size}\nBN", "fc")],
        [Box("squeeze and\nexcitation", "gating")],
        [Box("logistic", "classifier")],
        _PREDICTIONS,
    ]


def _describe_mixture() -> list[Column]:
    number = models.MixNextVladConfig().mix_number
    return [
        _FRAMES,
        [
            *(
                Box(f"NeXtVLAD {n + 1}\nto its hidden layer")
                for n in range(number)
            ),
            Box("mean frame\nBN"),
        ],
        [
            *(Box("logits", "classifier") for _ in range(number)),
            Box(f"{number} gates\nsoftmax", "gating"),
        ],
        [Box("sum of gates\ntimes logits,\nsigmoid")],
        _PREDICTIONS,
    ]


def _describe_attention() -> list[Column]:
    config = models.AttentionConfig()
    layers, size = config.attention_layers, config.attention_hidden_size
    return [
        _FRAMES,
        [Box(f"{layers} layers of {size}\nBN, relu, dropout", "embedding")],
        [
            Box(f"attention\n{_CLASSES}", "attention"),
            Box(f"decisions\n{_CLASSES}", "classifier"),
        ],
        [Box("softmax\nover frames"), Box("sigmoid")],
        [Box("sum of products\nover frames")],
        _PREDICTIONS,
    ]


def _describe_transformer() -> list[Column]:
    config = models.TransformerConfig()
    heads, head = config.transformer_heads, config.transformer_head_size
    hidden = config.transformer_hidden_size
    times = f"both {config.transformer_layers} times"
    return [
        _FRAMES,
        [Box(f"{heads * head} values, norm\nand positions", "embedding")],
        [Box(f"norm, {heads} heads\nof {head}, added", "attention")],
        [Box(f"norm, {hidden}, gelu,\nadded; {times}", "fc")],
        [Box("norm, mean\nof frames")],
        [Box("logistic", "classifier")],
        _PREDICTIONS,
    ]


def _describe_pooled_embedding() -> list[Column]:
    config = models.PooledEmbeddingConfig()
    size = config.dbof_clusters
    return [
        _FRAMES,
        [Box(f"{config.num_bags} bags of\n{config.frames_per_bag} frames")],
        _RGB_AND_AUDIO,
        _clusters(size, size // 2, "BN, relu6"),
        [Box("max of a bag,\nmean of bags")] * 2,
        [Box(f"hidden {config.fc_size}\nBN, relu6", "fc")] * 2,
        _mixture(config.moe_num_mixtures),
        [Box("gates of\nclasses", "gating")],
        _PREDICTIONS,
    ]


def _describe_recurrent(kind: str, gates: int) -> list[Column]:
    return [
        _FRAMES,
        [Box(f"{gates} x 1024\ngates", "embedding")],
        [Box(f"{kind} of 1024", "recurrent")],
        [Box(f"{gates} x 1024\ngates", "embedding")],
        [Box(f"{kind} of 1024", "recurrent")],
        [Box("last state")],
        _mixture(2),
        _PREDICTIONS,
    ]


def _describe_dbof() -> list[Column]:
    config = models.DbofConfig()
    return [
        [Box(f"{config.iterations} frames\nBN")],
        [Box(f"{config.dbof_cluster_size} clusters\nBN, relu6", "embedding")],
        [Box("max of\nframes")],
        [Box(f"hidden {config.dbof_hidden_size}\nBN, relu6", "fc")],
        _mixture(config.moe_num_mixtures),
        _PREDICTIONS,
    ]


def _describe_moe() -> list[Column]:
    number = models.MoeConfig().moe_num_mixtures
    return [
        _FEATURES,
        [
            Box(f"gates\n{number + 1} x {_CLASSES}", "classifier"),
            Box(f"experts\n{number} x {_CLASSES}", "classifier"),
        ],
        [Box("softmax"), Box("sigmoid")],
        [Box("sum of\nproducts")],
        _PREDICTIONS,
    ]


def _describe_chain() -> list[Column]:
    config = models.DeepCombineChainConfig()
    number, cells = config.moe_num_mixtures, config.deep_chain_relu_cells
    columns: list[Column] = [_FEATURES]
    size = sum(_SIZES)
    for _ in range(config.deep_chain_layers):
        size += cells
        columns += [
            _mixture(number),
            [
                Box(
                    f"hidden {cells}\n{config.deep_chain_relu_type}, norm",
                    "chain",
                )
            ],
            [Box(f"appended:\n{size} values")],
        ]
    return [*columns, _mixture(number), _PREDICTIONS]


def _describe_deep_circulant() -> list[Column]:
    config = models.DeepCirculantConfig()
    slope = config.leaky_relu_slope
    return [
        _FEATURES,
        [
            Box(
                f"{config.num_layers} layers D C + b\nof {sum(_SIZES)}, leaky "
                f"ReLU {slope}",
                "hidden",
            )
        ],
        [Box(f"D C + b\n{_CLASSES}", "classifier")],
        [Box("sigmoid")],
        _PREDICTIONS,
    ]


def _describe_mlp() -> list[Column]:
    config = models.MlpConfig()
    return [
        _FEATURES,
        [Box(f"hidden layer\n{config.mlp_hidden_size}", "hidden")],
        [Box("batch norm\nReLU")],
        [Box(f"dropout {config.drop_rate}")],
        *_LOGISTIC,
    ]


_LOGISTIC = [[Box("logistic", "classifier")], _PREDICTIONS]
DESCRIPTIONS: dict[str, list[Column]] = {
    "LogisticModel": [_FEATURES, *_LOGISTIC],
    "MoeModel": _describe_moe(),
    "MlpModel": _describe_mlp(),
    "DeepCirculantModel": _describe_deep_circulant(),
    "DeepCombineChainModel": _describe_chain(),
    "FrameLevelLogisticModel": [
        _FRAMES,
        [Box("mean of\nframes")],
        *_LOGISTIC,
    ],
    "LstmModel": _describe_recurrent("LSTM", 4),
    "GruModel": _describe_recurrent("GRU", 3),
    "DbofModel": _describe_dbof(),
    "NetVladModel": _describe_net_vlad(),
    "NetFvModel": _describe_net_fv(),
    "SoftDbofModel": _describe_soft_dbof(),
    "GatedDbofModel": _describe_gated_dbof(),
    "NeXtVladModel": _describe_next_vlad(),
    "MixNeXtVladModel": _describe_mixture(),
    "AttentionModel": _describe_attention(),
    "TransformerModel": _describe_transformer(),
    "PooledEmbeddingModel": _describe_pooled_embedding(),
}


def _label(box: Box) -> str:
    return f"{box.text}\n[{box.place}]" if box.place else box.text


def _measure(label: str) -> tuple[float, float]:
    """Measures a box around a label, in inches."""
    figure = pyplot.figure(dpi=_DPI)
    text = figure.text(0, 0, label, fontsize=9, linespacing=1.3)
    extent = text.get_window_extent(figure.canvas.get_renderer())
    pyplot.close(figure)
    return (
        extent.width / _DPI + 2 * _PADDING,
        extent.height / _DPI + 2 * _PADDING,
    )


def _draw_box(
    axis: axes_lib.Axes,
    box: Box,
    center: tuple[float, float],
    size: tuple[float, float],
) -> None:
    x, y = center
    width, height = size
    axis.add_patch(
        patches.FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor="#cfe2f7" if box.place else "#f2f2f2",
            edgecolor="#24507d" if box.place else "#777777",
            linestyle="--" if box.optional else "-",
        )
    )
    axis.text(
        x,
        y,
        _label(box),
        fontsize=9,
        linespacing=1.3,
        ha="center",
        va="center",
    )


def _connect(
    axis: axes_lib.Axes, start: tuple[float, float], end: tuple[float, float]
) -> None:
    axis.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={"arrowstyle": "-|>", "color": "#444444", "lw": 1},
    )


def draw(columns: list[Column], path: pathlib.Path) -> None:
    """Draws a model.

    Args:
        columns: its description.
        path: the PNG to write.
    """
    sizes = [
        [_measure(_label(box)) if box else (0.0, 0.0) for box in column]
        for column in columns
    ]
    widths = [max(width for width, _ in column) for column in sizes]
    tallest = max(height for column in sizes for _, height in column)
    rows = max(len(column) for column in columns)
    width = sum(widths) + _GAP * (len(columns) - 1) + 2 * _PADDING
    legend = "[place]: a projection, of the kind --place_projection"
    if any(box and box.optional for column in columns for box in column):
        legend += "; dashed: where a flag asks for it"
    width = max(width, _measure(legend)[0] * 8 / 9 + 2 * _PADDING)
    height = rows * tallest + (rows - 1) * _BETWEEN + _LEGEND + 2 * _PADDING
    figure = pyplot.figure(figsize=(width, height), dpi=_DPI)
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_xlim(0, width)
    axis.set_ylim(0, height)
    axis.axis("off")
    middle = (height + _LEGEND) / 2
    # The ends of the rows so far: x and y where an arrow starts.
    ends: list[tuple[float, float]] = []
    left = _PADDING
    for column, column_width, column_sizes in zip(
        columns, widths, sizes, strict=True
    ):
        centers = [
            middle + (tallest + _BETWEEN) * ((len(column) - 1) / 2 - row)
            for row in range(len(column))
        ]
        starts = ends
        ends = []
        for row, (box, y) in enumerate(zip(column, centers, strict=True)):
            if box is None:
                ends.append(starts[row])
                continue
            x = left + column_width / 2
            size = (column_width, column_sizes[row][1])
            _draw_box(axis, box, (x, y), size)
            sources = starts
            if len(starts) == len(column):
                sources = [starts[row]]
            for source in sources:
                _connect(axis, source, (left, y))
            ends.append((left + column_width, y))
        left += column_width + _GAP
    axis.text(_PADDING, 0.1, legend, fontsize=8, color="#444444", va="bottom")
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=_DPI)
    pyplot.close(figure)
    # Few colours make a file of a quarter of the size.
    picture = Image.open(buffer).convert("RGB").quantize(24)
    picture.save(path, optimize=True)


def main() -> None:
    """Draws all models."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output_dir", type=pathlib.Path, required=True)
    args = parser.parse_args()
    args.output_dir.mkdir(parents=True, exist_ok=True)
    for name, columns in DESCRIPTIONS.items():
        draw(columns, args.output_dir / f"{name}.png")


if __name__ == "__main__":
    main()
