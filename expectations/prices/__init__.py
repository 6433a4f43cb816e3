"""What a token costs: a model fitted to designed loads, its proof on others, the price of a request."""

from expectations.prices.fit import Fit, Measured, NotTold, fit
from expectations.prices.published import PriceList, choose, price_lists
from expectations.prices.request import Prices, RequestPrice, joules_at, price_of
from expectations.prices.work import Decoding, Work, work_between

__all__ = [
    "Decoding",
    "Fit",
    "Measured",
    "NotTold",
    "PriceList",
    "Prices",
    "RequestPrice",
    "Work",
    "choose",
    "fit",
    "joules_at",
    "price_lists",
    "price_of",
    "work_between",
]
