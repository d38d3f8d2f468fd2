"""
Runs a step graph, which travels from the plan. Called by operations; knows providers by their protocols only.

    scheduler   decides what runs when: a pure state machine
    executor    carries out: threads, commits, what becomes of failures
    calls       a step as a provider call
    outcome     what a step's success does to the record: one fold for the normal end and for recovery
    admission   whether pools still have room for what a plan adds, before anything is done
    readback    whether systems have what they were told, afterwards
    lookup      whether a step's effect is there, when its answer was lost
    recovery    what a killed run did
    faults      where tests kill the process
"""
