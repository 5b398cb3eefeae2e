"""Searching for good parameters: grid or random, cross-validated by groups, on any Dask cluster."""

from autonoe_nace.search.engine import overview, run_one, search
from autonoe_nace.search.plan import Material, SearchPlan
from autonoe_nace.search.store import Store
from autonoe_nace.search.workers import Workers

__all__ = ["Material", "SearchPlan", "Store", "Workers", "overview", "run_one", "search"]
