"""What a model costs: parameters, multiply-adds in two conventions, memory and time."""

from poseur_lib.costs.cost import Cost, cost
from poseur_lib.costs.parts import PartCost
from poseur_lib.costs.speed import Speed

__all__ = ["Cost", "PartCost", "Speed", "cost"]
