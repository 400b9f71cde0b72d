"""Faults on purpose: what disks, machines and files may do to the command `siamese`, and what must not come of it.

    make faults                        a thousand of them; the figures go to results.csv
    python -m faults --faults 60       fewer, with tests/ on the path

A case does one thing wrong (a flipped bit, a full disk, a kill at the n-th change of a file, two processes at once),
runs the command as a user would, and lifts the fault. Then it judges:

    work lost      checks that had to be trained again: one at most
    wrong results  a figure that is not the undisturbed run's, or a damaged file that is not named; what is finished
                   is never removed
    tracebacks     in place of a sentence; so is a sentence that the command did not foresee

`process.py` starts commands and lets them come to harm, `damage.py` damages files, `oracle.py` judges; a kind of fault
is a function of the modules in `kinds.py`. Most cases train a small stand-in for the network (`stand_in.py`): what
it computes means nothing, but every file goes the way of a real training's. `keras_kinds.py` trains real ones.
"""
