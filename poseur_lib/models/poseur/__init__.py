"""Poseur, to be read in this order, from the small part to the whole; docs/poseur.svg has every shape.

The knobs, with what the paper and the released code say of each, are in `poseur_lib.config.heads.poseur`.

positional: sine-cosine encodings of points and of map cells.
memory: necks, and the rows that they flatten the backbone's maps to.
sampling: weighted bilinear samples of those rows, the inner double sum of Eq. 1.
deformable: EMSDA, Eq. 1 as a whole, and MSDA.
queries: the coarse proposal, its noisy copies, and the queries that start from them.
decoder: self-attention, EMSDA, FFN, and the refinement of the reference points.
recording: what the decoder attends to, seen from outside.
head: all of it, the loss (`poseur_lib.losses`) and the scores (`poseur_lib.scoring`).
"""
