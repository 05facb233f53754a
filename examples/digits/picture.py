"""Draws the confusion matrix and the hardest images into one PNG."""

from pathlib import Path

HARDEST = 15
PAPER, INK, FAINT, WRONG = "#fbfaf7", "#22303c", "#8b98a5", "#c8452f"


def draw(judged: dict, path: Path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.family": "DejaVu Sans", "text.color": INK, "axes.labelcolor": INK,
                            "xtick.color": INK, "ytick.color": INK})
    figure = pyplot.figure(figsize=(12, 6.2), dpi=130, facecolor=PAPER)
    figure.text(0.045, 0.925, f"{judged['accuracy']:.1%} of the held-back digits are read right", size=19, weight="bold")
    figure.text(0.045, 0.88, f"{judged['held_back_images']} handwritten digits that no rank has seen in training",
                size=11, color=FAINT)
    draw_matrix(figure.add_axes([0.05, 0.035, 0.43, 0.755]), judged["confusion"])
    draw_hardest(figure, judged["hardest"])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, facecolor=PAPER)
    pyplot.close(figure)


def draw_matrix(axes, confusion):
    from matplotlib.patches import FancyBboxPatch

    axes.set(xlim=(-0.5, 9.5), ylim=(9.5, -0.5), aspect="equal", xticks=range(10), yticks=range(10))
    axes.set_facecolor(PAPER)
    axes.tick_params(length=0, labelsize=11)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("read as", size=10, color=FAINT, labelpad=4)
    axes.set_ylabel("written as", size=10, color=FAINT, labelpad=4)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for label, row in enumerate(confusion):
        for prediction, count in enumerate(row):
            color = cell_color(count, sum(row), label == prediction)
            axes.add_patch(FancyBboxPatch((prediction - 0.44, label - 0.44), 0.88, 0.88, facecolor=color,
                                          edgecolor="none", boxstyle="round,pad=0,rounding_size=0.14"))
            if count:
                axes.text(prediction, label, count, ha="center", va="center", size=11, color="white", weight="bold")


def cell_color(count, total, is_right):
    if not count:
        return "#efede6"
    if is_right:
        share = count / max(total, 1)
        return mix("#7fb3a6", "#1f6f63", max(0.0, (share - 0.8) / 0.2))
    return WRONG


def mix(first, second, share):
    parts = [round(int(first[i:i + 2], 16) * (1 - share) + int(second[i:i + 2], 16) * share) for i in (1, 3, 5)]
    return "#" + "".join(f"{part:02x}" for part in parts)


def draw_hardest(figure, hardest, columns=5):
    wrong = sum(image["label"] != image["prediction"] for image in hardest)
    figure.text(0.53, 0.845, "The hardest images", size=13, weight="bold")
    note = "the wrong ones in red, then the least certain ones" if wrong else "all of them right; the least certain first"
    figure.text(0.53, 0.812, note, size=10, color=FAINT)
    width, height = 0.078, 0.151
    for index, image in enumerate(hardest):
        row, column = divmod(index, columns)
        axes = figure.add_axes([0.53 + column * 0.0875, 0.59 - row * 0.25, width, height])
        is_right = image["label"] == image["prediction"]
        pixels = [image["pixels"][start:start + 8] for start in range(0, 64, 8)]
        axes.imshow(pixels, cmap="Greys", vmin=0, vmax=16, interpolation="bicubic")
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(color=FAINT if is_right else WRONG, linewidth=0.8 if is_right else 2.2)
        verdict = f"{image['prediction']}" if is_right else f"{image['label']} read as {image['prediction']}"
        axes.set_title(verdict, size=11, weight="bold", color=INK if is_right else WRONG, pad=3)
        axes.set_xlabel(f"{image['confidence']:.0%} certain", size=8, color=FAINT, labelpad=3)
