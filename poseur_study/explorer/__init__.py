"""The attention explorer: which model, which person, what the model sees there, and the widgets that show it."""
