"""Poseur's head, from the small part to the whole: positional, neck, coarse, emsda, decoder, noise, head."""
