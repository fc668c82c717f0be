"""Compiles the simulator's loops; Numba keeps the result beside their modules."""

from kitwai.sim.baselines import make
from kitwai.sim.episodes import grid_episodes
from kitwai.sim.judging import Judge
from kitwai.sim.library import Library
from kitwai.sim.synthetic import synthetic_profiles

library = Library(synthetic_profiles(3, seed=0))
episodes = grid_episodes(library, "disturbed", seed=0, workers=(2,), limits_s=(300.0,))
judge = Judge(library, episodes)
for controller in make(["lookahead@0.80"]).values():
    judge.run(controller)
