"""Wanted or not: rules with weights, words an account has learnt, and who wrote to whom before.

`seen` reads a message once, `rules` and `signs` look at that and at nothing else: pure functions, so that they can run
anywhere. `bayes` knows the words, `scoring` adds up, `learner` listens to what users move in and out of Junk.
"""
