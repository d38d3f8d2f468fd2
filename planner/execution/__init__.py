"""
Runs a step graph, which travels from the plan. Called by operations; knows providers by their protocols only.

    scheduler   decides what runs when: a pure state machine
    executor    carries out: threads, commits, what becomes of failures
    calls       a step as a provider call
    outcome     what a step's success does to the record: one fold for the normal end and for recovery
    lookup      whether a step's effect is there, when its answer was lost
    recovery    what a killed run did
    faults      where tests kill the process
"""
