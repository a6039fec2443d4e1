"""Self-attention as supp. Fig. 2 draws it: on some people, and averaged over the val split."""

import numpy as np
from IPython.display import HTML
from markupsafe import Markup
from matplotlib.axes import Axes

from poseur_lib.data.coco import Person
from poseur_lib.data.dataset import view_person
from poseur_lib.data.images import read_image
from poseur_lib.evaluation.attention import strongest_pairs, weights_on_others
from poseur_lib.models.poseur.head import PoseurHead
from poseur_study.analysis.interval import METHOD, Estimate, bounded
from poseur_study.analysis.verdict import MIN_SEEDS, Verdict, verdict
from poseur_study.display.attention.between_keypoints import draw_lines, draw_matrix, strongest
from poseur_study.display.attention.canvas import draw_photo, window_around
from poseur_study.display.attention.person_view import Crop, spoken
from poseur_study.display.figure import Drawn, drawing, panels
from poseur_study.display.html_table import show_table
from poseur_study.display.style import GREY
from poseur_study.display.tables import nothing_measured
from poseur_study.display.words import interval, points, seeds, with_interval
from poseur_study.experiments.analyses import DEFAULT_ROW, RELATED, SHOULDER, SHOULDER_CLAIM
from poseur_study.measurements.attention_shares import Attention
from poseur_study.table_study import TableStudy

PHOTO, MATRIX = (1.9, 2.7), 3.0
NAMES_LEFT, NAMES_BELOW, TITLE = 1.15, 1.15, 0.3
THICKEST = 5.0
PAIRS_NAMED = 5
BEYOND_MEAN_POSE = 0.12
WHAT = "the self-attention"


def people_figure(study: TableStudy, of: Attention | None) -> HTML:
    """Some people (across) by layer (down): lines from the keypoint that the paper shows."""
    if of is None:
        return nothing_measured(WHAT)
    people = {person.annotation_id: person for person in study.dataset.val.people()}
    chosen, count, layers = study.dataset.val.keypoints.names.index(SHOULDER), len(of.people), len(of.layers)
    with drawing():
        figure, axes = panels(count * layers, count, PHOTO)
        for place, axis in enumerate(axes):
            layer, column = divmod(place, count)
            one = of.people[column]
            crop = _crop(study, people[one.annotation_id])
            keypoints_px = np.array(one.keypoints) * crop.extent_px
            window = window_around(crop, keypoints_px)
            draw_photo(axis, crop, window)
            row = np.array(one.layers[layer])[chosen]
            draw_lines(axis, window.clamped(keypoints_px), chosen, row, thickest=THICKEST, numbers=0)
            axis.set_title(f"layer {layer + 1}", fontsize=8)
    caption = (
        f"{count} people of the val split, a column each, and the {layers} layers of the decoder, a row each: what the "
        f"{spoken(SHOULDER)}'s query attends to in the run of the first seed that was measured, mean of the heads, "
        "over the predicted keypoints. Thicker lines are more weight, as in supp. Fig. 2, relative to the largest of "
        "each picture."
    )
    return Drawn(figure, f"Self-attention of the {spoken(SHOULDER)} over {count} people, by layer.", caption).html()


def average_figure(study: TableStudy, of: Attention | None) -> HTML:
    """A row a layer: the shown keypoint's lines over the mean pose, and the matrix of all keypoints."""
    if of is None:
        return nothing_measured(WHAT)
    names = study.dataset.val.keypoints.names
    chosen, pairs = names.index(SHOULDER), []
    with drawing():
        room = {"top": TITLE, "between": NAMES_BELOW + TITLE, "bottom": NAMES_BELOW, "gap": NAMES_LEFT}
        figure, axes = panels(2 * len(of.layers), 2, (MATRIX, MATRIX), **room)
        for number, (weights, lines, matrix) in enumerate(zip(of.layers, axes[::2], axes[1::2], strict=True), 1):
            _draw_mean_pose(lines, study, of)
            draw_lines(lines, of.mean_pose, chosen, weights[chosen], thickest=THICKEST, numbers=0)
            lines.set_title(f"layer {number}, from {spoken(SHOULDER)}", fontsize=9)
            draw_matrix(matrix, weights, names, chosen)
            matrix.set_title(f"layer {number}, all keypoints", fontsize=9)
            strong = strongest_pairs(weights, PAIRS_NAMED)
            words = ", ".join(f"{spoken(names[a])} to {spoken(names[b])} {share:.2f}" for a, b, share in strong)
            pairs.append(f"layer {number}: {words}")
    caption = (
        f"Mean over {of.n_people:,} people on {of.n_images:,} images, all heads and {seeds(of.n_seeds)}. Left: over "
        "the mean predicted pose. Right: rows attend to columns and sum to 1; equal attention to all would be "
        f"{1 / len(names):.2f}. Strongest pairs, as shares of the weight on others: {'; '.join(pairs)}."
    )
    return Drawn(figure, "Mean self-attention by layer, as lines over the mean pose and as matrices.", caption).html()


