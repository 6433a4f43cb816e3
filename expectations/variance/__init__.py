"""How far figures scatter, and because of what: a nested analysis of variance of the recorded runs."""

from expectations.variance.components import COMPONENTS, Source, estimated
from expectations.variance.nested import Component, Observation, components

__all__ = ["COMPONENTS", "Component", "Observation", "Source", "components", "estimated"]
