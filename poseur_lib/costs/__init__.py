"""What a model costs: parameters, multiply-adds in two conventions, memory and time."""

from poseur_lib.costs.cost import cost