def shares_table(of: Attention | None) -> HTML:
    """Per layer and on average: what goes to related keypoints, against what all take of them, and against chance."""
    if of is None:
        return nothing_measured(WHAT)
    rows = []
    for name in of.shares:
        for place, three in enumerate(zip(of.shares[name], of.whoever[name], of.beyond[name], strict=True), 1):
            where = "mean of the layers" if place == len(of.shares[name]) else f"layer {place}"
            share, whoever, beyond = three
            rows.append(
                {
                    "weight on": name, "layer": where, "share, %": with_interval(share), 
                    "as all take, %": with_interval(whoever),
                    "beyond, points": with_interval(beyond, sign=True), "equal weight, %": of.chance[name],
                }
            )  # fmt: skip
    caption = (
        "Share of the weight that a keypoint gives to others, mean over the keypoints that have such others. As all "
        "take: if every keypoint had the same taste, by the column sums of the matrix (quasi-independence); beyond: "
        f"the share less that. {METHOD}"
    )
    return show_table(rows, caption)


def reading(study: TableStudy, of: Attention | None) -> HTML:
    """Does the paper's reading of its figure hold here, and did it by the rule that stood before? In words."""
    if of is None:
        return nothing_measured(WHAT)
    names = study.dataset.val.keypoints.names
    chosen = names.index(SHOULDER)
    row = weights_on_others(of.layers.mean(axis=0))[chosen]
    top = strongest(row, chosen, len(RELATED))
    held = [spoken(name) for name in RELATED if names.index(name) in top]
    most = ", ".join(f"{spoken(names[other])} {row[other]:.2f}" for other in top)
    share, whoever, beyond = (each[SHOULDER_CLAIM][-1] for each in (of.shares, of.whoever, of.beyond))
    text = (
        f"On average over layers the {spoken(SHOULDER)} gives {most} of its weight on others. Of the {len(RELATED)} "
        f"keypoints that the paper names, these are among its {len(RELATED)} strongest: {', '.join(held) or 'none'}. "
        f"All {len(RELATED)} together get {share.value:.1f} %; if it took of others as all keypoints do, they would "
        f"get {whoever.value:.1f} % ({points(beyond.value)} points, {interval(beyond, sign=True)}): "
        f"{_against_others(beyond)}."
    )
    return HTML(Markup("<p><b>{}</b></p><p>{}</p>").format(text, _former_rule(study, of)))


def _against_others(beyond: Estimate) -> str:
    if beyond.n_seeds < MIN_SEEDS:
        return Verdict.ONE_SEED.value
    if beyond.low > 0:
        return "more than from others"
    return "less than from others" if beyond.high < 0 else "no difference found"


def _former_rule(study: TableStudy, of: Attention) -> str:
    """Plain shares against equal weight, and what they would have made of each claim."""
    evidence, smoke = study.data.evidence, not study.profile.evidential
    found = []
    for claim in study.table.claims:
        share, equal = of.shares.get(claim.key, [None])[-1], of.chance.get(claim.key)
        if share is not None:
            more = share.model_copy(update={end: getattr(share, end) - equal for end in ("value", "low", "high")})
            found.append(
                f"{claim.key} get {share.value:.1f} % ({interval(bounded(share))}), by equal weight {equal:.1f} %: "
                f"{verdict(claim, more, evidence, smoke).value}"
            )
    return (
        "The rule that stood until the runs of seed 1 had been looked at held the plain share against equal weight on "
        f"all other keypoints. By it: {'; '.join(found)}."
    )


def _draw_mean_pose(axis: Axes, study: TableStudy, of: Attention) -> None:
    height, width = study.configs[DEFAULT_ROW].data.input_size
    for a, b in study.dataset.val.keypoints.skeleton:
        axis.plot(*of.mean_pose[[a, b]].T, color=GREY, linewidth=0.8, alpha=0.6, zorder=1)
    (left, top), (right, bottom) = of.mean_pose.min(axis=0), of.mean_pose.max(axis=0)
    pad = BEYOND_MEAN_POSE
    axis.set(xlim=(left - pad, right + pad), ylim=(bottom + pad, top - pad), xticks=[], yticks=[])
    axis.set_aspect(height / width, anchor="C")
    axis.spines[:].set_visible(False)


def _crop(study: TableStudy, person: Person) -> Crop:
    """Where a person's crop lies in the image, as the row's model sees it."""
    input_size, rule = study.configs[DEFAULT_ROW].data.input_size, PoseurHead.crop_rule
    image = read_image(person.image_path)
    view = view_person(person, image.shape[1], study.dataset.val.keypoints, input_size, rule, None, (0, 0, 0))
    return Crop(image, view.matrix, input_size, rule.extent_px(input_size))
