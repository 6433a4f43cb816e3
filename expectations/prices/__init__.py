"""What a token costs: a model fitted to designed loads, its proof on others, the price of a request."""

from expectations.prices.fit import Fit, Measured, NotTold, Work, fit
from expectations.prices.request import Prices, RequestPrice, price_of

__all__ = ["Fit", "Measured", "NotTold", "Prices", "RequestPrice", "Work", "fit", "price_of"]
