"""Where the paper's text and the released code differ, and what this library does about it: one row each.

`DEVIATIONS` is shown in the report. The tests hold every row against the configuration and against the tests it names.
"""

from dataclasses import dataclass

Value = bool | int | float | str


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One difference.

    Attributes:
        subject: what it is about.
        place: where the paper speaks of it.
        paper: what the paper says; "silent" where it says nothing.
        released: what the released code does.
        knob: dotted path in `ExperimentConfig` that chooses; None where there is nothing to choose.
        default: the knob's default.
        paper_value: the knob's value in the preset `paper_text`; None where the preset leaves the default.
        note: what else one should know.
        tables: numbers of the tables that it touches, "S3" for one of the supplement; "all": every trained model.
        test: id of the test that covers it.
    """

    subject: str
    place: str
    paper: str
    released: str
    knob: str | None = None
    default: Value | None = None
    paper_value: Value | None = None
    note: str = ""
    tables: tuple[str, ...] = ("all",)
    test: str


OF_THE_PRESET = (
    Deviation(
        subject="Noisy reference points",
        place="Sec. 3.1, keypoint encoder",
        paper="A second type of query starts at random normalised coordinates; how many is not said.",
        released="Three more groups of K queries (whole body: one); 12 of their 51 points move by a normal offset of "
        "variance 0.2, clipped to ±1, and the others stay at the proposal.",
        knob="model.head.noise.kind", default="released", paper_value="paper",
        note="The preset has one more group, all of it random.",
        tables=("all", "1b"),
        test="tests/models/test_noise.py::test_paper_scheme_draws_all_points_anew_inside_the_crop",
    ),
    Deviation(
        subject="Content of the initial query",
        place="Sec. 3.1; supp. Sec. 7",
        paper="The sine-cosine encoding of the coarse keypoint, added to the class embedding.",
        released="LayerNorm(Linear(·)) of two encodings, of the coarse keypoint and of the same clipped to the crop.",
        knob="model.head.query_content", default="released", paper_value="paper",
        test="tests/models/test_positional.py::test_query_of_the_paper_is_class_embedding_plus_location",
    ),
    Deviation(
        subject="Class embedding",
        place="Sec. 3.1, Q_z = Q_c + PE",
        paper="Added once, to the initial query.",
        released="A positional query, added in every attention of every layer.",
        knob="model.head.class_embedding", default="positional", paper_value="content",
        test="tests/models/test_positional.py::test_query_of_the_released_code_knows_the_point_and_the_clipped_point",
    ),
    Deviation(
        subject="Output of a decoder layer",
        place="Sec. 3.1, below Eq. 1",
        paper="The reference point, updated at the end of each layer.",
        released="The updated reference point plus the output of a second branch, which the next layer does not see.",
        knob="model.head.output_branch", default="released", paper_value="paper",
        note="The paper's own counts contain the second branch: 1.417 M a layer, where it prints 1.4 to 1.5.",
        tables=("all", "1e"),
        test="tests/models/test_knobs.py::test_the_paper_in_words",
    ),
    Deviation(
        subject="What the coarse stage pools",
        place="Sec. 3.1, backbone",
        paper="The backbone's last map.",
        released="The neck's last map, of 256 channels.",
        knob="model.head.coarse_features", default="neck", paper_value="backbone",
        test="tests/models/test_released_parity.py::test_coarse_stage",
    ),
    Deviation(
        subject="Layer of the coarse coordinates",
        place="Sec. 3.1, backbone",
        paper="An FC layer.",
        released="W x / |x| + b: the product is divided by the length of the pooled vector.",
        knob="model.head.coarse_fc", default="l2_normalised", paper_value="plain",
        test="tests/models/test_released_parity.py::test_coarse_stage",
    ),
    Deviation(
        subject="Log-likelihood of the flow",
        place="Sec. 3.2, Eq. 2 and 3",
        paper="log φ once a keypoint, as the density of a scaled variable has it.",
        released="One value a keypoint, broadcast against the two axes: it counts twice.",
        knob="model.head.loss.log_phi_count", default=2, paper_value=1,
        test="tests/losses/test_rle.py::test_identity_flow_leaves_a_gaussian_and_a_laplace",
    ),
    Deviation(
        subject="log σ in the loss",
        place="Sec. 3.2 and Eq. 7",
        paper="Once an axis; σ is the Laplace scale b, up to the constant of the density.",
        released="In both terms, so twice: without the flow the best σ is E|Δ| / (2√2), and b would be 2√2 σ.",
        knob="model.head.loss.log_sigma_count", default=2, paper_value=1,
        note="Eq. 8 takes σ for b either way.",
        tables=("all", "1c"),
        test="tests/losses/test_rle.py::test_best_sigma_without_a_flow",
    ),
    Deviation(
        subject="Prior of the flow",
        place="Sec. 3.2",
        paper="N(0, I).",
        released="Mean (0.5, 0.5), identity covariance.",
        knob="model.head.loss.flow_prior_mean", default=0.5, paper_value=0.0,
        test="tests/models/test_flow.py::test_density_integrates_to_one",
    ),
    Deviation(
        subject="Keypoint score",
        place="Sec. 3.3, Eq. 8",
        paper="Probability of the interval ±0.2 around the prediction, the axes multiplied.",
        released="mean(1 − σ), RLE's score, unless the flip fusion of type 2 is chosen, which has 0.7 times Eq. 8.",
        knob="model.head.keypoint_score", default="rle", paper_value="laplace",
        tables=("all", "1c"),
        test="tests/scoring/test_scores.py::test_laplace_score_is_the_integral_of_eq_7_over_a_square",
    ),
    Deviation(
        subject="Instance score",
        place="Sec. 3.3, Eq. 5",
        paper="Box score × mean keypoint score.",
        released="Box score + mean + maximum of the keypoint scores, in every configuration.",
        knob="evaluation.instance_score", default="released", paper_value="paper",
        note="“classic” counts keypoint scores above 0.2 only; “box” is Table 1c's row without a score.",
        tables=("all", "1c"),
        test="tests/scoring/test_scores.py::test_instance_scores_by_hand",
    ),
)  # fmt: skip

LEFT_OPEN = (
    Deviation(
        subject="Depth of the decoder",
        place="Sec. 4.1",
        paper="Three layers unless said otherwise; which tables say otherwise is not always said.",
        released="Six for most backbones, three for the small HRFormers, twelve in one MobileNetV2.",
        knob="model.head.decoder_layers", default=3,
        tables=("1a", "1b", "1c", "1d", "1e", "S1", "S2", "S3"),
        test="tests/models/test_shared_layers.py::test_parameters_of_table_1e",
    ),
    Deviation(
        subject="Learned initial points",
        place="Sec. 4.2, Table 1a",
        paper="The baseline predicts the reference points from the queries by a linear projection. What becomes of the "
        "coarse loss is not said.",
        released="Not there.",
        knob="model.head.initial_points", default="coarse",
        note="“learned”: a learned content, and points from the class embedding. The row has no coarse stage, so no "
        "coarse loss either: the caption tells the rows apart by the use of the FC layer.",
        tables=("1a",),
        test="tests/models/test_initial_points.py::test_every_image_starts_at_the_same_points",
    ),
    Deviation(
        subject="Shared decoder weights",
        place="Supp. Sec. 3, Table 3",
        paper="Weights are shared between the decoder layers: 26.2 M parameters.",
        released="Not there.",
        knob="model.head.share_layers", default=False,
        note="Layer and output branches are shared: 26.172 M with both flows at any depth, 26.065 M without them. "
        "The unshared 32.3 M is met by no depth: five layers have 31.7 and six 33.1 M.",
        tables=("S3",),
        test="tests/models/test_shared_layers.py::test_parameters_do_not_depend_on_the_depth",
    ),
    Deviation(
        subject="MSDA",
        place="Supp. Sec. 4, Table 4",
        paper="The linear layer on the whole maps, as in Deformable DETR.",
        released="EMSDA only.",
        knob="model.head.cross_attention", default="emsda",
        tables=("S4",),
        test="tests/models/test_msda.py::test_msda_is_grid_sample_of_projected_maps",
    ),
    Deviation(
        subject="Decoder's part of the loss",
        place="Sec. 3.2, Eq. 3 and 4",
        paper="One term of the decoder, times λ = 1; whether each layer is supervised is not said.",
        released="The sum over all layers, not their mean; noisy groups are supervised like the clean one.",
        knob="model.head.loss.decoder_weight", default=1.0,
        test="tests/models/test_knobs.py::test_decoder_weight_weighs_the_decoder_alone",
    ),
    Deviation(
        subject="Flip test",
        place="nowhere",
        paper="Silent.",
        released="Plain means of coordinates and scores by default; two weighted fusions are there.",
        knob="model.head.flip_fusion", default="mean",
        test="tests/scoring/test_scores.py::test_fusions_by_hand",
    ),
    Deviation(
        subject="Keypoints outside the crop",
        place="Supp. Sec. 8, Fig. 1",
        paper="Poseur infers keypoints outside of the predicted box, where its queries see the whole image; how a "
        "top-down model is trained on them is not said.",
        released="Weight 0 for a keypoint outside the crop: no top-down model is trained on it.",
        knob="train.supervise_outside_crop", default=False,
        note="True gives every labelled keypoint a target, for heads that can pass the border: Poseur's as released, "
        "and plain regression.",
        tables=("figure_s1",),
        test="tests/training/test_supervision.py::test_a_keypoint_outside_the_crop_moves_the_loss_only_if_supervised",
    ),
    Deviation(
        subject="Learning rate of linear layers",
        place="Sec. 4.1",
        paper="× 0.1 for the projections of sampling offsets and of reference points.",
        released="× 0.1 for the sampling offsets; there is no projection of reference points.",
        knob="train.sampling_offsets_lr_factor", default=0.1,
        note="Here it acts on the reference points too where they are learned.",
        test="tests/models/test_initial_points.py::test_the_projection_of_learned_points_is_slow",
    ),
)  # fmt: skip

WITHOUT_KNOB = (
    Deviation(
        subject="Layers of the output branches",
        place="Sec. 3.1",
        paper="A linear layer.",
        released="Three linear layers with ReLU between them for coordinates, without for σ.",
        note="As released: Table 1e's 1.4 M a layer leave no other reading.",
        test="tests/models/test_shared_layers.py::test_parameters_of_table_1e",
    ),
    Deviation(
        subject="Bias of EMSDA",
        place="Eq. 1",
        paper="None.",
        released="Added once a head, after sampling.",
        note="As released. Beyond the border EMSDA and MSDA therefore differ.",
        test="tests/models/test_msda.py::test_emsda_and_msda_agree_on_the_maps_and_differ_beyond",
    ),
    Deviation(
        subject="Range of the coarse keypoints",
        place="Sec. 3.1, backbone",
        paper="Normalised in [0, 1].",
        released="Unbounded. The first layer samples around them as they are, and refines them from inside the crop.",
        note="As released; a sigmoid could not propose keypoints outside the crop.",
        test="tests/models/test_released_parity.py::test_sampling_locations",
    ),
    Deviation(
        subject="Gradient through the references",
        place="nowhere",
        paper="Silent.",
        released="Stopped at the coarse proposal, let through between decoder layers.",
        note="As released.",
        test="tests/models/test_decoder.py::"
        "test_gradient_reaches_earlier_layers_through_the_references_but_not_the_coarse_stage",
    ),
)

DEVIATIONS = (*OF_THE_PRESET, *LEFT_OPEN, *WITHOUT_KNOB)
