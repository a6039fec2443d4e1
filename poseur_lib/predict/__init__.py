"""Poses of people on one's own images: predictor, boxes, detector, overlay, files."""
