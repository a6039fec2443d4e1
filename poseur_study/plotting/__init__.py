"""What a cell shows, in one style: figures with a caption and an alt text, and DataFrames."""
