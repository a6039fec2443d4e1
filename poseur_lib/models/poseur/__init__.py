"""Poseur, to be read in this order, from the small part to the whole; docs/poseur.svg has the main shapes.

The knobs, with what the paper and the released code say of each, are in `poseur_lib.config.heads.poseur`; what goes
in and out is in `poseur_lib.poses` and `poseur_lib.models.pose_model`.

The axes are B people (instances), I images, K keypoints, G query groups, Q = G K queries, C = embed_dims channels, M
heads, D = C / M channels of a head, L levels, P cells of all levels, S sampling points a level, R = 4 L S cells that a
head reads.

positional: sine-cosine encodings of points and of map cells.
memory: necks, and the rows that they flatten the backbone's maps to.
queries: the coarse proposal, the noisy points beside it, and the queries that start from them.
bag_gradients: weighted sums of rows on a processor, to be read last.
sampling: weighted bilinear samples of those rows, the inner double sum of Eq. 1.
sampling_kernels: the same for GPUs, to be read last.
deformable: EMSDA, Eq. 1 as a whole, and MSDA.
decoder: self-attention, EMSDA, FFN, and the refinement of the reference points.
recording: what the decoder attends to, seen from outside.
head: all of it, the loss (`poseur_lib.losses`) and the scores (`poseur_lib.scoring`).
"""
