"""Mask R-CNN with a keypoint head of ours (Sec. 4.3), to be read in this order, from the small part to the whole.

Proposals, RoIAlign, non-maximum suppression, box coding and the feature pyramid are torchvision's.

The axes are I images, N people or boxes, K keypoints, C channels, G query groups, L levels.

Frames, all continuous, (x, y):

- image: pixels of the file; COCO's keypoints name pixels, so 0.5 is added on load and taken away on save; boxes are
  continuous as they are.
- `_px`: pixels of the resized image, which lies in the upper left corner of its canvas;
- canvas: [0, 1] of the padded batch, whose sides are multiples of every stride but the pooled level's, and so [0, 1]
  of every level's map but the pooled one;
- box: [0, 1] of a person's box; what lies beyond is outside it. Every keypoint head ends here.

frames: from one to the other.
pooling: regions of the pyramid, and what a keypoint head is given of them.
keypoint_heads: heatmap, RLE and Poseur.
region_heads: from proposals to losses, boxes and keypoints.
model: all of it.
"""
