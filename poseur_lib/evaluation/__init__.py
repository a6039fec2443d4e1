"""Predictions, OKS, non-maximum suppression, COCO's AP and AR, and how sure one can be of them."""
