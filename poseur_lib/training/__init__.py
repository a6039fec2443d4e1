"""Training on Lightning: recipe, resumption that changes nothing, learning curve, pretext."""
