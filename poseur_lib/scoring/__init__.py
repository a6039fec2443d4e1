"""Scores of keypoints and of people, and the fusion of mirrored predictions."""
