"""Flows played without a server: on the real machine, in virtual time, with given answers.

Pure like `flowspec`, the only package of ours it imports: no clock, no files, no network.
"""
