"""A data set is a folder in COCO's layout; here it is indexed, checked, cropped and augmented."""
