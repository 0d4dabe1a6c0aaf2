"""Recipes: published reports done again, from photos to a table, by commands that anybody can type."""

from shelfwise.recipes.recipe import Recipe, find_recipe, recipes
from shelfwise.recipes.run import RecipeSummary, run_recipe
from shelfwise.recipes.steps import Step, steps_of

__all__ = ["Recipe", "RecipeSummary", "Step", "find_recipe", "recipes", "run_recipe", "steps_of"]
